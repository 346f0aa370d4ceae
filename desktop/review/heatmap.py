"""From an explanation's weights to pixels: one scale for segments and words alike, colours from the theme's map.

Weights are what a segment or word adds to the explained label's probability. They are divided by the explanation's
scale to a strength in [-1, 1]; the strength picks colour and opacity. Neutral is invisible, and so is what cannot be
told from zero (`engine.evidence`). No widget is touched here.

numpy is imported by the first heatmap, on a thread of the pool: the window is up a tenth of a second earlier.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from desktop.theme.diverging import STEPS, heat_table
from engine.errors import InputError
from engine.evidence import SLIGHT, is_clear
from engine.types import Explanation, Segment, SegmentMap, TokenWeight

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LITTLE = 0.2
_CELL_LIMIT = 4096 * 4096


def scale_of(explanation: Explanation) -> float:
    """Return the weight that gets full colour: the largest |weight| that is coloured, at least `SLIGHT`."""
    return max([SLIGHT, *_coloured(explanation)])


def any_colour(explanation: Explanation) -> bool:
    """Return whether anything is coloured: where nothing is, a scale would speak of nothing."""
    return any(True for _ in _coloured(explanation))


def _coloured(explanation: Explanation) -> Iterator[float]:
    """Give the |weight| of everything that can be told from zero."""
    parts: tuple[TokenWeight | Segment, ...] = (*explanation.tokens, *explanation.segments)
    return (abs(part.weight) for part in parts if is_clear(part.weight, part.error))


_DAMAGED = "The next model's explanation takes its place."


def strength(weight: float, scale: float) -> float:
    """Return `weight` as a share of `scale`, clipped to [-1, 1]."""
    return max(-1.0, min(1.0, weight / scale))


def cells_of(segment_map: SegmentMap) -> NDArray[np.uint16]:
    """Return the (height, width) segment numbers; raises `InputError` where the stored map is damaged."""
    import numpy as np

    count = segment_map.width * segment_map.height
    if not 0 < count <= _CELL_LIMIT:
        raise InputError(
            f"The stored heatmap claims {segment_map.width} × {segment_map.height} cells.",
            _DAMAGED,
        )
    try:
        raw = zlib.decompressobj().decompress(segment_map.cells, count * 2)
    except zlib.error as error:
        raise InputError(
            f"The stored heatmap is damaged: {error}.",
            _DAMAGED,
        ) from error
    if len(raw) != count * 2:
        raise InputError(
            f"The stored heatmap holds {len(raw)} bytes instead of {count * 2}.",
            _DAMAGED,
        )
    return np.frombuffer(raw, dtype="<u2").reshape(segment_map.height, segment_map.width)


def compose(cells: NDArray[np.uint16], segments: Iterable[Segment], scale: float) -> NDArray[np.uint32]:
    """Return the (height, width) premultiplied 0xAARRGGBB pixels.

    Cells of no segment are transparent, and those of a segment whose weight cannot be told from zero.
    """
    import numpy as np

    table = np.zeros(int(cells.max(initial=0)) + 1)
    for segment in segments:
        if segment.id < table.size and is_clear(segment.weight, segment.error):
            table[segment.id] = strength(segment.weight, scale)
    palette = _heat()[np.rint((table + 1) / 2 * (STEPS - 1)).astype(np.intp)]
    palette[table == 0] = 0
    return palette[cells]


@cache
def _heat() -> NDArray[np.uint32]:
    import numpy as np

    return np.array(heat_table(), dtype=np.uint32)


def overlay(explanation: Explanation, size: QSize) -> QImage | None:
    """Return the heatmap as a premultiplied image of `size` device pixels; None where there is no segment map.

    Raises `InputError` where the stored map is damaged. Safe to call off the GUI thread.
    """
    if explanation.segment_map is None or size.isEmpty():
        return None
    pixels = compose(cells_of(explanation.segment_map), explanation.segments, scale_of(explanation))
    height, width = pixels.shape
    data = pixels.tobytes()
    image = QImage(data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied)
    smooth = Qt.TransformationMode.SmoothTransformation
    return image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth).copy()


def segment_at(explanation: Explanation, x: float, y: float) -> Segment | None:
    """Return the segment at (`x`, `y`), both in [0, 1) of the capture; None where there is none."""
    if explanation.segment_map is None or not (0 <= x < 1 and 0 <= y < 1):
        return None
    cells = cells_of(explanation.segment_map)
    number = int(cells[int(y * cells.shape[0]), int(x * cells.shape[1])])
    return next((segment for segment in explanation.segments if segment.id == number), None)


def leaning(explanation: Explanation) -> str:
    """Say where one part has next to no weight beside the other, so that a pale heatmap is not taken for a fault."""
    words = max((abs(token.weight) for token in explanation.tokens), default=None)
    picture = max((abs(segment.weight) for segment in explanation.segments), default=None)
    if words is None or picture is None or max(words, picture) < SLIGHT:
        return ""
    if picture < _LITTLE * words:
        return "the picture counts little"
    return "the words count little" if words < _LITTLE * picture else ""
