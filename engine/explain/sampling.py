"""Asking a model about masked versions of a part, a small batch at a time, every distinct version once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.explain.designs import Design
from engine.explain.surrogate import Masks, Values
from engine.models.workers import one_core

Answer = tuple[npt.NDArray[np.intp], Tensor] | None


class Part(Protocol):
    """What can be hidden piece by piece: the words, or the superpixels."""

    features: int

    def design(self, samples: int, seed: int) -> Design:
        """What to ask about, at most `samples` rows unless there is no more to know."""

    def answers(self, masks: Masks, stops: Sequence[int]) -> Generator[Answer, None, None]:
        """Numbers of rows and what the part's backbone gives of them, (n, D); None after work of 100 ms at most.

        Those before the first stop come first; those before the others, and more, only where it pays to ask about them
        in one go.
        """


class Telling(Protocol):
    """A part that can be asked about alone, the other one being as it is."""

    def answers(self, masks: Masks, stops: Sequence[int]) -> Generator[Answer, None, None]:
        """As of any part."""

    def answer(self, vectors: Tensor) -> Values:
        """The explained label's probability, (n,), for (n, D) vectors."""


class InBatches(Protocol):
    """A part that looks at its rows batch by batch."""

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in batches that take 100 ms at most."""

    def vectors(self, masks: Masks) -> Tensor:
        """What the part's backbone gives of every row, (n, D)."""


def in_batches(part: InBatches, masks: Masks) -> Generator[Answer, None, None]:
    """What a part gives of its rows."""
    for rows in part.batches(masks):
        yield rows, part.vectors(masks[rows])


def asked(part: Telling, masks: Masks, check: Callable[[], None]) -> Values:
    """The explained label's probability of every row, (n,); `check` is called every 100 ms or so, and may raise."""
    found = []
    with closing(part.answers(masks, [len(masks)])) as answers:
        for answer in answers:
            check()
            if answer is not None:
                found.append(answer)
    values = np.empty(len(masks))
    if found:
        rows, vectors = zip(*found, strict=True)
        with one_core():
            values[np.concatenate(rows)] = part.answer(torch.cat(vectors))
    return values


class Sampler:
    """The vectors of a design's rows, filled from the first row on; what was asked once is never asked again."""

    def __init__(self, part: Part, design: Design) -> None:
        self.part, self.design = part, design
        self._first, which = _distinct(design.masks)
        self._distinct = design.masks[self._first]
        self._which = torch.from_numpy(which)
        self._asked = np.zeros(len(self._distinct), dtype=bool)
        self._found: Tensor | None = None
        self._begun = self._nothing()
        self.samples = 0

    def extend(self, samples: int, ahead: int = 0) -> Iterator[None]:
        """Answer the first `samples` rows, and more where they take no more time; yields often, so that the caller can
        stop or do other work.

        Where it pays, those before row number `ahead` are begun, too: whoever asks for them then waits for less, and
        whoever never does closes this.
        """
        while not self._asked[: self._before(samples)].all():
            for _ in self._begun:
                yield
                if self._asked[: self._before(samples)].all():
                    break
            else:
                self._begun = self._answer(samples, ahead)
        answered = len(self._asked) if self._asked.all() else int(self._asked.argmin())
        self.samples = int(self._first[answered]) if answered < len(self._first) else len(self.design.masks)

    def close(self) -> None:
        """Begin nothing any more."""
        self._begun.close()

    def vectors(self, start: int, stop: int) -> Tensor:
        """(stop - start, D) of rows that are answered."""
        assert self._found is not None, "nothing was asked yet"
        with one_core():  # the others may be at work on the next rows
            return self._found[self._which[start:stop]]

    def _before(self, row: int) -> int:
        """How many distinct rows come first before this row of the design."""
        return int(np.searchsorted(self._first, row))

    def _nothing(self) -> Generator[None, None, None]:
        yield from ()

    def _answer(self, samples: int, ahead: int) -> Generator[None, None, None]:
        rows = np.flatnonzero(~self._asked)
        stops = [int(np.searchsorted(rows, self._before(row))) for row in (samples, ahead)]
        with closing(self.part.answers(self._distinct[rows], stops if stops[1] > stops[0] else stops[:1])) as answers:
            for answer in answers:
                if answer is not None:
                    with one_core():
                        self._keep(rows[answer[0]], answer[1])
                yield

    def _keep(self, rows: npt.NDArray[np.intp], vectors: Tensor) -> None:
        if self._found is None:
            self._found = vectors.new_zeros((len(self._distinct), vectors.shape[1]))
        self._found[torch.from_numpy(rows)] = vectors
        self._asked[rows] = True


def _distinct(masks: Masks) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where each distinct row of (n, features) comes first, in this order, and which of them every row is, (n,).

    Rows are compared with eight features in a byte, which takes a tenth of the time.
    """
    bits = np.ascontiguousarray(np.packbits(masks, axis=1))
    rows = bits.view(np.dtype((np.void, bits.shape[1]))).reshape(-1)
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[which.reshape(-1)]
