"""Many items out of few, to choose an arithmetic by: versions of which half of the words and of the picture is hidden.

Explanations ask about such versions (`engine.explain`): an arithmetic that agrees on them may answer what they ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from engine.models.decoding import Decoded

GRID = 7
"""A screenshot is hidden in so many rows of so many cells: about as large as the superpixels of a page."""


def with_versions(items: Iterable[Decoded], count: int) -> Iterator[Decoded]:
    """The items as they are, at least one, then versions of each in turn until there are `count`; always the same."""
    random, whole = RandomState(0), []
    for item in items:
        whole.append(item)
        yield item
    for at in range(count - len(whole)):
        content, square = whole[at % len(whole)]
        title, text = (_some_words(field, random) for field in (content.title, content.text))
        shorter = msgspec.structs.replace(content, title=title, text=text)
        yield shorter, None if square is None else _some_cells(square, random)


def _some_words(text: str, random: RandomState) -> str:
    return " ".join(word for word in text.split() if random.random_sample() < 0.5)


def _some_cells(square: NDArray[np.uint8], random: RandomState) -> NDArray[np.uint8]:
    """A copy in which half of the cells have their mean colour alone, as LIME hides superpixels."""
    edges, left = np.linspace(0, len(square), GRID + 1).astype(int), square.copy()
    for row, column in np.argwhere(random.random_sample((GRID, GRID)) < 0.5):
        cell = left[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
        cell[:] = cell.mean(axis=(0, 1)).round()
    return left
