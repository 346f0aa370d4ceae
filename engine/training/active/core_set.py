"""Diversity: pick items so that every item is near one that is labelled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

BLOCK = 1024
_TAKEN = -1.0


def distances_to_nearest(points: Vectors, centres: Vectors) -> NDArray[np.float32]:
    """Return each point's Euclidean distance to its nearest centre, (n,); infinite where there is no centre."""
    nearest = np.full(len(points), np.inf, np.float32)
    squares = np.einsum("ij,ij->i", points, points)
    for start in range(0, len(centres), BLOCK):
        part = centres[start : start + BLOCK]
        found = squares[:, None] - 2.0 * points @ part.T + np.einsum("ij,ij->i", part, part)[None, :]
        np.minimum(nearest, found.min(axis=1), out=nearest)
    return np.sqrt(np.maximum(nearest, 0.0))


def k_centre_greedy(points: Vectors, centres: Vectors, count: int) -> tuple[list[int], list[float]]:
    """Pick points one by one, always the one that is farthest from everything picked or given as a centre.

    Sener & Savarese 2018, "Active learning for convolutional neural networks: a core-set approach", section 4,
    algorithm 1; at most twice as far from the best cover as any choice of as many points (section 4.1).

    Args:
        points: (n, D), what there is to pick from.
        centres: (m, D), what is labelled already; without any, the first pick is the point nearest the points' mean.
        count: how many to pick; at most n are.

    Returns:
        Places of the picked points in order, and how far each was from its nearest centre when it was picked
        (infinite for a first pick without centres).
    """
    picked: list[int] = []
    reach: list[float] = []
    nearest = distances_to_nearest(points, centres)
    if len(points) and len(centres) == 0 and count > 0:
        middle = points.mean(axis=0, keepdims=True)
        picked, reach = [int(np.argmin(distances_to_nearest(points, middle)))], [math.inf]
        nearest = distances_to_nearest(points, points[picked])
        nearest[picked] = _TAKEN
    while len(picked) < min(count, len(points)):
        best = int(np.argmax(nearest))
        picked.append(best)
        reach.append(float(nearest[best]))
        np.minimum(nearest, distances_to_nearest(points, points[best : best + 1]), out=nearest)
        nearest[best] = _TAKEN
    return picked, reach
