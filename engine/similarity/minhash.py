"""Which of many sets may be alike, without comparing all with all: MinHash signatures and locality-sensitive hashing.

Broder 1997, "On the resemblance and containment of documents"; Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", sections 3.3 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.similarity.text import Shingles

BANDS, ROWS = 32, 4
"""Two sets with Jaccard similarity s meet in a bucket with probability 1 - (1 - s⁴)³²: 0.99999995 at 0.8."""
CROWD = 32
"""In a bucket with more sets than this, each is compared with its neighbour and the first only, not with all others."""

Pairs = NDArray[np.int64]
"""(P, 2) places of sets, the smaller one first, each pair once, in ascending order."""


def signatures(sets: Sequence[Shingles], *, seed: int = 0) -> NDArray[np.uint32]:
    """Return (N, BANDS × ROWS) minima of random hash functions over each of N sets, none of them empty.

    Two signatures agree in a place with the probability of the sets' Jaccard similarity. The hash functions are
    multiply-shift (Dietzfelbinger et al. 1997) over values that are mixed already.
    """
    random = np.random.default_rng(seed)
    factors = random.integers(1 << 63, size=BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    found = np.empty((len(sets), BANDS * ROWS), dtype=np.uint32)
    if not len(sets):
        return found
    values = np.concatenate(sets)
    starts = np.cumsum([0, *(len(one) for one in sets[:-1])])
    for place, factor in enumerate(factors):
        hashes = ((values * factor) >> np.uint64(32)).astype(np.uint32)
        found[:, place] = np.minimum.reduceat(hashes, starts)
    return found


def candidates(found: NDArray[np.uint32]) -> Pairs:
    """Return the pairs of signatures (N, BANDS × ROWS) that are equal in all rows of at least one band."""
    parts = [np.empty((0, 2), dtype=np.int64)]
    for band in range(BANDS):
        parts += [_pairs(bucket) for bucket in _buckets(found[:, band * ROWS : (band + 1) * ROWS])]
    return np.unique(np.concatenate(parts), axis=0)


def agreement(found: NDArray[np.uint32], pairs: Pairs) -> NDArray[np.float64]:
    """Return for (P, 2) pairs the share of places in which their signatures agree: an estimate of their similarity."""
    shares: NDArray[np.float64] = (found[pairs[:, 0]] == found[pairs[:, 1]]).mean(axis=1)
    return shares


def _buckets(rows: NDArray[np.uint32]) -> Iterator[NDArray[np.int64]]:
    """Yield the places, in ascending order, of rows that are equal, at least two each."""
    if not len(rows):
        return
    _, kind, sizes = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(kind.ravel(), kind="stable")
    ends = np.cumsum(sizes)
    for number in np.flatnonzero(sizes > 1):
        yield order[ends[number] - sizes[number] : ends[number]]


def _pairs(bucket: NDArray[np.int64]) -> Pairs:
    if len(bucket) <= CROWD:
        first, second = np.triu_indices(len(bucket), k=1)
        return np.stack([bucket[first], bucket[second]], axis=1)
    neighbours = np.stack([bucket[:-1], bucket[1:]], axis=1)
    to_first = np.stack([np.full(len(bucket) - 2, bucket[0]), bucket[2:]], axis=1)
    return np.concatenate([neighbours, to_first])
