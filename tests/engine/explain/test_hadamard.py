from __future__ import annotations

import numpy as np
import pytest

from engine.explain.hadamard import smallest


@pytest.mark.parametrize("least", [1, 2, 3, 5, 12, 13, 20, 24, 33, 37, 44, 45, 52, 64])
def test_rows_are_signs_and_orthogonal(least: int) -> None:
    found = smallest(least)
    order = len(found)
    assert order >= least
    assert set(np.unique(found)) <= {-1, 1}
    np.testing.assert_array_equal(found @ found.T, order * np.eye(order))


def test_orders_are_the_smallest_of_the_constructions() -> None:
    """Primes 4k + 3 below 64 are 3, 7, 11, 19, 23, 31, 43, 47 and 59."""
    orders = [1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 44, 48, 60, 64]
    expected = [next(order for order in orders if order >= least) for least in range(1, 65)]
    assert [len(smallest(least)) for least in range(1, 65)] == expected
