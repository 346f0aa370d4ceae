"""Where a person drags the lines between the parts of the page stays from one run to the next."""

from __future__ import annotations

from PySide6.QtWidgets import QSplitter

from desktop.settings import Settings


def keep(splitter: QSplitter, settings: Settings, name: str) -> None:
    """Put a splitter's lines where they were left, and store under `name` wherever they are dragged from now on.

    A state that is not one of this splitter's changes nothing.
    """
    stored = settings.bytes_of(name)
    if stored is not None:
        splitter.restoreState(stored)
    splitter.splitterMoved.connect(lambda *_: settings.keep_bytes(name, splitter.saveState()))
