"""Asking a model about masked versions of a part, a small batch at a time, every distinct version once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.explain.model import Values
from engine.explain.surrogate import Masks, Surrogate, fit

UNMOVED = 1e-6
"""Probabilities that differ by less than this are equal: rounding differs between batches by up to 1e-7."""


class Part(Protocol):
    """What can be hidden piece by piece: the words, or the superpixels."""

    features: int

    def masks(self, samples: int, seed: int) -> Masks:
        """The design, (samples, features)."""

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in batches that take 100 ms at most."""

    def probabilities(self, masks: Masks) -> Values:
        """The explained label's probability for every row."""


class Sampler:
    """The answers to a design, filled from the first row on; what was asked once is never asked again."""

    def __init__(self, part: Part, samples: int, seed: int) -> None:
        self._part = part
        self._masks = part.masks(samples, seed)
        self._distinct, first, inverse = np.unique(self._masks, axis=0, return_index=True, return_inverse=True)
        self._first, self._which = first, inverse.reshape(-1)
        self._values = np.full(len(self._distinct), np.nan)
        self._done = 0

    @property
    def samples(self) -> int:
        """How many rows of the design are answered."""
        return self._done

    @property
    def unmoved(self) -> bool:
        """Whether hiding things made no difference so far."""
        answered = self._values[self._which[: self._done]]
        return bool(np.ptp(answered) < UNMOVED) if len(answered) else True

    def extend(self, samples: int) -> Iterator[None]:
        """Answer the first `samples` rows; yields after every batch, so that the caller can stop or do other work."""
        samples = min(samples, len(self._masks))
        if self.unmoved and self._done:
            return
        missing = np.flatnonzero(np.isnan(self._values) & (self._first < samples))
        for rows in self._part.batches(self._distinct[missing]):
            self._values[missing[rows]] = self._part.probabilities(self._distinct[missing[rows]])
            yield
        self._done = samples

    def surrogate(self, width: float) -> Surrogate | None:
        """The linear model of the rows that are answered; None where the probability never moved."""
        if self.unmoved:
            return None
        return fit(self._masks[: self._done], self._values[self._which[: self._done]], width)
