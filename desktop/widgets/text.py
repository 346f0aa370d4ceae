"""Labels, buttons and frames that take their look from the stylesheet by a role."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea, QSizePolicy, QToolButton, QWidget

from desktop.actions import ActionRegistry
from desktop.theme import CONTROL, ThemeManager


def label(text: str = "", role: str = "", parent: QWidget | None = None, *, wrap: bool = False) -> QLabel:
    """Return a plain-text label. `role`: display, heading, section, strong, reading, quiet, caption, danger or ""."""
    made = QLabel(text, parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    made.setWordWrap(wrap)
    return made


def set_role(widget: QWidget, role: str) -> None:
    """Change a widget's role after it was made."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def frame(surface: str, parent: QWidget | None = None) -> QFrame:
    """Return an empty frame on a surface: canvas, window, surface, card, top, bottom or overlay."""
    made = QFrame(parent)
    made.setProperty("surface", surface)
    return made


def button(text: str, role: str = "", parent: QWidget | None = None) -> QPushButton:
    """Return a push button. `role`: primary (one in a view), plain, danger or "" for an ordinary one."""
    made = QPushButton(text, parent)
    made.setProperty("role", role)
    made.setAccessibleName(text)
    made.setAutoDefault(False)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    return made


def scroll_area(content: QWidget, parent: QWidget | None = None) -> QScrollArea:
    """Return a scroll area around `content` that lets what lies behind it shine through; it scrolls up and down."""
    made = QScrollArea(parent)
    made.setWidgetResizable(True)
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    made.setWidget(content)
    made.viewport().setAutoFillBackground(False)
    content.setAutoFillBackground(False)
    return made


class ElidedLabel(QLabel):
    """One line that ends in "…" where it is too long; the whole text is its tooltip then. Set it with `setText`.

    `show_list` is for a line of parts, of which it shows as many as have room, whole: half a figure is another one.
    """

    def __init__(self, text: str = "", role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole, self._between = "", ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        self.show_list(text, "")

    def show_list(self, text: str, between: str) -> None:
        """Show a text whose last parts, after each `between`, may be left out; "" leaves nothing out but letters."""
        self._whole, self._between = text, between
        self.setAccessibleName(text)
        self.updateGeometry()
        self._fit()

    def whole(self) -> str:
        """Return the text as it was set."""
        return self._whole

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        one_line = fitting = " ".join(self._whole.split())
        more = ""
        while self._between and self._between in fitting and self._width_of(fitting + more) > self.width():
            fitting, more = fitting.rpartition(self._between)[0], " …"
        shown = self.fontMetrics().elidedText(fitting + more, Qt.TextElideMode.ElideRight, max(0, self.width()))
        if shown != self.text():
            super().setText(shown)
        self.setToolTip("" if shown == one_line else self._whole)

    def _width_of(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text)


class IconButton(QToolButton):
    """A line icon that does one action of the table, with its title and key as the tooltip."""

    def __init__(self, icon: str, action: str, theme: ThemeManager, actions: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        self._icon, self._action, self._theme, self._actions = icon, action, theme, actions
        self.setFixedSize(CONTROL, CONTROL)
        self.setIconSize(QSize(18, 18))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clicked.connect(actions.action(action).trigger)
        actions.action(action).changed.connect(self._follow)
        theme.changed.connect(self._dress)
        self._dress()
        self._follow()

    def set_icon(self, icon: str) -> None:
        """Show another icon."""
        self._icon = icon
        self._dress()

    def _dress(self) -> None:
        self.setIcon(self._theme.icon(self._icon, "quiet"))

    def _follow(self) -> None:
        self.setEnabled(self._actions.action(self._action).isEnabled())
        self.setToolTip(self._actions.tooltip(self._action))
        self.setAccessibleName(self._actions.title(self._action))
