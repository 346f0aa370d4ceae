"""How alike two arithmetics must be for one to stand for the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.models.spec import HeadSpec
from engine.models.verdicts import THRESHOLD

PROBE_ITEMS = 200
"""So many items are scored in full precision before anything faster is tried on the same items."""
LEAST_OF_A_TASK = 32
"""A task that applies to fewer of the probe's items than this is judged by all of them: its own are too few to tell."""
AGREEMENT = 0.995
DIFFERENCE = 0.01


@dataclass(frozen=True)
class Likeness:
    """How alike two tables of probabilities are: the share of equal answers, and the mean difference."""

    agreement: float
    difference: float

    @property
    def enough(self) -> bool:
        """Whether one may stand for the other."""
        return self.agreement >= AGREEMENT and self.difference < DIFFERENCE


def alike(reference: NDArray[np.float64], other: NDArray[np.float64], head: HeadSpec, kinds: Sequence[str]) -> Likeness:
    """How alike two (n, L) tables of probabilities are: one answer an item, or in a multi-label task one a label.

    `kinds` are the n items'. Answers about items of a kind that the task does not apply to do not count: nobody ever
    sees them.
    """
    asked = np.array([not head.applies_to or kind in head.applies_to for kind in kinds], dtype=bool)
    if asked.sum() >= LEAST_OF_A_TASK:
        reference, other = reference[asked], other[asked]
    if head.multi:
        same = (reference >= THRESHOLD) == (other >= THRESHOLD)
    else:
        same = reference.argmax(axis=1) == other.argmax(axis=1)
    return Likeness(float(same.mean()), float(np.abs(reference - other).mean()))
