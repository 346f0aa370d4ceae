"""Thumbnails of the queue: made off the GUI thread, kept under a limit, under the desk's veil."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from desktop.review.pixel_cache import Key, PixelCache, PixelPool
from desktop.review.pixels import Veil, thumbnail
from engine.workspace import Workspace

SIDE = 48
"""Width and height in device-independent pixels."""

_CACHE_BYTES = 12_000_000
_WAITING_LIMIT = 60
_PRIORITY = 0


class Thumbnails(QObject):
    """`image` returns a thumbnail or None; where one was missing, `changed(items)` follows once it is made."""

    changed = Signal(list)

    def __init__(self, workspace: Workspace, pool: PixelPool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._captures = workspace.captures
        self._pool = pool
        self._cache = PixelCache(_CACHE_BYTES)
        self._missing: set[Key] = set()
        self._waiting: dict[Key, set[str]] = {}
        self.ratio = 1.0
        self.veil = Veil()
        pool.ready.connect(self._made)

    def image(self, item: str, capture: str) -> QImage | None:
        """Return the thumbnail of a capture if it is made; otherwise start making it and return None."""
        return self.picture(item, self._captures.path_of(capture), capture)

    def picture(self, item: str, path: Path, name: str) -> QImage | None:
        """Return the thumbnail of any PNG file, as `image`; `name` tells its content from another one at that path."""
        side = round(SIDE * self.ratio)
        key = ("thumbnail", path, name, self.veil, side)
        image = self._cache.get(key)
        if image is None and key not in self._missing:
            waiting = self._waiting.setdefault(key, set())
            waiting.add(item)
            veil = self.veil
            self._pool.request(key, lambda: thumbnail(path, side, veil), _PRIORITY)
            self._forget_stale()
        return image

    def _forget_stale(self) -> None:
        """Keep only the newest requests: whoever scrolls through thousands of rows wants the last ones."""
        while len(self._waiting) > _WAITING_LIMIT:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._pool.forget(oldest)

    @Slot(object, object)
    def _made(self, key: Key, image: QImage | None) -> None:
        items = self._waiting.pop(key, None)
        if items is None:
            return
        if image is None:
            self._missing.add(key)
        else:
            image.setDevicePixelRatio(self.ratio)
            self._cache.put(key, image)
        self.changed.emit(sorted(items))
