"""How alike two arithmetics must be for one to stand for the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.models.spec import HeadSpec
from engine.models.verdicts import THRESHOLD

PROBE_ITEMS = 200
"""So many items are scored in full precision before anything faster is tried on the same items."""
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


def alike(reference: NDArray[np.float64], other: NDArray[np.float64], head: HeadSpec) -> Likeness:
    """How alike two (n, L) tables of probabilities are: one answer an item, or in a multi-label task one a label."""
    if head.multi:
        same = (reference >= THRESHOLD) == (other >= THRESHOLD)
    else:
        same = reference.argmax(axis=1) == other.argmax(axis=1)
    return Likeness(float(same.mean()), float(np.abs(reference - other).mean()))
