"""Where else a shortcut sits: parts of other items that are the same as what a reviewer crossed out.

A word is the same word of an item of the same kind, in whatever case. A region that the page names is the region of
that name. Any other region is the same place of a screenshot of the same size where it shows the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.evidence import occurrences
from engine.models.images import DAMAGE, opened
from engine.paper import on_paper
from engine.training.crossed_out import LARGEST_PLANTED
from engine.types import Box, CrossedOut, ItemContent, Mark, TrainingItem

ALIKE = 12.0
"""Pictures of the same place are the same where they differ by at most so much on the mean, of 255."""

_Pixels = NDArray[np.uint8]
_Place = tuple[tuple[int, int], tuple[Box, ...]]
"""A screenshot's width and height, and rectangles on it."""


class Elsewhere:
    """What was crossed out of the items `told`, to be looked for in others.

    Regions above a quarter of a screenshot are not looked for: they hold what other items' labels rest on. Without
    `regions` none is, and no screenshot is read.
    """

    def __init__(self, told: Sequence[TrainingItem], *, regions: bool) -> None:
        self._words: dict[str, set[str]] = {}
        self._named: dict[str, set[str]] = {}
        self._pictures: dict[str, dict[_Place, list[_Pixels]]] = {}
        for item in told:
            self._words.setdefault(item.content.kind, set()).update(_words(item))
            if regions:
                self._named.setdefault(item.content.kind, set()).update(_names(item))
                self._add_pictures(item)

    def marks(self, content: ItemContent) -> tuple[CrossedOut, ...]:
        """Return the parts of an item that are the same as what was crossed out of others."""
        return (*self._same_words(content), *self._same_regions(content), *self._same_pictures(content))

    def _same_words(self, content: ItemContent) -> list[CrossedOut]:
        return [
            CrossedOut(kind=Mark.WORD, field=field, start=start, end=end, text=raw[start:end])
            for word in sorted(self._words.get(content.kind, ()))
            for field, raw in (("title", content.title), ("text", content.text))
            for start, end in occurrences(raw, word)
        ]

    def _same_regions(self, content: ItemContent) -> list[CrossedOut]:
        names = sorted(self._named.get(content.kind, set()) & content.regions.keys())
        size = extent(content) if names else None
        if size is None:
            return []
        return [
            CrossedOut(kind=Mark.REGION, boxes=content.regions[name], region=name)
            for name in names
            if is_small(content.regions[name], size)
        ]

    def _same_pictures(self, content: ItemContent) -> list[CrossedOut]:
        known = self._pictures.get(content.kind)
        page = _page(content) if known else None
        if not known or page is None:
            return []
        size = (page.shape[1], page.shape[0])
        return [
            CrossedOut(kind=Mark.REGION, boxes=boxes)
            for (shape, boxes), pictures in known.items()
            if shape == size and any(_alike(_cut(page, boxes), one) for one in pictures)
        ]

    def _add_pictures(self, item: TrainingItem) -> None:
        marks = [mark for mark in item.crossed_out if mark.kind is Mark.REGION and not mark.region and mark.boxes]
        page = _page(item.content) if marks else None
        if page is None:
            return
        size = (page.shape[1], page.shape[0])
        kept = self._pictures.setdefault(item.content.kind, {})
        for mark in marks:
            picture, known = _cut(page, mark.boxes), kept.setdefault((size, mark.boxes), [])
            if is_small(mark.boxes, size) and len(picture) and not any(_alike(picture, one) for one in known):
                known.append(picture)


def is_small(boxes: Sequence[Box], size: tuple[int, int]) -> bool:
    """Return whether rectangles cover at most `LARGEST_PLANTED` of a screenshot of this width and height."""
    return sum(width * height for _, _, width, height in boxes) <= LARGEST_PLANTED * size[0] * size[1]


def _words(item: TrainingItem) -> set[str]:
    fields = {"title": item.content.title, "text": item.content.text}
    marks = [mark for mark in item.crossed_out if mark.kind is Mark.WORD and mark.field in fields]
    return {fields[mark.field][mark.start : mark.end].casefold() for mark in marks}


def _names(item: TrainingItem) -> set[str]:
    return {mark.region for mark in item.crossed_out if mark.kind is Mark.REGION and mark.region}


def extent(content: ItemContent) -> tuple[int, int] | None:
    """Return the screenshot's width and height without decoding it; None where it cannot be read."""
    if content.capture is None:
        return None
    try:
        with Image.open(Path(content.capture), formats=["PNG"]) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _page(content: ItemContent) -> _Pixels | None:
    """Return the screenshot as (height, width, 3) bytes; None where it cannot be read."""
    if content.capture is None:
        return None
    try:
        with opened(Path(content.capture)) as image:
            return np.asarray(on_paper(image))
    except DAMAGE:
        return None


def _cut(page: _Pixels, boxes: Sequence[Box]) -> _Pixels:
    """Return the (n, 3) pixels inside of rectangles."""
    parts = [
        page[math.floor(y) : math.ceil(y + height), math.floor(x) : math.ceil(x + width)].reshape(-1, 3)
        for x, y, width, height in boxes
    ]
    return np.concatenate(parts)


def _alike(one: _Pixels, other: _Pixels) -> bool:
    return float(np.abs(one.astype(np.int16) - other).mean()) <= ALIKE
