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
from engine.models.workers import one_core

Answer = tuple[npt.NDArray[np.intp], Tensor] | None


class Part(Protocol):
    """What can be hidden piece by piece: the words, or the superpixels."""

    features: int

    def design(self, samples: int, seed: int) -> Design:
        """What to ask about, at most `samples` rows unless there is no more to know."""

    def answers(self, masks: Masks, first: int) -> Iterator[Answer]:
        """Numbers of rows and what the part's backbone gives of them, (n, D); None after work of 100 ms at most.

        The `first` rows come first, and those after them only where it pays to ask about all in one go.
        """


class InBatches(Protocol):
    """A part that looks at its rows batch by batch."""

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in batches that take 100 ms at most."""

    def vectors(self, masks: Masks) -> Tensor:
        """What the part's backbone gives of every row, (n, D)."""


def in_batches(part: InBatches, masks: Masks) -> Iterator[Answer]:
    """What a part gives of its rows."""
    for rows in part.batches(masks):
        yield rows, part.vectors(masks[rows])


class Sampler:
    """The vectors of a design's rows, filled from the first row on; what was asked once is never asked again."""

    def __init__(self, part: Part, design: Design) -> None:
        self.part, self.design = part, design
        self._distinct, self._first, inverse = np.unique(design.masks, axis=0, return_index=True, return_inverse=True)
        self._which = torch.from_numpy(inverse.reshape(-1))
        self._asked = np.zeros(len(self._distinct), dtype=bool)
        self._found: Tensor | None = None
        self._begun: Iterator[None] = iter(())
        self.samples = 0

    def extend(self, samples: int, ahead: int = 0) -> Iterator[None]:
        """Answer the first `samples` rows; yields often, so that the caller can stop or do other work.

        Where it pays, those before row number `ahead` are begun, too: whoever asks for them then waits for less.
        """
        samples = min(samples, len(self.design.masks))
        while self._missing(0, samples).size:
            for _ in self._begun:
                yield
                if not self._missing(0, samples).size:
                    break
            else:
                self._begun = self._answer(self._missing(0, samples), self._missing(samples, ahead))
        self.samples = max(samples, self.samples)

    def vectors(self, start: int, stop: int) -> Tensor:
        """(stop - start, D) of rows that are answered."""
        assert self._found is not None, "nothing was asked yet"
        with one_core():  # the others may be at work on the next rows
            return self._found[self._which[start:stop]]

    def _missing(self, start: int, stop: int) -> npt.NDArray[np.intp]:
        """Distinct rows that are not answered yet and come first in these rows of the design."""
        return np.flatnonzero(~self._asked & (self._first >= start) & (self._first < stop))

    def _answer(self, now: npt.NDArray[np.intp], later: npt.NDArray[np.intp]) -> Iterator[None]:
        rows = np.concatenate([now, later])
        for answer in self.part.answers(self._distinct[rows], len(now)):
            if answer is not None:
                with one_core():
                    self._keep(rows[answer[0]], answer[1])
            yield

    def _keep(self, rows: npt.NDArray[np.intp], vectors: Tensor) -> None:
        if self._found is None:
            self._found = vectors.new_zeros((len(self._distinct), vectors.shape[1]))
        self._found[torch.from_numpy(rows)] = vectors
        self._asked[rows] = True
