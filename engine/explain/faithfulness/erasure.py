"""What hiding evidence does to a probability: deletion, insertion, comprehensiveness, sufficiency and their AOPC.

All of it is asked through one function, from masks (n, features), True where a feature is kept, to the probability of
the explained label, (n,). An order is the features' numbers, the one that speaks most for the label first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

Masks = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]
Order = npt.NDArray[np.intp]
Ask = Callable[[Masks], Values]

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
"""Shares of the words that are taken for the rationale (DeYoung et al. 2020, section 4.2)."""


class Erasure(msgspec.Struct, frozen=True):
    """What a probability loses: `comprehensiveness` without the rationale, `sufficiency` with it alone, in [-1, 1]."""

    comprehensiveness: float
    sufficiency: float


def by_weight(weights: Values, random: np.random.Generator) -> Order:
    """Features by falling weight, equal ones in random order, so that none wins by where it stands in the item."""
    return np.lexsort((random.random(len(weights)), -weights))


def deletion_masks(order: Order) -> Masks:
    """(features + 1, features): row i hides the first i features of the order."""
    ranks = np.argsort(order)
    return ranks[None, :] >= np.arange(len(order) + 1)[:, None]


def deletion(order: Order, ask: Ask) -> float:
    """The area under the probability while features are hidden one by one, in [0, 1]; lower is better.

    Petsiuk, Das and Saenko 2018, "RISE", section 4.1. One step is one superpixel, not a number of pixels: steps have
    the same width, whatever the superpixels' areas, and hiding is what the explanation itself means by it.
    """
    return area(ask(deletion_masks(order)))


def insertion(order: Order, ask: Ask) -> float:
    """The area while features are shown one by one, from none on, in [0, 1]; higher is better (RISE, section 4.1)."""
    return area(ask(~deletion_masks(order)))


def area(values: Values) -> float:
    """The area under values at equal distances over [0, 1], by the trapezoid rule."""
    return float(np.trapezoid(values, dx=1 / (len(values) - 1)))


def count_of(share: float, features: int) -> int:
    """How many features a share stands for: rounded up, so that it is one at least."""
    return min(features, max(1, math.ceil(share * features - 1e-9)))


def erasure(rationale: Masks, ask: Ask) -> Erasure:
    """Comprehensiveness p(x) − p(x without r) and sufficiency p(x) − p(r alone) of a rationale, (features,).

    DeYoung et al. 2020, section 4.2, equations 1 and 2. A faithful rationale has a high comprehensiveness and a
    sufficiency near 0.
    """
    whole, without, alone = ask(np.stack([np.ones_like(rationale), ~rationale, rationale]))
    return Erasure(float(whole - without), float(whole - alone))


def aopc(order: Order, ask: Ask, shares: Sequence[float] = SHARES) -> Erasure:
    """Comprehensiveness and sufficiency, the mean over rationales of growing size: the first `shares` of the order.

    "Area over the perturbation curve", DeYoung et al. 2020, section 4.2, equation 3, over the paper's bins. As in the
    published code it is the mean over these, without the empty rationale, which loses nothing. Shares that come to the
    same number of words are asked once, and count as often as there are of them.
    """
    features = len(order)
    counts = [count_of(share, features) for share in shares]
    hidden = deletion_masks(order)
    distinct = sorted(set(counts))
    answers = ask(np.concatenate([hidden[:1], hidden[distinct], ~hidden[distinct]]))
    whole, rest = answers[0], answers[1:].reshape(2, len(distinct))
    places = [distinct.index(count) for count in counts]
    lost = whole - rest[:, places].mean(axis=1)
    return Erasure(float(lost[0]), float(lost[1]))
