"""A panel that floats over the page: not a dialog. Esc, a click beside it, or its own key put it away."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from desktop.theme import ThemeManager
from desktop.widgets.text import frame

_SHADE = {"light": 0.25, "dark": 0.5}


class Overlay(QWidget):
    """Covers `around` with a light shade and holds one `panel` in the middle; gives the focus back when it goes.

    A subclass fills `self.panel` and places it in `place`. `shown` and `gone` tell when it comes and goes.
    """

    shown = Signal()
    gone = Signal()

    def __init__(self, theme: ThemeManager, around: QWidget) -> None:
        super().__init__(around)
        self.theme, self._around = theme, around
        self._before: QWidget | None = None
        self.panel = frame("overlay", self)
        around.installEventFilter(self)
        theme.changed.connect(self.update)
        self.hide()

    def open(self) -> None:
        """Show it over the page."""
        self._before = QApplication.focusWidget()
        self.setGeometry(self._around.rect())
        self.place()
        self.show()
        self.raise_()
        self.shown.emit()

    def put_away(self) -> None:
        """Hide it and give the focus back."""
        if self.isHidden():
            return
        before, self._before = self._before, None
        self.hide()
        self.gone.emit()
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.OtherFocusReason)

    def toggle(self) -> None:
        """Show it, or put it away."""
        if self.isHidden():
            self.open()
        else:
            self.put_away()

    def place(self) -> None:
        """Set the panel's geometry within the overlay's."""
        size = self.panel.sizeHint().boundedTo(self.size())
        self.panel.resize(size)
        self.panel.move((self.width() - size.width()) // 2, (self.height() - size.height()) // 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.put_away()
        else:
            event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.panel.geometry().contains(event.position().toPoint()):
            self.put_away()

    def paintEvent(self, event: QPaintEvent) -> None:
        shade = QColor(self.theme.colour("shade"))
        shade.setAlphaF(_SHADE[self.theme.tokens.name])
        painter = QPainter(self)
        painter.fillRect(self.rect(), shade)
        painter.end()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self.setGeometry(self._around.rect())
            self.place()
        return False
