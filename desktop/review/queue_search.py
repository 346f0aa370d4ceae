"""The field that searches the queue while one types."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from engine.workspace.search import fold

PAUSE_MS = 200
"""How long the keys rest before the queue is searched, so that a quick word is searched for once."""

_QUOTED = 32


class QueueSearch(QLineEdit):
    """`changed()` when `words` is something else now; `entered()` with Enter, `left()` with Esc, which clears it."""

    changed = Signal()
    entered = Signal()
    left = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.words = ""
        """What is searched for now; what was typed a moment ago may still wait for the pause."""
        self.setPlaceholderText("Find in this queue")
        self.setAccessibleName("Find in this queue")
        self.setAccessibleDescription("Searches as you type. Enter goes to the item, Escape clears the search.")
        self.setClearButtonEnabled(True)
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._submit)
        self.textChanged.connect(self._pause.start)
        self.returnPressed.connect(self._enter)
        self.hide()

    @property
    def quoted(self) -> str:
        """What is searched for in quotes, shortened to a heading's length."""
        return f"“{self.words}”" if len(self.words) <= _QUOTED else f"“{self.words[: _QUOTED - 1]}…”"

    @property
    def signs(self) -> str:
        """A sentence where there is nothing but signs in the field, which are not looked for; else nothing."""
        return "" if fold(self.words) else "Letters and digits are looked for, signs and emoji are not. "

    def begin(self) -> None:
        """Show the field and put the cursor there."""
        self.show()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def settle(self) -> None:
        """Search for what stands there from now on without telling anybody: another visit begins."""
        self._pause.stop()
        self.words = self.text().strip()

    def finish(self) -> None:
        """Give the keys back, search for nothing any more and go."""
        self.left.emit()
        self.clear()
        self.hide()
        self._submit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.finish()
        else:
            super().keyPressEvent(event)

    def _submit(self) -> None:
        before = self.words
        self.settle()
        if self.words != before:
            self.changed.emit()

    def _enter(self) -> None:
        self._submit()
        self.entered.emit()
