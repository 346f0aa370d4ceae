"""The note of the decision that is about to be made."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

_HEIGHT = 56


class NoteField(QPlainTextEdit):
    """`edited(text)` with every change; `left()` when the keys return to the item.

    Enter and Esc both leave and keep what was typed, because words are never thrown away by a key that only means
    "back to the item"; Shift+Enter begins a new line.
    """

    edited = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Note for this item's next decision. Enter or Esc keeps it.")
        self.setAccessibleName("Note for this decision")
        self.setAccessibleDescription(
            "Enter or Escape goes back to the item and keeps the note; it is saved with the item's next decision. "
            "Shift and Enter begin a new line."
        )
        self.setTabChangesFocus(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.textChanged.connect(self._changed)
        self._quiet = False

    def sizeHint(self) -> QSize:
        return QSize(240, _HEIGHT)

    def show_note(self, text: str) -> None:
        """Show an item's note without reporting it as an edit."""
        if text == self.toPlainText():
            return
        self._quiet = True
        self.setPlainText(text)
        self._quiet = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        new_line = enter and event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.key() == Qt.Key.Key_Escape or (enter and not new_line):
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def _changed(self) -> None:
        if not self._quiet:
            self.edited.emit(self.toPlainText())
