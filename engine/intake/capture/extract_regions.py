"""From the rectangles that the browser found to the regions of an item: in screenshot pixels, within the screenshot."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

from engine.intake.capture.profile import SIGN, SKELETON
from engine.intake.capture.types import Snapshot
from engine.types import Box

_NARROWEST = 4
_MOST_BOXES = 20
_PNG_SIZE = 16  # offset of width and height in a PNG file (PNG specification, 11.2.1 IHDR)
_SAME = 0.9


def size_of(png: bytes) -> tuple[int, int]:
    """Return a PNG's width and height in pixels, (0, 0) where the bytes are none."""
    if len(png) < _PNG_SIZE + 8 or png[:8] != b"\x89PNG\r\n\x1a\n":
        return 0, 0
    width, height = struct.unpack_from(">II", png, _PNG_SIZE)
    return width, height


def regions_of(snapshot: Snapshot) -> dict[str, tuple[Box, ...]]:
    """Return the item's regions: whole pixels, clipped to the capture, at most 20 boxes each, in reading order.

    Left out are slivers (below 4 pixels), boxes that nearly repeat another of their region (an overlap of at least 0.9
    of the union) or lie inside one, and regions of which nothing is in the capture.
    """
    width, height = size_of(snapshot.png)
    named = {name: boxes for name, boxes in snapshot.regions.items() if not name.startswith((SIGN, SKELETON))}
    found = {name: _distinct(clipped(boxes, width, height)) for name, boxes in named.items()}
    return {name: boxes for name, boxes in found.items() if boxes}


def clipped(boxes: Iterable[Box], width: int, height: int) -> list[Box]:
    """Return the parts of the boxes that lie in the capture, in whole pixels, without slivers."""
    found: list[Box] = []
    for box in boxes:
        if not all(math.isfinite(value) for value in box):
            continue
        x, y, w, h = box
        left, top = max(0, math.floor(x)), max(0, math.floor(y))
        right, bottom = min(width, math.ceil(x + w)), min(height, math.ceil(y + h))
        if right - left >= _NARROWEST and bottom - top >= _NARROWEST:
            found.append((left, top, right - left, bottom - top))
    return found


def covered(boxes: Iterable[Box], width: int, height: int) -> float:
    """Return the largest share of the capture that one of the boxes covers, in [0, 1]."""
    largest = max((w * h for _, _, w, h in clipped(boxes, width, height)), default=0.0)
    return largest / (width * height) if width and height else 0.0


def _distinct(boxes: list[Box]) -> tuple[Box, ...]:
    kept: list[Box] = []
    for box in sorted(set(boxes), key=lambda one: -one[2] * one[3])[: 50 * _MOST_BOXES]:
        if len(kept) < _MOST_BOXES and not any(_repeats(box, other) for other in kept):
            kept.append(box)
    return tuple(sorted(kept, key=lambda one: (one[1], one[0])))


def _repeats(box: Box, larger: Box) -> bool:
    """Return whether a box lies inside a larger one or nearly is it."""
    across = min(box[0] + box[2], larger[0] + larger[2]) - max(box[0], larger[0])
    down = min(box[1] + box[3], larger[1] + larger[3]) - max(box[1], larger[1])
    shared = max(across, 0) * max(down, 0)
    area = box[2] * box[3]
    return shared >= area or shared >= _SAME * (area + larger[2] * larger[3] - shared)
