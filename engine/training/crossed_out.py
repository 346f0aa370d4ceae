"""What reviewers crossed out, in training: hidden from its own item, planted on others; labels stay as they are.

These are the counterexamples of Teso and Kersting 2019, "Explanatory interactive machine learning" (CAIPI, section 3):
what is no reason for a label may change without the label. Hiding takes a wrong reason from an item that has it.
Planting gives it to items that lack it, so that it also loses its worth where nobody crossed it out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from engine.models.spec import MEAN, NONE, ImageSpec, NetworkSpec
from engine.models.text import fields_of, model_text
from engine.models.tokenizer import TextTokenizer
from engine.training.data import Examples, Inputs
from engine.training.device import derived_seed
from engine.training.recipe import CrossedOutRecipe
from engine.types import Mark, TrainingItem

LARGEST_PLANTED = 0.25
"""Regions that cover more of the screenshot are not planted: they would hide what the other item's label rests on."""

_REACH = 1.0
"""How far resizing spreads a pixel, in pixels of the network's square."""

Cells = tuple[tuple[int, int, int, int], ...]
"""Rectangles in the network's square: left, top, right, bottom in whole pixels, right and bottom exclusive."""


@dataclass(frozen=True)
class Copy:
    """Put the pixels at `cells` in place of the batch's image `place`; None: the mean colour."""

    place: int
    cells: Cells
    pixels: Tensor | None


class CrossedOutParts:
    """The crossed-out parts of the items that `examples` holds, in the same order.

    `inputs` gives what the network sees of a batch: each item's parts hidden or not, others' parts planted or not, by
    chance and as the recipe says. The same rows, seed and place in the run always give the same.
    """

    def __init__(
        self,
        items: Sequence[TrainingItem],
        examples: Examples,
        spec: NetworkSpec,
        tokenizer: TextTokenizer | None,
        settings: CrossedOutRecipe,
    ) -> None:
        self._items = items
        self._examples = examples
        self._tokenizer = tokenizer
        self._settings = settings
        self._marked = {row: item for row, item in enumerate(items) if item.crossed_out}
        pictured = spec.image.backbone != NONE
        cells = {row: cells_of(item, spec.image) for row, item in self._marked.items()} if pictured else {}
        words = {row: words_of(item) for row, item in self._marked.items()} if tokenizer is not None else {}
        self.cells = {row: found for row, found in cells.items() if found}
        self.words = {row: found for row, found in words.items() if found}
        room = LARGEST_PLANTED * spec.image.size**2
        self._small = {row for row, found in self.cells.items() if _area(found) <= room}
        self._sources = sorted(self._small | set(self.words))

    def inputs(self, rows: Sequence[int], seed: int, step: int) -> Inputs:
        """Return what the network sees of these rows in this step."""
        generator = torch.Generator().manual_seed(derived_seed(seed, "crossed out", step, rows[0]))
        texts: dict[int, str] = {}
        copies: list[Copy] = []
        for place, row in enumerate(rows):
            text = before = model_text(self._items[row].content)
            if row in self._marked and self._chance(self._settings.hide, generator):
                copies += self._hidden(place, row, rows, generator)
                text = without(text, self.words.get(row, ()))
            if self._sources and self._chance(self._settings.plant, generator):
                source = self._other(row, self._sources, generator)
                copies += self._planted(place, source)
                text = self._with_word(text, source, generator)
            if text != before and text.strip():
                texts[place] = text
        inputs = self._examples.inputs(rows, self._encoded(texts))
        return Inputs(inputs.text, painted(inputs, copies), inputs.with_image)

    def _hidden(self, place: int, row: int, rows: Sequence[int], generator: torch.Generator) -> list[Copy]:
        """Fill what was crossed out with the same place of another item: a flat patch would be a sign of its own."""
        if row not in self.cells:
            return []
        other = self._other(row, [one for one in rows if one not in self.cells], generator)
        return [Copy(place, self.cells[row], self._pixels(other))]

    def _planted(self, place: int, source: int | None) -> list[Copy]:
        pixels = self._pixels(source) if source in self._small else None
        return [Copy(place, self.cells[source], pixels)] if source is not None and pixels is not None else []

    def _with_word(self, text: str, source: int | None, generator: torch.Generator) -> str:
        """Return the text with a word that was crossed out elsewhere, at its beginning or its end."""
        spans = self.words.get(source, ()) if source is not None else ()
        if source is None or not spans or not text.strip():
            return text
        start, end = spans[_drawn(len(spans), generator)]
        word = model_text(self._items[source].content)[start:end]
        return f"{word} {text}" if self._chance(0.5, generator) else f"{text} {word}"

    def _other(self, row: int, among: Sequence[int], generator: torch.Generator) -> int | None:
        """Return a row of another item of the same kind with another label; None where there is none."""
        if not among:
            return None
        own, first = self._items[row], _drawn(len(among), generator)
        for number in (*among[first:], *among[:first]):
            other = self._items[number]
            if other.content.kind == own.content.kind and differ(own.labels, other.labels):
                return number
        return None

    def _pixels(self, row: int | None) -> Tensor | None:
        """Return (3, S, S) pixels in [0, 1] of a row's screenshot; None where it has none."""
        square = self._examples.square(row) if row is not None else None
        return None if square is None else torch.from_numpy(square).permute(2, 0, 1).float().div_(255)

    def _encoded(self, texts: Mapping[int, str]) -> dict[int, list[int]]:
        if self._tokenizer is None or not texts:
            return {}
        return dict(zip(texts, self._tokenizer.encode(list(texts.values())), strict=True))

    def _chance(self, share: float, generator: torch.Generator) -> bool:
        return float(torch.rand(1, generator=generator)) < share


def painted(inputs: Inputs, copies: Sequence[Copy]) -> Tensor:
    """Return the batch's pixels with the copies in them, one after the other; items without a screenshot have none."""
    if not copies:
        return inputs.pixels
    pixels = inputs.pixels.clone(memory_format=torch.preserve_format)
    numbers = {place: number for number, place in enumerate(inputs.with_image.nonzero().squeeze(1).tolist())}
    mean = torch.tensor(MEAN).view(3, 1, 1)
    for copy in copies:
        if copy.place in numbers:
            for left, top, right, bottom in copy.cells:
                source = mean if copy.pixels is None else copy.pixels[:, top:bottom, left:right]
                pixels[numbers[copy.place], :, top:bottom, left:right] = source
    return pixels


def cells_of(item: TrainingItem, spec: ImageSpec) -> Cells:
    """Return what is crossed out of an item's screenshot, in the network's square, rounded outwards.

    Every pixel of the square that has a share in a crossed-out one lies inside. Empty where nothing is crossed out, or
    the screenshot cannot be read.
    """
    boxes = [box for mark in item.crossed_out if mark.kind is Mark.REGION for box in mark.boxes]
    if not boxes or item.content.capture is None:
        return ()
    try:
        with Image.open(Path(item.content.capture), formats=["PNG"]) as image:
            width, height = image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return ()
    across, down = spec.size / width, spec.size / max(height - spec.crop_top, 1)
    found = []
    for x, y, wide, high in boxes:
        left, right = math.floor(x * across - _REACH), math.ceil((x + wide) * across + _REACH)
        top = math.floor((y - spec.crop_top) * down - _REACH)
        bottom = math.ceil((y + high - spec.crop_top) * down + _REACH)
        cell = (max(left, 0), max(top, 0), min(right, spec.size), min(bottom, spec.size))
        if cell[0] < cell[2] and cell[1] < cell[3] and y + high > spec.crop_top:
            found.append(cell)
    return tuple(found)


def words_of(item: TrainingItem) -> tuple[tuple[int, int], ...]:
    """Return where the crossed-out words stand in the item's model text: starts and exclusive ends, in order."""
    starts = {span.field: span.start for span in fields_of(item.content)}
    marks = [mark for mark in item.crossed_out if mark.kind is Mark.WORD and mark.field in starts]
    return tuple(sorted((starts[mark.field] + mark.start, starts[mark.field] + mark.end) for mark in marks))


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return the text without the characters of these spans."""
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return text


def _area(cells: Cells) -> int:
    return sum((right - left) * (bottom - top) for left, top, right, bottom in cells)


def _drawn(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator))


def differ(one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether two items have different labels in a task that both answer."""
    return any(one[task] != other[task] for task in one.keys() & other.keys())
