"""Temperature scaling: one number per task that makes probabilities mean what they say."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

LOWEST, HIGHEST = 0.1, 10.0
PRIOR_WIDTH = 1.0
"""Standard deviation of log T before any item was seen."""

_GOLDEN = (math.sqrt(5) - 1) / 2


def negative_log_likelihood(logits: _Floats, truth: _Floats, temperature: float, *, multi: bool) -> float:
    """Return the summed loss of (n, L) logits divided by the temperature; `truth` is 0 or 1 for each label."""
    scaled = logits / temperature
    if multi:
        return float((np.logaddexp(0, scaled) - truth * scaled).sum() / max(logits.shape[1], 1))
    largest = scaled.max(axis=1, keepdims=True)
    normaliser = largest[:, 0] + np.log(np.exp(scaled - largest).sum(axis=1))
    return float((normaliser - (scaled * truth).sum(axis=1)).sum())


def fit_temperature(logits: _Floats, truth: _Floats, *, multi: bool) -> float:
    """Return the temperature in [0.1, 10] that suits these validation items best; 1 for no items.

    Temperature scaling (Guo et al. 2017, section 4.2) with a mild log-normal prior around 1: with the few dozen
    validation items of a young workspace all may be answered right, and the plain likelihood would then ask for
    endless certainty. With many items the prior weighs nothing. Found by golden-section search over log T.
    """
    if not len(logits):
        return 1.0

    def cost(log_temperature: float) -> float:
        prior = 0.5 * (log_temperature / PRIOR_WIDTH) ** 2
        return negative_log_likelihood(logits, truth, math.exp(log_temperature), multi=multi) + prior

    low, high = math.log(LOWEST), math.log(HIGHEST)
    for _ in range(60):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if cost(left) <= cost(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)
