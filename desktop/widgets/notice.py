"""A quiet line over the lower edge of the window that tells what happened and offers a way out. Never modal.

The newest notice is in front. Those before it that were not put away wait behind it, "2 more", and come forward one by
one: good news that stood long enough to be read is not shown again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QGridLayout, QHBoxLayout, QToolButton, QWidget

from desktop.theme import GAP, HALF, PAD, ThemeManager
from desktop.widgets.empty import Icon
from desktop.widgets.text import button, label, set_role
from engine.counting import counted

SHOWN_MS = 6000
"""How long good news stays; what went wrong stays until it is put away."""
READ_S = 2.0
"""Seconds after which good news counts as read when another notice comes."""
MOST = 20
"""Notices that wait at most."""
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


@dataclass(frozen=True)
class _Notice:
    text: str
    kind: str
    way_out: WayOut | None

    @property
    def passes(self) -> bool:
        """Whether it goes by itself."""
        return self.kind in ("info", "success")


class NoticeLine(QFrame):
    """One notice in front, above the lower edge of `parent`; it never takes the focus from the item by itself.

    `standing(bool)` says whether there is one. `take_focus` puts the keyboard on it; Esc puts it away.
    """

    standing = Signal(bool)

    def __init__(self, theme: ThemeManager, parent: QWidget, *, lift: int = 7 * GAP) -> None:
        super().__init__(parent)
        self._theme, self._around, self._lift = theme, parent, lift
        self._narrow = 0
        self._now = _Notice("", "info", None)
        self._behind: list[_Notice] = []
        self._since = 0.0
        self._before: QWidget | None = None
        self.setProperty("surface", "overlay")
        self._icon = Icon("info", theme, 20, "busy", self)
        self._text = label("", "", self, wrap=True)
        self._buttons = QWidget(self)
        self._more, self._way_out = button("", "plain", self._buttons), button("", "plain", self._buttons)
        for one, run in ((self._more, self.show_next), (self._way_out, self._take_way_out)):
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            one.clicked.connect(run)
        self._close = QToolButton(self)
        self._close.setAccessibleName("Put this notice away")
        self._close.setToolTip("Put away")
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.setIconSize(QSize(16, 16))
        self._close.clicked.connect(self.put_away)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(PAD, GAP, GAP, GAP)
        self._grid.setHorizontalSpacing(GAP + 4)
        self._grid.setVerticalSpacing(HALF)
        self._grid.setColumnStretch(1, 1)
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(HALF)
        for one in (self._more, self._way_out):
            row.addWidget(one)
        for column, widget in enumerate((self._icon, self._text, self._buttons, self._close)):
            self._grid.addWidget(widget, 0, column)
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._timer.timeout.connect(self.put_away)
        parent.installEventFilter(self)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    def keep_to_the_left(self, width: int) -> None:
        """Stand at the left edge and be no wider than this, so that the item in the middle stays in view; 0 ends it."""
        self._narrow = width
        self._grid.removeWidget(self._buttons)
        at_the_end = Qt.AlignmentFlag.AlignRight
        if width:
            self._grid.addWidget(self._buttons, 1, 0, 1, 4, at_the_end)
        else:
            self._grid.addWidget(self._buttons, 0, 2)
        self._place()

    @property
    def text(self) -> str:
        """The words of the latest notice."""
        return self._text.text()

    def say(self, text: str, kind: str = "info", way_out: WayOut | None = None) -> None:
        """Show a notice of a kind: info, success, warning or error. The one before waits behind it, if it is unread."""
        if self.isHidden():
            self._behind.clear()
        else:
            read = self._now.passes and monotonic() - self._since >= READ_S
            waiting = self._behind if read else [*self._behind, self._now]
            self._behind = [one for one in waiting if one.text != text][-MOST:]
        self._show(_Notice(text, kind, way_out))
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def put_away(self) -> None:
        """Put this notice away: the latest of those behind it comes forward; without one the keyboard goes back."""
        if self._behind:
            self._show(self._behind.pop())
            return
        had_keys = self._has_keys()
        before, self._before = self._before, None
        self._timer.stop()
        self.hide()
        self.standing.emit(False)
        if had_keys and before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_next(self) -> None:
        """Show the next of those behind this one, which goes behind all of them."""
        if self._behind:
            self._behind.insert(0, self._now)
            self._show(self._behind.pop())

    def take_focus(self) -> None:
        """Put the keyboard on the notice: on its way out, else on what is behind it, else on what puts it away."""
        if self.isHidden():
            return
        if not self._has_keys():
            self._before = QApplication.focusWidget()
        self._first_button().setFocus(Qt.FocusReason.TabFocusReason)

    def take_back(self, text: str) -> None:
        """Put this notice away, for it is true no longer; others stay."""
        self._behind = [one for one in self._behind if one.text != text]
        if self.text == text and not self.isHidden():
            self.put_away()
        else:
            self._count()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.put_away()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return False

    def _show(self, notice: _Notice) -> None:
        had_keys = self._has_keys()
        self._now, self._since = notice, monotonic()
        icon, tint = _KINDS[notice.kind]
        self._icon.set_icon(icon, tint)
        self._text.setText(notice.text)
        self.setAccessibleName(notice.text)
        way_out = notice.way_out.title if notice.way_out else ""
        self._way_out.setText(way_out)
        self._way_out.setAccessibleName(way_out)
        self._way_out.setVisible(bool(way_out))
        set_role(self._text, "")
        self._count()
        self.show()
        self.raise_()
        self.standing.emit(True)
        if had_keys and not self._has_keys():
            self._first_button().setFocus(Qt.FocusReason.OtherFocusReason)
        if notice.passes:
            self._timer.start()
        else:
            self._timer.stop()

    def _count(self) -> None:
        """Say how many wait behind the one in front."""
        waiting = len(self._behind)
        self._more.setText(f"{waiting} more")
        self._more.setAccessibleName(f"Show the next of {counted(waiting, 'more notice')}")
        self._more.setToolTip("Show the next one")
        self._more.setVisible(bool(waiting))
        self._buttons.setVisible(bool(waiting or self._way_out.text()))
        self._place()

    def _has_keys(self) -> bool:
        now = QApplication.focusWidget()
        return now is not None and self.isAncestorOf(now)

    def _first_button(self) -> QWidget:
        if self._way_out.text():
            return self._way_out
        return self._more if self._behind else self._close

    def _place(self) -> None:
        around = self._around.rect()
        self.setFixedWidth(self._narrow or self._wide_enough(around.width() - 2 * PAD))
        height = max(self._grid.totalHeightForWidth(self.width()), 5 * GAP)
        left = PAD // 2 if self._narrow else (around.width() - self.width()) // 2
        self.setGeometry(left, around.height() - height - self._lift, self.width(), height)

    def _wide_enough(self, widest: int) -> int:
        """Return the width at which the words fit on one line, as far as that is reasonable."""
        extra = 14 * GAP + (0 if self._buttons.isHidden() else self._buttons.sizeHint().width() + GAP)
        words = self._text.fontMetrics().horizontalAdvance(self._text.text())
        return max(24 * GAP, min(widest, 80 * GAP, words + extra))

    def _take_way_out(self) -> None:
        way_out = self._now.way_out
        self.put_away()
        if way_out is not None:
            way_out.run()

    def _dress(self) -> None:
        self._close.setIcon(self._theme.icon("close", "quiet"))
