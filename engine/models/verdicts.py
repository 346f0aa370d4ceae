"""From a head's logits to calibrated probabilities and verdicts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.models.spec import HeadSpec
from engine.types import Verdict

THRESHOLD = 0.5
"""A label of a multi-label task is part of the verdict from this probability on."""


def calibrated(logits: NDArray[np.floating], head: HeadSpec, temperature: float = 1.0) -> NDArray[np.float64]:
    """(n, L) logits to probabilities after temperature scaling (Guo et al. 2017, section 4.2).

    Softmax over a single-label task's labels, a sigmoid per label of a multi-label one.
    """
    scaled = logits.astype(np.float64) / temperature
    if head.multi:
        answer: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * scaled))
        return answer
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return shares


def verdict(item: str, model: str, head: HeadSpec, probabilities: NDArray[np.float64]) -> Verdict:
    """What a model with this id says of an item, from the (L,) probabilities of a task's labels."""
    best = int(probabilities.argmax())
    chosen = tuple(label for label, value in zip(head.labels, probabilities, strict=True) if value >= THRESHOLD)
    return Verdict(
        item=item,
        task=head.task,
        model=model,
        label=head.labels[best],
        probability=float(probabilities[best]),
        labels=chosen if head.multi else (head.labels[best],),
        probabilities={label: float(value) for label, value in zip(head.labels, probabilities, strict=True)},
    )
