"""What a model sees of a screenshot while some of its superpixels are hidden: one input less a few small changes.

Everything here is numpy's, row by row and on one core, so that as many threads as there are cores can make inputs
without waiting for one another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import sparse
from torch import Tensor

from engine.explain.hiding import Change, changes
from engine.explain.model import Question
from engine.explain.screenshot import screenshot
from engine.explain.superpixels import Superpixels, grid_size, superpixels
from engine.explain.surrogate import Masks
from engine.models.images import in_bytes
from engine.models.spec import ImageSpec
from engine.types import ItemContent

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


class Page(NamedTuple):
    """A whole screenshot in RGB, and its superpixels."""

    screenshot: Image.Image
    superpixels: Superpixels


class Perturbed:
    """The superpixels of one screenshot, and the model's inputs while some are hidden.

    `visible` are the numbers of the segments that are features: those that look the same when hidden are none. For
    `paint_plain` see `engine.explain.hiding`; `page` is there where the screenshot was read and cut already.

    Raises:
        InputError: the screenshot cannot be read any more.
    """

    def __init__(
        self, question: Question, pixels: Floats, *, paint_plain: bool = True, page: Page | None = None
    ) -> None:
        """`pixels` (3, S, S) in [0, 1] are the whole screenshot as the model sees it."""
        spec = msgspec.convert(question.model.card.network.get("image", {}), ImageSpec)
        spec = msgspec.structs.replace(spec, size=pixels.shape[-1])
        picture, self.superpixels = page or page_of(question.content)
        self._seen = pixels
        self._changes = changes(question.content, self.superpixels, spec, picture, paint_plain=paint_plain)
        self._base = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        self._taken = _sparse(self._changes, self._base.shape)
        self.visible = tuple(change.segment for change in self._changes)

    @property
    def size(self) -> int:
        """S."""
        return len(self._base)

    def inputs(self, masks: Masks) -> Tensor:
        """The model's inputs, (n, 3, S, S), channels last in memory, for n rows."""
        return torch.from_numpy(np.stack(list(self._rows(masks)))).permute(0, 3, 1, 2)

    def squares(self, masks: Masks) -> list[Bytes]:
        """The same as n times (S, S, 3) bytes, rounded."""
        return [in_bytes(row) for row in self._rows(masks)]

    @property
    def hiding(self) -> tuple[Tensor, list[tuple[slice, slice, Tensor]]]:
        """The unperturbed input, (3, S, S), and per feature the rows, columns and values that hiding it takes away."""
        taken = [(change.rows, change.columns, torch.from_numpy(change.values)) for change in self._changes]
        return torch.from_numpy(self._seen), taken

    def _rows(self, masks: Masks) -> Iterator[Floats]:
        for mask in masks:
            yield self._base - (self._taken @ (~mask).astype(np.float32)).reshape(self._base.shape)


def page_of(content: ItemContent) -> Page:
    """An item's screenshot, cut into superpixels; raises `InputError` where it cannot be read."""
    image = screenshot(content)
    small = image.resize(grid_size(image.width, image.height), Image.Resampling.BOX)
    cells = np.asarray(small, dtype=np.float64) / 255
    return Page(image, superpixels(cells, image.width, image.height, content.regions))


def _sparse(found: Sequence[Change], shape: tuple[int, ...]) -> sparse.csc_array:
    """What hiding takes away from an input, (S · S · 3, features), most of them 0."""
    places = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    values, numbers = [np.empty(0, np.float32)], [np.empty(0, np.int32)]
    for change in found:
        own = change.values.transpose(1, 2, 0)
        seen = own != 0
        values.append(own[seen])
        numbers.append(places[change.rows, change.columns][seen])
    starts = np.cumsum([len(own) for own in values])
    return sparse.csc_array((np.concatenate(values), np.concatenate(numbers), starts), shape=(places.size, len(found)))
