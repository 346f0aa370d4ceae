"""Captures and heatmaps as images of the size they are painted at, made off the GUI thread, kept under a limit."""

from __future__ import annotations

from PySide6.QtCore import QObject, QSize, Signal, Slot
from PySide6.QtGui import QImage

from desktop.review import pixels
from desktop.review.heatmap import overlay
from desktop.review.pixel_cache import Key, PixelCache, PixelPool
from engine.types import Explanation
from engine.workspace import Workspace

NOW, SOON = 2, 1
"""Priorities in the pool: what is on screen, then what comes next; thumbnails wait behind both."""

_LIMIT = 96_000_000
_FULL_LIMIT = 2 * 4 * pixels.PIXEL_LIMIT
"""Two captures of the largest size: the one on screen and the next, which never drive out what is fitted."""


class Pictures(QObject):
    """`fitted`, `full` and `heat` return an image, or None and make it; then `changed(capture or item)` follows.

    `damaged(capture)` tells whether a capture turned out not to be readable.
    """

    changed = Signal(str)

    def __init__(self, workspace: Workspace, pool: PixelPool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._captures = workspace.captures
        self._pool = pool
        self._cache = PixelCache(_LIMIT)
        self._full = PixelCache(_FULL_LIMIT)
        self._damaged: set[str] = set()
        self.veil = pixels.Veil()
        pool.ready.connect(self._made)

    def damaged(self, capture: str) -> bool:
        """Whether the capture's file is missing or cannot be decoded."""
        return capture in self._damaged

    def look_again(self, capture: str) -> None:
        """Try to read a damaged capture once more when it is asked for: an import may have brought it back."""
        self._damaged.discard(capture)

    def fitted(self, capture: str, size: QSize, priority: int = NOW) -> QImage | None:
        """Return the capture at `size` device pixels, under the veil."""
        veil = self.veil
        key = ("fitted", capture, veil, size.width(), size.height())
        path = self._captures.path_of(capture)
        if size.isEmpty() or self.damaged(capture):
            return None
        return self._get(key, priority, lambda: pixels.veiled(pixels.decode(path), size, veil))

    def full(self, capture: str, priority: int = NOW) -> QImage | None:
        """Return the capture pixel for pixel, for looking closely; None while the desk is blurred."""
        veil = self.veil
        path = self._captures.path_of(capture)
        if veil.blurred or self.damaged(capture):
            return None
        key = ("full", capture, veil)
        return self._get(key, priority, lambda: pixels.veiled(pixels.decode(path), None, veil))

    def heat(self, explanation: Explanation, size: QSize, priority: int = NOW) -> QImage | None:
        """Return the explanation's heatmap at `size` device pixels; None also where it has none."""
        if explanation.segment_map is None or size.isEmpty():
            return None
        key = ("heat", *heat_key(explanation), size.width(), size.height())
        return self._get(key, priority, lambda: overlay(explanation, size))

    def _get(self, key: tuple[Key, ...], priority: int, job: pixels.Job) -> QImage | None:
        image = self._cache_of(key[0]).get(key)
        if image is None:
            self._pool.request(key, job, priority)
        return image

    @Slot(object, object)
    def _made(self, key: tuple[str, ...], image: QImage | None) -> None:
        kind, name = key[0], key[1]
        if kind not in ("fitted", "full", "heat"):
            return
        if image is not None:
            self._cache_of(kind).put(key, image)
        elif kind != "heat":
            self._damaged.add(name)
        self.changed.emit(name)

    def _cache_of(self, kind: Key) -> PixelCache:
        return self._full if kind == "full" else self._cache


def heat_key(explanation: Explanation) -> tuple[str, ...]:
    """Return what tells one explanation's heatmap from another's, the item first."""
    return (
        explanation.item,
        explanation.task,
        explanation.label,
        explanation.model,
        f"{explanation.samples}{'' if explanation.final else ' so far'}",
    )
