"""Paired tests against SciPy's, and Holm's correction against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import permutation_test, ttest_1samp, wilcoxon

from engine.training.paired import holm, paired_t, sign_permutations

SAMPLES = [
    np.random.default_rng(seed).normal(shift, 1, size) for seed, shift, size in ((0, 0, 5), (1, 2, 6), (2, -1, 8))
]


@pytest.mark.parametrize("values", SAMPLES)
def test_the_t_test_is_scipys(values: NDArray[np.float64]) -> None:
    assert paired_t(values.tolist()) == pytest.approx(ttest_1samp(values, 0.0).pvalue)


@pytest.mark.parametrize("values", SAMPLES)
def test_the_permutation_test_is_scipys(values: NDArray[np.float64]) -> None:
    expected = permutation_test((values,), np.sum, permutation_type="samples", n_resamples=10_000)
    assert sign_permutations(values.tolist()) == pytest.approx(expected.pvalue)


def test_permuted_ranks_are_wilcoxons_test() -> None:
    ranks = [1.0, 2.0, -3.0, 4.0, 5.0, 6.0]
    assert sign_permutations(ranks) == pytest.approx(wilcoxon(ranks, method="exact").pvalue)


def test_five_seeds_cannot_say_more_than_this() -> None:
    assert sign_permutations([0.1, 0.2, 0.3, 0.4, 0.5]) == pytest.approx(2 / 2**5)


@pytest.mark.parametrize(("values", "expected"), [([], 1.0), ([0.3], 1.0), ([0.0, 0.0], 1.0), ([0.25, 0.25], 0.0)])
def test_odd_samples_have_a_p_value_too(values: list[float], expected: float) -> None:
    assert paired_t(values) == expected


def test_holm_multiplies_the_smallest_most_and_never_swaps_two() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
