"""What merging a review pack would do, or did: a panel over the page, all on the keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from desktop.theme import GAP, PAD, WIDE, ThemeManager
from desktop.widgets import KeyCap, Overlay, button, label
from engine.counting import counted
from engine.intake.pack.words import merged_words
from engine.workspace.merging import Merged

SHOWN = 500
"""Conflicts in the panel; the copy holds all of them."""


class MergePanel(Overlay):
    """Call `ask` before a merge, `tell` after one. `agreed(Path)`: a pack is to be merged; `declined()`: it is not."""

    agreed = Signal(object)
    declined = Signal()

    def __init__(self, theme: ThemeManager, around: QWidget) -> None:
        super().__init__(theme, around)
        self._pack: Path | None = None
        self._whole = ""
        self.title = label("", "heading", self.panel, wrap=True)
        self.sentence = label("", "quiet", self.panel, wrap=True)
        self.lines = QPlainTextEdit(self.panel)
        self.lines.setReadOnly(True)
        self.lines.setAccessibleName("What the pack holds, and where reviewers differ")
        self.copy_all = button("Copy all", "", self.panel)
        self.merge = button("Merge", "primary", self.panel)
        self.leave = button("Not now", "plain", self.panel)
        self._lay_out()
        self.copy_all.clicked.connect(self.copy)
        self.leave.clicked.connect(self.put_away)
        self.merge.clicked.connect(self.agree)

    def ask(self, pack: Path, merged: Merged) -> None:
        """Show what a merge would do and ask whether to do it."""
        self._pack = pack
        self.title.setText(f"Merge {pack.name}?")
        self.sentence.setText(f"{_stakes(merged)} Nothing is overwritten, and nothing has been merged yet.")
        self.merge.setVisible(True)
        self.leave.setText("Not now")
        self._show(merged)

    def tell(self, pack: Path, merged: Merged) -> None:
        """Show what a merge did."""
        self._pack = None
        self.title.setText(f"Merged {pack.name}")
        self.sentence.setText(_stakes(merged))
        self.merge.setVisible(False)
        self.leave.setText("Done")
        self._show(merged)

    def agree(self) -> None:
        """Have the pack merged that was asked about."""
        pack, self._pack = self._pack, None
        self.put_away()
        if pack is not None:
            self.agreed.emit(pack)

    def put_away(self) -> None:
        asked, self._pack = self._pack is not None, None
        super().put_away()
        if asked:
            self.declined.emit()

    def copy(self) -> None:
        """Put every line into the clipboard."""
        QGuiApplication.clipboard().setText(self._whole)

    def place(self) -> None:
        width = min(88 * GAP, self.width() - 6 * GAP)
        height = min(56 * GAP, self.height() - 6 * GAP)
        self.panel.setGeometry((self.width() - width) // 2, (self.height() - height) // 2, width, height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses the button that has the keyboard, else it agrees."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            chosen = next((one for one in (self.copy_all, self.leave) if one.hasFocus()), self.merge)
            (chosen if chosen.isVisible() else self.leave).click()
        else:
            super().keyPressEvent(event)

    def _show(self, merged: Merged) -> None:
        self._whole = "\n".join(_lines(merged, len(merged.conflicts) + len(merged.differing)))
        self.lines.setPlainText("\n".join(_lines(merged, SHOWN)))
        self.open()
        (self.merge if self._pack is not None else self.leave).setFocus(Qt.FocusReason.OtherFocusReason)

    def _lay_out(self) -> None:
        foot = QHBoxLayout()
        foot.addWidget(self.copy_all)
        foot.addStretch(1)
        foot.addWidget(KeyCap(("Esc",), self.theme, self.panel))
        foot.addWidget(self.leave)
        foot.addWidget(KeyCap(("Enter",), self.theme, self.panel))
        foot.addWidget(self.merge)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(WIDE, PAD, WIDE, PAD)
        column.setSpacing(PAD)
        column.addWidget(self.title)
        column.addWidget(self.sentence)
        column.addWidget(self.lines, 1)
        column.addLayout(foot)


def _stakes(merged: Merged) -> str:
    """Return one sentence on what is new and how often reviewers differ."""
    if not (merged.items or merged.decisions or merged.verdicts):
        return "Everything in it is here already."
    differ = counted(len(merged.conflicts), "answer") if merged.conflicts else "no answers"
    new = f"{counted(merged.items, 'new item')} and {counted(merged.decisions, 'new decision row')}"
    return f"{new}; reviewers differ on {differ}."


def _lines(merged: Merged, shown: int) -> Sequence[str]:
    return list(merged_words(merged, shown=shown))
