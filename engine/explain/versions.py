"""The versions of a text that LIME would draw without end, and the linear model nearest to what is said of them.

LIME draws a uniform number of hidden words and counts each version by the exponential kernel (Ribeiro, Singh and
Guestrin 2016, section 3). Here are all versions of a few words, and some thousand that stand for them of more.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import special

from engine.explain.designs import listed
from engine.explain.surrogate import TEXT_KERNEL_WIDTH, Masks, Values, kernel

Signs = npt.NDArray[np.float32]
"""1 where a word is kept, -1 where it is hidden: 32 bits hold that exactly, in half of the memory to go through."""

VERSIONS, HALF_VERSIONS, FEW_VERSIONS = 16384, 4096, 400
"""About so many versions stand for all in LIME's sampling: for weights, for those of few answers, for errors.
With 8,192 for weights 0.006 less of the five strongest words were those of `lime`, on 120 posts; with more no more.
"""
FEWEST_DRAWN = 11
"""Of up to so many words there are no more versions than that."""
REMEMBERED = 48
"""Targets that are kept, up to 66 kB each for every word: texts of as many words have the same ones."""
TINY = 1e-12


class Target:
    """Versions of a text: `signs` (m, features), what each counts, `counts` (m,), and the share of its words that is
    `left` (m,). Every `together` versions in a row were drawn together; 0 says that these are all versions there are.
    """

    def __init__(self, masks: Masks, counts: Values, together: int) -> None:
        """Versions (m, features) that count (m,)."""
        self.signs = signs_of(masks)
        self.left: Values = masks.mean(axis=1)
        self.counts, self.together = counts / counts.sum(), together
        counted = self.signs.T * self.counts.astype(np.float32)
        self._mean: Signs = counted.sum(axis=1)
        moments = (counted @ self.signs).astype(np.float64) - np.outer(self._mean, self._mean)
        self._inverse: Values = 2 * np.linalg.inv(moments)

    def weights(self, values: Values) -> Values:
        """Those of the linear model nearest to a function's values (m,), (features,), to 0.0001 of the largest."""
        counted = (self.counts * self.centred(values)).astype(np.float32)
        found: Values = self._inverse @ (counted @ self.signs)
        return found

    def onto(self, slopes: Values) -> Values:
        """(features, m): times changes of values that are `slopes` (m,) times as large, the changes of weights."""
        found: Values = self._inverse @ ((self.signs - self._mean) * (self.counts * slopes)[:, None]).T
        return found

    def open(self, values: Values, weights: Values) -> Values:
        """What the linear model leaves open of values (m,), (m,)."""
        return self.centred(values - self.signs @ (weights / 2).astype(np.float32))

    def centred(self, values: Values) -> Values:
        """Values (m,) less their mean."""
        found: Values = values - self.counts @ values
        return found

    def variances(self, left: Values) -> Values:
        """What versions that were not drawn may change in weights, (features,): from what these leave open, (m,)."""
        if not self.together:
            return np.zeros(len(self._inverse))
        features = len(self._inverse)
        counted = (self.counts * left).astype(np.float32).reshape(-1, 1, self.together)
        drawn = np.matmul(counted, self.signs.reshape(-1, self.together, features))[:, 0]
        found: Values = np.square(drawn @ self._inverse).sum(axis=0)
        return found

    @cached_property
    def threes(self) -> Signs:
        """(m, m): `alike_in_threes` of all versions, which are few."""
        return alike_in_threes(self.signs, self.signs)


def signs_of(masks: Masks) -> Signs:
    """(m, features)"""
    return np.where(masks, np.float32(1), np.float32(-1))


def alike_in_threes(some: Signs, others: Signs) -> Signs:
    """How alike what three words do only together is in two versions, (m, n): 1 of one with itself; 0 of two words."""
    features = some.shape[1]
    alike = some @ others.T
    alike *= alike * alike - (3 * features - 2)
    alike /= max(6 * special.comb(features, 3), 1)
    return alike


def sizes_of(features: int) -> Values:
    """What all versions with 0, 1, … `features` words hidden count together in `lime_text`'s limit, (features + 1,)."""
    kept = 1 - np.arange(features + 1) / features
    shares = kernel(1 - np.sqrt(kept), TEXT_KERNEL_WIDTH)
    shares[0] = 0.0  # the text as it is, is one of all samples
    return shares


def every_version(masks: Masks) -> Values:
    """What each of all versions counts in the limit of `lime_text`, (2^features,)."""
    features = masks.shape[1]
    hidden = features - masks.sum(axis=1)
    counts: Values = (sizes_of(features) / special.comb(features, np.arange(features + 1)))[hidden]
    return counts


def target(features: int, versions: int = VERSIONS) -> Target:
    """All versions of a few words, and about `versions` of more, the same at every call."""
    return _target(features, versions if features > FEWEST_DRAWN else 2**features)


@lru_cache(maxsize=REMEMBERED)
def _target(features: int, versions: int) -> Target:
    """All versions of a few words, whatever `versions` says, or about so many.

    Each of these is there with all its rotations, so that no word is hidden more often than another among as many. How
    many hide how many words follows what tells most of each number, and what a version counts makes up for it.
    """
    if features <= FEWEST_DRAWN:
        masks = listed(features).masks
        return Target(masks, every_version(masks), 0)
    random = np.random.RandomState(features)
    hidden = np.arange(features + 1)
    drawn = sizes_of(features) * np.sqrt(hidden * (features - hidden)) + TINY
    drawn /= drawn.sum()
    seeds = -(-versions // features)
    sizes = np.searchsorted(np.cumsum(drawn), (np.arange(seeds) + 0.5) / seeds)
    order = random.random_sample((seeds, features)).argsort(axis=1).argsort(axis=1)
    kept = order >= sizes[:, None]
    around = np.concatenate([kept, kept[:, :-1]], axis=1)
    masks = sliding_window_view(around, features, axis=1).reshape(-1, features)
    counts = (sizes_of(features) / drawn)[features - masks.sum(axis=1)]
    return Target(masks, counts, features)
