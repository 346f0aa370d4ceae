"""The note of the decision that is about to be made."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

_HEIGHT = 56


class NoteField(QPlainTextEdit):
    """`edited(text)` with every change; `left()` when the keys return to the item.

    Enter leaves and keeps what was typed, Shift+Enter begins a new line, Esc leaves and puts back what stood there
    before.
    """

    edited = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._before = ""
        self.setPlaceholderText("Note for this decision")
        self.setAccessibleName("Note for this decision")
        self.setAccessibleDescription("Enter keeps the note, Escape leaves it as it was")
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

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._before = self.toPlainText()
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self.setPlainText(self._before)
            self.left.emit()
        elif enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def _changed(self) -> None:
        if not self._quiet:
            self.edited.emit(self.toPlainText())
