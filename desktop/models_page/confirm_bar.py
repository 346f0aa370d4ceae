"""A question in the page itself: what will happen, do it, or leave it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from desktop.theme import GAP, PAD
from desktop.widgets import button, label


class ConfirmBar(QFrame):
    """Hidden until `ask`; Esc or the second button leaves everything as it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        row = QHBoxLayout(self)
        row.setContentsMargins(PAD, GAP, GAP, GAP)
        row.setSpacing(GAP)
        self.question = label("", "", self, wrap=True)
        self.yes = button("", "primary", self)
        self.no = button("Leave it", "", self)
        row.addWidget(self.question, 1)
        row.addWidget(self.no)
        row.addWidget(self.yes)
        self._run: Callable[[], object] = self.hide
        self.yes.clicked.connect(self._do)
        self.no.clicked.connect(self.hide)
        self.hide()

    def ask(self, question: str, verb: str, run: Callable[[], object]) -> None:
        """Show the question; the button called `verb` does it."""
        self.question.setText(question)
        self.yes.setText(verb)
        self.yes.setAccessibleName(verb)
        self._run = run
        self.show()
        self.no.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _do(self) -> None:
        self.hide()
        self._run()
