"""What can be crossed out of an item: the words and superpixels of its explanation, and the page's own regions.

No widget here. A superpixel becomes rectangles in screenshot pixels only when it is asked for: that takes a
millisecond, and an explanation has dozens of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from desktop.review.heatmap import cells_of
from engine.evidence import each_once, is_clear, weighed_as
from engine.types import Box, CrossedOut, Explanation, Item, Mark, Segment, TokenWeight

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Part = TokenWeight | Segment | str
"""A word, a superpixel, or the name of one of the page's regions."""

MOST_BOXES = 400
"""A superpixel of more rectangles than this is drawn coarser, so that no decision grows large."""


def parts_of(explanation: Explanation | None, item: Item) -> list[Part]:
    """Return what an explanation rests on, strongest first, and behind it the page's regions, most evidence first.

    Weights that cannot be told from zero are left out: there is nothing to object to. A word that was weighed wherever
    it stands comes once, as its first occurrence.
    """
    every: list[TokenWeight | Segment] = []
    if explanation is not None:
        every = [*each_once(explanation.tokens), *explanation.segments]
    weighed = [part for part in every if is_clear(part.weight, part.error)]
    share = explanation.region_share if explanation is not None else {}
    names = [name for name in item.regions if region_boxes(item, name)]
    strongest = sorted(weighed, key=lambda part: -abs(part.weight))
    return [*strongest, *sorted(names, key=lambda name: -share.get(name, 0.0))]


def marks_of(part: Part, explanation: Explanation | None, item: Item) -> tuple[CrossedOut, ...]:
    """Return the part as it is stored, a word that was weighed wherever it stands with all its occurrences.

    Raises `InputError` where the stored heatmap is damaged.
    """
    if not isinstance(part, TokenWeight) or explanation is None:
        return (mark_of(part, explanation, item),)
    same = [token for token in explanation.tokens if weighed_as(token) == weighed_as(part)]
    return tuple(mark_of(token, explanation, item) for token in same or [part])


def mark_of(part: Part, explanation: Explanation | None, item: Item) -> CrossedOut:
    """Return the part as it is stored; raises `InputError` where the stored heatmap is damaged."""
    label = explanation.label if explanation is not None else ""
    if isinstance(part, TokenWeight):
        return CrossedOut(kind=Mark.WORD, label=label, field=part.field, start=part.start, end=part.end, text=part.text)
    if isinstance(part, str):
        return CrossedOut(kind=Mark.REGION, label=label, boxes=region_boxes(item, part), region=part)
    boxes = _boxes_of_segment(part, explanation, item)
    return CrossedOut(kind=Mark.REGION, label=label, boxes=boxes)


def name_of(part: Part | CrossedOut) -> str:
    """Return what a part is called on the screen."""
    if isinstance(part, TokenWeight) or (isinstance(part, CrossedOut) and part.kind is Mark.WORD):
        return f"“{part.text}”"
    if isinstance(part, Segment):
        return "this area"
    name = part if isinstance(part, str) else part.region
    return f"the region {name}" if name else "this area"


def regions_at(item: Item, x: float, y: float) -> Iterator[str]:
    """Yield the page's regions at (`x`, `y`), both in [0, 1) of the capture."""
    return (name for name in item.regions if covers(region_boxes(item, name), x * item.width, y * item.height))


def covers(boxes: Sequence[Box], x: float, y: float) -> bool:
    """Whether a point in screenshot pixels lies in one of the rectangles."""
    return any(left <= x < left + width and top <= y < top + height for left, top, width, height in boxes)


def region_boxes(item: Item, name: str) -> tuple[Box, ...]:
    """Return the rectangles of a region of the page as far as they are on the screenshot."""
    return _on_screenshot(item.regions[name], item)


def _on_screenshot(boxes: Iterable[Box], item: Item) -> tuple[Box, ...]:
    found = []
    for x, y, width, height in boxes:
        left, top = max(float(x), 0.0), max(float(y), 0.0)
        right, lower = min(x + width, float(item.width)), min(y + height, float(item.height))
        if left < right and top < lower:
            found.append((left, top, right - left, lower - top))
    return tuple(found)


def _boxes_of_segment(segment: Segment, explanation: Explanation | None, item: Item) -> tuple[Box, ...]:
    if explanation is None or explanation.segment_map is None:
        return _on_screenshot([segment.box], item)
    mask = cells_of(explanation.segment_map) == segment.id
    across, down = item.width / mask.shape[1], item.height / mask.shape[0]
    found = rectangles(mask)
    while len(found) > MOST_BOXES:
        mask, across, down = _coarser(mask), 2 * across, 2 * down
        found = rectangles(mask)
    scaled = ((x * across, y * down, width * across, height * down) for x, y, width, height in found)
    return _on_screenshot(scaled, item)


def rectangles(mask: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Return rectangles (x, y, width, height) in cells that cover the mask exactly and do not overlap."""
    import numpy as np

    steps = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    found: list[tuple[int, int, int, int]] = []
    begun: dict[tuple[int, int], int] = {}
    for y, row in enumerate(steps):
        runs = dict.fromkeys(zip((row == 1).nonzero()[0].tolist(), (row == -1).nonzero()[0].tolist(), strict=True), y)
        found += [(x, top, end - x, y - top) for (x, end), top in begun.items() if (x, end) not in runs]
        begun = {run: begun.get(run, y) for run in runs}
    return found + [(x, top, end - x, len(mask) - top) for (x, end), top in begun.items()]


def _coarser(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask with cells twice as wide and high, on where any of the four was."""
    import numpy as np

    rows, columns = mask.shape
    even: NDArray[np.bool_] = np.pad(mask, ((0, rows % 2), (0, columns % 2)), mode="edge")
    coarse: NDArray[np.bool_] = even.reshape(len(even) // 2, 2, -1, 2).max(axis=(1, 3))
    return coarse
