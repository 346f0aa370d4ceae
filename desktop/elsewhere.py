"""What commands beside the window do to its workspace: decisions that others record, items that come in."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from PySide6.QtCore import QObject, QTimer, Signal

from engine.errors import EngineError
from engine.types import Decision
from engine.workspace import Workspace

PAUSE_MS = 2000
MOST = 500
"""Of a merge of thousands of decisions only the newest so many are named; lists that are opened anew have them all."""


class Elsewhere(QObject):
    """Looks now and then, which costs two small reads.

    Signals: `decided(list[Decision])` what this window did not record itself, one look after it was there, so that what
    the window is about to report is not taken for somebody else's; `itemsChanged()` there are more or fewer items.
    """

    decided = Signal(list)
    itemsChanged = Signal()

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._told = self._seen = self._total = 0
        self._own: set[int] = set()
        self._timer = QTimer(self, interval=PAUSE_MS)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        """Begin: what is there by now is known."""
        self._told = self._seen = self._workspace.decisions.head()[0]
        self._total = self._workspace.queues.counts().total
        self._timer.start()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def own(self, decisions: Iterable[Decision]) -> None:
        """Take note of what this window recorded itself."""
        self._own.update(one.number for one in decisions)

    def look(self) -> None:
        """Compare with the last look; a workspace that cannot be read just now is looked at again later."""
        try:
            settled, self._seen = self._seen, self._workspace.decisions.head()[0]
            total = self._workspace.queues.counts().total
            rows = self._others(settled)
        except EngineError:
            return
        if rows:
            self.decided.emit(rows)
        if total != self._total:
            self._total = total
            self.itemsChanged.emit()

    def _others(self, settled: int) -> list[Decision]:
        if settled <= self._told:
            return []
        after, self._told = max(self._told, settled - MOST), settled
        rows = islice(self._workspace.decisions.iter(after=after), settled - after)
        others = [one for one in rows if one.number not in self._own]
        self._own = {number for number in self._own if number > settled}
        return others
