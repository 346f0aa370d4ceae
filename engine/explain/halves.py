"""How well the weights from two independent halves of the samples agree: a rule for all methods that draw samples."""

from __future__ import annotations

import numpy as np

from engine.explain.surrogate import Values

FEWEST_FEATURES = 4
"""Between fewer weights a correlation says nothing: halves that are nothing but noise agree by 0.9 or more every second
time over two features, where it is always 1 or -1, and every seventh time over three. Over four it is once in twenty: a
correlation of noise is then as likely to be anything between -1 and 1 (Student 1908, "Probable error of a correlation
coefficient").
"""
UNMOVED = 1e-6
"""Probabilities that differ by less than this are equal: rounding differs between batches by up to 1e-7."""


def agreement(one: Values, other: Values) -> float | None:
    """Pearson's correlation of two halves' weights, (features,), in [-1, 1]; None of too few, or of equal ones."""
    if len(one) < FEWEST_FEATURES or min(np.ptp(one), np.ptp(other)) < UNMOVED:
        return None
    return float(np.corrcoef(one, other)[0, 1])
