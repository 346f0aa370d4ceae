"""A quiet line over the lower edge of the window that tells what happened and offers a way out. Never modal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtWidgets import QFrame, QGridLayout, QToolButton, QWidget

from desktop.theme import GAP, HALF, PAD, ThemeManager
from desktop.widgets.empty import Icon
from desktop.widgets.text import button, label, set_role

SHOWN_MS = 6000
"""How long good news stays; what went wrong stays until it is put away."""
_KINDS = {
    "info": ("info", "busy"),
    "success": ("check", "good"),
    "warning": ("alert", "warning"),
    "error": ("alert", "danger"),
}


@dataclass(frozen=True)
class WayOut:
    """A button of a notice: what it says and what it does."""

    title: str
    run: Callable[[], object]


class NoticeLine(QFrame):
    """One notice at a time, above the lower edge of `parent`; it never takes the focus from the item."""

    def __init__(self, theme: ThemeManager, parent: QWidget, *, lift: int = 7 * GAP) -> None:
        super().__init__(parent)
        self._theme, self._around, self._lift = theme, parent, lift
        self._narrow = 0
        self._run: Callable[[], object] = _nothing
        self.setProperty("surface", "overlay")
        self._icon = Icon("info", theme, 20, "busy", self)
        self._text = label("", "", self, wrap=True)
        self._way_out = button("", "plain", self)
        self._way_out.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._way_out.clicked.connect(self._take_way_out)
        self._close = QToolButton(self)
        self._close.setAccessibleName("Put this notice away")
        self._close.setToolTip("Put away")
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.setIconSize(QSize(16, 16))
        self._close.clicked.connect(self.hide)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(PAD, GAP, GAP, GAP)
        self._grid.setHorizontalSpacing(GAP + 4)
        self._grid.setVerticalSpacing(HALF)
        self._grid.setColumnStretch(1, 1)
        for column, widget in enumerate((self._icon, self._text, self._way_out, self._close)):
            self._grid.addWidget(widget, 0, column)
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._timer.timeout.connect(self.hide)
        parent.installEventFilter(self)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    def keep_to_the_left(self, width: int) -> None:
        """Stand at the left edge and be no wider than this, so that the item in the middle stays in view; 0 ends it."""
        self._narrow = width
        self._grid.removeWidget(self._way_out)
        at_the_end = Qt.AlignmentFlag.AlignRight
        if width:
            self._grid.addWidget(self._way_out, 1, 0, 1, 4, at_the_end)
        else:
            self._grid.addWidget(self._way_out, 0, 2)
        self._place()

    @property
    def text(self) -> str:
        """The words of the latest notice."""
        return self._text.text()

    def say(self, text: str, kind: str = "info", way_out: WayOut | None = None) -> None:
        """Show a notice of a kind: info, success, warning or error. A new one replaces the one before."""
        icon, tint = _KINDS[kind]
        self._icon.set_icon(icon, tint)
        self._text.setText(text)
        self.setAccessibleName(text)
        self._run = way_out.run if way_out else _nothing
        self._way_out.setText(way_out.title if way_out else "")
        self._way_out.setAccessibleName(way_out.title if way_out else "")
        self._way_out.setVisible(way_out is not None)
        set_role(self._text, "")
        self._place()
        self.show()
        self.raise_()
        if kind in ("info", "success"):
            self._timer.start()
        else:
            self._timer.stop()

    def take_back(self, text: str) -> None:
        """Put this notice away, for it is true no longer; one that came after it stays."""
        if self.text == text:
            self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return False

    def _place(self) -> None:
        around = self._around.rect()
        self.setFixedWidth(self._narrow or self._wide_enough(around.width() - 2 * PAD))
        height = max(self._grid.totalHeightForWidth(self.width()), 5 * GAP)
        left = PAD // 2 if self._narrow else (around.width() - self.width()) // 2
        self.setGeometry(left, around.height() - height - self._lift, self.width(), height)

    def _wide_enough(self, widest: int) -> int:
        """Return the width at which the words fit on one line, as far as that is reasonable."""
        extra = 14 * GAP + (self._way_out.sizeHint().width() + GAP if self._way_out.text() else 0)
        words = self._text.fontMetrics().horizontalAdvance(self._text.text())
        return max(24 * GAP, min(widest, 80 * GAP, words + extra))

    def _take_way_out(self) -> None:
        self.hide()
        self._run()

    def _dress(self) -> None:
        self._close.setIcon(self._theme.icon("close", "quiet"))


def _nothing() -> None:
    """Do nothing: the way out of a notice without one."""
