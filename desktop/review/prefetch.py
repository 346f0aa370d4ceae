"""The next items, ready before they are asked for: read, decoded, fitted, explained and their heatmaps composed.

Reading the database is a matter of a millisecond and happens on the GUI thread, one item at a time while it is idle.
Everything about pixels happens in the pool, everything about explanations in the engine.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import QObject, QSize, QTimer

from desktop.review.bounded import Bounded
from desktop.review.explanations import Explanations
from desktop.review.pictures import SOON, Pictures
from desktop.review.sight import Sight, look
from engine.errors import EngineError
from engine.service.protocol import Priority
from engine.types import Item
from engine.workspace import Workspace

AHEAD, BEHIND = 4, 1

_SIGHTS = 32
_PAUSE_MS = 15

_log = logging.getLogger(__name__)

Fit = Callable[[Item], QSize]
"""Returns the size in device pixels at which the view shows an item's capture when it is fitted."""
Close = Callable[[Item], bool]
"""Tells whether the view will show an item's capture enlarged."""


class Prefetcher(QObject):
    """Keeps sights of the items around the current one, and their pictures and explanations on the way."""

    def __init__(
        self,
        workspace: Workspace,
        pictures: Pictures,
        explanations: Explanations,
        fit: Fit,
        close: Close,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._pictures = pictures
        self._explanations = explanations
        self._fit, self._close = fit, close
        self._sights: Bounded[str, Sight] = Bounded(_SIGHTS)
        self._queue: deque[str] = deque()
        self._near: set[str] = set()
        self._next = ""
        self._stopped = False
        self._idle = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._idle.timeout.connect(self._step)
        explanations.changed.connect(self._explained)

    def sight(self, item: str) -> Sight:
        """Return the item as it was prefetched, else as it is now; raises `EngineError` where it cannot be read."""
        known = self._sights.get(item)
        if known is None:
            known = self._sights[item] = look(self._workspace, item)
        return known

    def forget(self, items: Iterable[str]) -> None:
        """Drop sights that are out of date; those that are near are read again while idle."""
        for item in items:
            if self._sights.pop(item, None) is not None and item in self._near:
                self._queue.append(item)
        if self._queue:
            self._idle.start()

    def look_ahead(self, current: str, around: Sequence[str]) -> None:
        """Get `around` ready, nearest first; explanations of all items but these and `current` are no longer wanted."""
        if self._stopped:
            return
        self._near = {current, *around}
        self._next = around[0] if around else ""
        self._queue = deque(around)
        self._explanations.only([current, *around])
        self._idle.start()

    def pending(self) -> bool:
        """Whether items still wait to be got ready."""
        return bool(self._queue)

    def stop(self) -> None:
        """Prefetch nothing more, whatever is asked."""
        self._stopped = True
        self._queue.clear()
        self._idle.stop()

    def _step(self) -> None:
        """One item a time slice, so that a key press never waits behind more than one."""
        if not self._queue:
            return
        item = self._queue.popleft()
        try:
            self._prepare(self.sight(item))
        except EngineError as error:
            _log.warning("Could not prefetch %s: %s", item, error)
        if self._queue:
            self._idle.start()

    def _prepare(self, sight: Sight) -> None:
        focus = sight.first_focus(self._workspace.taxonomy)
        size = self._fit(sight.item)
        if sight.item.capture is not None:
            self._pictures.fitted(sight.item.capture, size, SOON)
            if sight.item.id == self._next and self._close(sight.item):
                self._pictures.full(sight.item.capture, SOON)
        explanation = self._explanations.get(sight, focus)
        if explanation is not None:
            self._pictures.heat(explanation, size, SOON)
        self._explanations.want(sight, focus, Priority.PREFETCH)

    def _explained(self, item: str, task: str, label: str) -> None:
        sight = self._sights.get(item)
        if sight is None or item not in self._near:
            return
        explanation = self._explanations.get(sight, (task, label))
        if explanation is not None:
            self._pictures.heat(explanation, self._fit(sight.item), SOON)
