"""Hadamard matrices of many orders: square, of 1 and -1, with rows and columns orthogonal to each other."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Signs = npt.NDArray[np.int64]
_DOUBLED: Signs = np.array([[1, 1], [1, -1]])


@functools.lru_cache(maxsize=64)
def smallest(least: int) -> Signs:
    """One of the smallest order not below `least` that is a prime plus one (Paley 1933, "On orthogonal matrices",
    construction I, for primes that leave 3 when divided by 4), a power of two (Sylvester), or such an order doubled.
    """
    order = max(least, 1)
    while not _known(order):
        order += 1
    return _matrix(order)


def _known(order: int) -> bool:
    return order == 1 or _paley(order) or (order % 2 == 0 and _known(order // 2))


def _matrix(order: int) -> Signs:
    if order == 1:
        return np.ones((1, 1), dtype=np.int64)
    if not _paley(order):
        return np.kron(_DOUBLED, _matrix(order // 2))
    prime = order - 1
    squares = {number * number % prime for number in range(1, prime)}
    character = np.array([0, *(1 if number in squares else -1 for number in range(1, prime))])
    found = np.ones((order, order), dtype=np.int64)
    found[1:, 0] = -1
    found[1:, 1:] = character[np.subtract.outer(np.arange(prime), np.arange(prime)) % prime]
    np.fill_diagonal(found, 1)
    return found


def _paley(order: int) -> bool:
    prime = order - 1
    return prime % 4 == 3 and all(prime % divisor for divisor in range(2, int(prime**0.5) + 1))
