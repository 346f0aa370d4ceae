"""The cheat sheet: every key of the table with its key caps, over the page."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from desktop.actions import APP, ActionRegistry, ActionSpec, key_caps
from desktop.theme import GAP, HALF, PAD, WIDE, ThemeManager
from desktop.widgets import KeyCap, Overlay, label, scroll_area

_COLUMN = 38 * GAP
_AROUND = WIDE + PAD + GAP
"""The panel's margins at both sides, and its frame."""
_WORKED_BY_KEY = ("review", "capture")
"""On other pages the sheet shows what the review page's keys are."""
_SCROLLS = {Qt.Key.Key_Up: -5, Qt.Key.Key_Down: 5, Qt.Key.Key_PageUp: -40, Qt.Key.Key_PageDown: 40}
"""Steps of the grid that a key scrolls."""


class CheatSheet(Overlay):
    """The keys of the page in view at the left, the application's at the right; it has no other content of its own.

    The page's last group has a column of its own where the window is wide enough.
    """

    def __init__(self, actions: ActionRegistry, theme: ThemeManager, around: QWidget) -> None:
        super().__init__(theme, around)
        self._actions = actions
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Keys")
        self._page = QWidget()
        self._scroll = scroll_area(self._page, self.panel)
        self._filled = ("", 0)
        self._needs: dict[str, int] = {}

    def open(self) -> None:
        super().open()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll with the arrows and the page keys where the sheet is longer than the window."""
        if event.key() in _SCROLLS:
            bar = self._scroll.verticalScrollBar()
            bar.setValue(bar.value() + _SCROLLS[Qt.Key(event.key())] * GAP)
        else:
            super().keyPressEvent(event)

    def place(self) -> None:
        room = self.width() - 4 * GAP
        width = min(self._arrange(self._actions.page, room), room)
        wanted = self._page.sizeHint()
        height = min(wanted.height() + 9 * GAP, self.height() - 4 * GAP)
        self.panel.setGeometry((self.width() - width) // 2, (self.height() - height) // 2, width, height)

    def _arrange(self, page: str, room: int) -> int:
        """Fill the sheet for a page and a width, and return the width that it needs."""
        of = page if page in _WORKED_BY_KEY else "review"
        if self._needs.get(of, 0) <= room:
            self._needs[of] = self._fill(of, 2)
        return self._needs[of] if self._needs[of] <= room else self._fill(of, 1)

    def _fill(self, of: str, columns: int) -> int:
        """Show the keys of a page in one column or two, beside the application's; return how wide that is."""
        if not self._filled[0]:
            self._lay_out()
        if (of, columns) != self._filled:
            self._filled = (of, columns)
            self._page = page = QWidget()
            row = QHBoxLayout(page)
            row.setContentsMargins(0, 0, PAD - HALF, GAP)
            row.setSpacing(2 * WIDE)
            groups = list(self.groups(of).items())
            split = len(groups) - 1 if columns > 1 else 0
            for part in (groups[:split], groups[split:], list(self.groups(APP).items())):
                if part:
                    row.addLayout(self._column(part, page))
            self._scroll.setWidget(page)
            page.setAutoFillBackground(False)  # which the scroll area switches on
        return self._page.sizeHint().width() + _AROUND + self._scroll.verticalScrollBar().sizeHint().width()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(label("Keys", "heading", self.panel))
        head.addStretch(1)
        head.addWidget(label("Put away", "caption", self.panel))
        head.addWidget(KeyCap(("Esc",), self.theme, self.panel))
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(WIDE, PAD, PAD, PAD)
        column.setSpacing(GAP)
        head.setContentsMargins(0, 0, GAP, 0)
        column.addLayout(head)
        column.addWidget(self._scroll, 1)

    def _column(self, groups: Sequence[tuple[str, list[ActionSpec]]], parent: QWidget) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(GAP)
        for group, specs in groups:
            column.addWidget(label(group, "section", parent))
            column.addLayout(self._rows(specs, parent))
            column.addSpacing(GAP)
        column.addStretch(1)
        return column

    def _rows(self, specs: list[ActionSpec], parent: QWidget) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(PAD)
        grid.setVerticalSpacing(GAP // 2 + 2)
        grid.setColumnStretch(0, 1)
        for row, spec in enumerate(specs):
            name = label(spec.title, "", parent)
            name.setMinimumWidth(_COLUMN - 14 * GAP)
            name.setToolTip(spec.help)
            grid.addWidget(name, row, 0)
            grid.addWidget(KeyCap(key_caps(spec), self.theme, parent), row, 1, Qt.AlignmentFlag.AlignRight)
        return grid

    def groups(self, page: str) -> dict[str, list[ActionSpec]]:
        """Return the rows of a page in the table's order: group → actions that have a key."""
        found: dict[str, list[ActionSpec]] = {}
        for spec in self._actions.specs.values():
            if spec.page == page and spec.listed and spec.keys:
                found.setdefault(spec.group, []).append(spec)
        return found
