"""Comparing two ways of training seed by seed: paired tests on few differences, and what many comparisons cost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np


def paired_t(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of the paired t-test; 1 for fewer than two differences, or where all are zero.

    Differences that are all the same, but not zero, give 0.
    """
    from scipy.special import stdtr

    if len(differences) < 2 or not any(differences):
        return 1.0
    values = np.asarray(differences, dtype=np.float64)
    error = values.std(ddof=1) / np.sqrt(len(values))
    if not error:
        return 0.0
    return float(2 * stdtr(len(values) - 1, -abs(values.mean()) / error))


def sign_permutations(differences: Sequence[float]) -> float:
    """Return the exact two-sided p-value of the paired permutation test: the share of sign patterns as extreme.

    With n differences it can be no less than 2 / 2^n: 0.0625 for five, 0.031 for six. Meant for at most twenty.

    Source: Fisher 1935, "The Design of Experiments", section 21.
    """
    values = np.asarray(differences, dtype=np.float64)
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(values))))
    sums = np.abs((signs * values).sum(axis=1))
    return float((sums >= sums[0] * (1 - 1e-9)).mean())


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values in [0, 1] corrected for having looked at all of them (Holm 1979)."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted
