"""Asking a model about masked versions of a part, a small batch at a time, every distinct version once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.explain.designs import Design
from engine.explain.surrogate import Masks


class Part(Protocol):
    """What can be hidden piece by piece: the words, or the superpixels."""

    features: int

    def design(self, samples: int, seed: int) -> Design:
        """What to ask about, at most `samples` rows unless there is no more to know."""

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in batches that take 100 ms at most."""

    def vectors(self, masks: Masks) -> Tensor:
        """What the part's backbone gives of every row, (n, D)."""


class Sampler:
    """The vectors of a design's rows, filled from the first row on; what was asked once is never asked again."""

    def __init__(self, part: Part, design: Design) -> None:
        self.part, self.design = part, design
        self._distinct, self._first, inverse = np.unique(design.masks, axis=0, return_index=True, return_inverse=True)
        self._which = torch.from_numpy(inverse.reshape(-1))
        self._asked = np.zeros(len(self._distinct), dtype=bool)
        self._found: Tensor | None = None
        self.samples = 0

    def extend(self, samples: int) -> Iterator[None]:
        """Answer the first `samples` rows; yields after every batch, so that the caller can stop or do other work."""
        samples = min(samples, len(self.design.masks))
        missing = np.flatnonzero(~self._asked & (self._first < samples))
        for rows in self.part.batches(self._distinct[missing]):
            self._keep(missing[rows])
            yield
        self.samples = max(samples, self.samples)

    def vectors(self, start: int, stop: int) -> Tensor:
        """(stop - start, D) of rows that are answered."""
        assert self._found is not None, "nothing was asked yet"
        return self._found[self._which[start:stop]]

    def _keep(self, rows: npt.NDArray[np.intp]) -> None:
        vectors = self.part.vectors(self._distinct[rows])
        if self._found is None:
            self._found = vectors.new_zeros((len(self._distinct), vectors.shape[1]))
        self._found[torch.from_numpy(rows)] = vectors
        self._asked[rows] = True
