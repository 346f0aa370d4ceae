"""A drop-down list within the review page: while it has the focus, keys choose in it and decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QWidget

_DONE = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Slash)
_COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
_LEAST_LETTERS = 8


class Choice(QComboBox):
    """The first entry, of value "", stands for no choice.

    `left` when Enter, Esc or / is pressed; `emptied` when Backspace is. Keys with Ctrl or Alt stay the page's.
    """

    left = Signal()
    emptied = Signal()

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(_LEAST_LETTERS)
        self.options: tuple[tuple[str, str], ...] = ()

    @property
    def value(self) -> str:
        """The chosen value, "" for none."""
        return self.options[self.currentIndex()][0] if self.options else ""

    @property
    def title(self) -> str:
        """What the chosen value is called, without its count."""
        return self.options[self.currentIndex()][1] if self.options else ""

    def offer(self, options: Sequence[tuple[str, str]]) -> None:
        """Offer these values and titles, "" first; what was chosen stays chosen if it is among them."""
        chosen = self.value
        self.options = tuple(options)
        with QSignalBlocker(self):
            self.clear()
            self.addItems([title for _value, title in self.options])
        self.choose(chosen)

    def choose(self, value: str) -> None:
        """Choose a value without telling anybody; the first entry where it is not offered."""
        with QSignalBlocker(self):
            self.setCurrentIndex(next((place for place, (own, _) in enumerate(self.options) if own == value), 0))

    def show_counts(self, count: Callable[[str], int]) -> None:
        """Write behind every title how many items there are with that value."""
        for place, (value, title) in enumerate(self.options):
            text = f"{title}   {count(value):,}"
            if self.itemText(place) != text:
                self.setItemText(place, text)

    def event(self, event: QEvent) -> bool:
        if not (isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride):
            return super().event(event)
        event.setAccepted(not event.modifiers() & _COMMANDS)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _DONE:
            self.left.emit()
        elif event.key() == Qt.Key.Key_Backspace:
            self.emptied.emit()
        else:
            super().keyPressEvent(event)
