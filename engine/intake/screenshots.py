"""Items' screenshots as they go out: whole and unchanged, or not at all, with the items that had to go without."""

from __future__ import annotations

from engine.counting import counted
from engine.errors import StorageError
from engine.types import Item
from engine.workspace import Workspace
from engine.workspace.captures import read_unchanged

_WAY_OUT = "import {it} again, or put the file back from a copy of the workspace"


class Screenshots:
    """Reads the screenshots for one export and remembers whose are lost: an answer must not be kept back for them."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._lost: list[str] = []

    def of(self, item: Item) -> bytes | None:
        """Return a PNG's bytes; None where the item has no screenshot, or its file is missing or damaged."""
        if item.capture is None:
            return None
        try:
            return read_unchanged(self._ws.captures.path_of(item.capture))
        except (OSError, ValueError):
            self._lost.append(item.id)
            return None

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on the items that went out without their screenshot, where there are any."""
        if not self._lost:
            return ()
        more = f" and {counted(len(self._lost) - 1, 'more item')}" if len(self._lost) > 1 else ""
        way_out = _WAY_OUT.format(it="them" if more else "it")
        return (
            f"'{self._lost[0]}'{more} went out without the screenshot, whose file is missing or damaged: {way_out}.",
        )


def screenshot_of(ws: Workspace, item: str, capture: str) -> bytes:
    """Return the bytes of an item's screenshot; raises `StorageError` where its file is missing or damaged."""
    try:
        return read_unchanged(ws.captures.path_of(capture))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"The screenshot of '{item}' is missing from '{ws.path}' or damaged.",
            f"{_WAY_OUT.format(it='the item').capitalize()}; secondlook doctor names what else is bad.",
        ) from error
