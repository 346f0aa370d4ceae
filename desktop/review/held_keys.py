"""Swallows the repeats of a held key that the window system does not mark as repeats.

X servers repeat a held key as a release and a press with one and the same time. Qt mostly recognises the pair, but not
when the window is too busy to see both at once; every unrecognised pair would decide another item. No hand releases
and presses a key within a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QKeyCombination, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QWindow
from PySide6.QtWidgets import QApplication

from desktop.actions import ActionSpec, takes_text

_GAP_MS = 1


class HeldKeys(QObject):
    """Watches one window's key events. Text fields that have the focus keep their repeats."""

    def __init__(self, keys: Iterable[Qt.Key], parent: QObject) -> None:
        super().__init__(parent)
        self._keys = frozenset(keys)
        self._released: dict[int, int] = {}
        self._swallow = 0

    def watch(self, window: QWindow) -> None:
        """Begin; key events come to the window before they become shortcuts."""
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Mark releases, and take unmarked repeats of watched keys out of the stream."""
        kind = event.type()
        if kind not in _KINDS or not isinstance(event, QKeyEvent) or event.key() not in self._keys:
            return False
        if takes_text(QApplication.focusWidget()):
            return False
        if kind == QEvent.Type.KeyRelease:
            self._released[event.key()] = event.timestamp()
            return False
        if kind == QEvent.Type.ShortcutOverride:
            released = self._released.get(event.key())
            repeats = released is not None and 0 <= event.timestamp() - released <= _GAP_MS
            self._swallow = event.key() if repeats else 0
            if repeats:
                event.accept()
            return repeats
        return bool(self._swallow) and event.key() == self._swallow


_KINDS = (QEvent.Type.KeyRelease, QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)


def keys_of(specs: Iterable[ActionSpec], more: Iterable[str] = ()) -> set[Qt.Key]:
    """Return the plain keys of these actions and of `more` letters; keys with Ctrl or Alt are left out."""
    names = [key for spec in specs for key in spec.keys] + [key.upper() for key in more]
    found = {_combination(name) for name in names}
    return {one.key() for one in found if one.keyboardModifiers() == Qt.KeyboardModifier.NoModifier}


def _combination(name: str) -> QKeyCombination:
    combination: QKeyCombination = QKeySequence(name)[0]  # type: ignore[index]
    return combination
