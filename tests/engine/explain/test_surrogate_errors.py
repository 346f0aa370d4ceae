"""Weights and standard errors of the surrogate against `lime`'s regression, closed forms and all 2^n versions."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from lime.lime_base import LimeBase

from engine.explain.designs import Design, coin_flips, folded, listed
from engine.explain.surrogate import (
    IMAGE_KERNEL_WIDTH,
    Masks,
    Regression,
    Surrogate,
    Values,
    distances,
    image_masks,
    kernel,
    text_masks,
)

FEATURES = 10
Function = Callable[[Masks], Values]


def curved(masks: Masks) -> Values:
    """A probability in which pairs and triples of features matter, some of them together only."""
    signs = masks * 2.0 - 1
    random = np.random.default_rng(5)
    single, double = random.normal(0, 0.8, FEATURES), random.normal(0, 0.3, (FEATURES, FEATURES))
    answer: Values = 1 / (1 + np.exp(-(signs @ single + np.einsum("ni,ij,nj->n", signs, double, signs) - 0.5)))
    return answer


def versions() -> Masks:
    every: Masks = (np.arange(2**FEATURES)[:, None] >> np.arange(FEATURES) & 1).astype(bool)
    return every


def weighted_least_squares(masks: Masks, answers: Values, counts: Values) -> Values:
    table = np.column_stack([np.ones(len(masks)), masks])
    solution = np.linalg.solve(table.T @ (table * counts[:, None]), table.T @ (counts * answers))
    return np.asarray(solution[1:], dtype=np.float64)


def flips(samples: int, features: int, random: np.random.RandomState) -> Design:
    return coin_flips(random.randint(0, 2, (samples, features)).astype(bool))


def fitted(design: Design, answers: Values) -> Surrogate:
    return Regression(design.masks, IMAGE_KERNEL_WIDTH, groups=design.groups).surrogate(answers)


@pytest.mark.parametrize(("samples", "features", "draw"), [(60, 9, image_masks), (500, 40, text_masks)])
def test_weights_are_those_of_limes_own_regression(
    samples: int, features: int, draw: Callable[[int, int, np.random.RandomState], Masks]
) -> None:
    masks = draw(samples, features, np.random.RandomState(3))
    answers = np.random.default_rng(0).random(samples)
    base = LimeBase(functools.partial(kernel, width=0.25), random_state=0)
    _, pairs, score, _ = base.explain_instance_with_data(
        masks.astype(float), answers[:, None], distances(masks), 0, features, feature_selection="none"
    )
    found = Regression(masks, 0.25).surrogate(answers)
    np.testing.assert_allclose(found.weights, [weight for _, weight in sorted(pairs)], atol=1e-8)
    assert found.fit == pytest.approx(score, abs=1e-8)


def test_errors_of_equal_rows_are_the_textbooks() -> None:
    """Balanced ±1/2 columns, no ridge to speak of, single rows: s² / (n/4), with s² = residual sum / (n - p - 1)."""
    block = folded(512, 8, np.random.RandomState(0)).masks
    noise = np.random.default_rng(1).normal(0, 1, 512)
    found = Regression(block, width=100.0).surrogate(1000 * noise)
    table = np.column_stack([np.ones(512), block])
    left = noise - table @ np.linalg.lstsq(table, noise)[0]
    expected = 1000 * np.sqrt(left @ left / (512 - 9) / (512 / 4))
    np.testing.assert_allclose(found.errors, expected, rtol=0.02)


@pytest.mark.parametrize("make", [folded, flips])
@pytest.mark.parametrize("samples", [64, 192])
def test_two_errors_hold_the_true_weight_in_95_of_100_designs(
    make: Callable[[int, int, np.random.RandomState], Design], samples: int
) -> None:
    every = versions()
    counts = kernel(distances(every), IMAGE_KERNEL_WIDTH)
    if make is folded:
        counts = ((counts + counts[::-1]) / 2).astype(
            np.float64
        )  # the last version is the first one's complement, and so on
    true = weighted_least_squares(every, curved(every), counts)
    inside: list[npt.NDArray[np.bool_]] = []
    for seed in range(150):
        design = make(samples, FEATURES, np.random.RandomState(seed))
        found = fitted(design, curved(design.masks))
        inside.append(np.abs(np.array(found.weights) - true) <= 2 * np.array(found.errors))
    assert 0.92 <= np.mean(inside) <= 0.985


def test_a_design_with_its_complements_needs_fewer_samples_than_coin_flips() -> None:
    def spread(make: Callable[[int, int, np.random.RandomState], Design]) -> float:
        designs = [make(128, FEATURES, np.random.RandomState(seed)) for seed in range(40)]
        weights = [fitted(design, curved(design.masks)).weights for design in designs]
        return float(np.var(weights, axis=0).mean())

    assert spread(folded) < 0.5 * spread(flips)


def test_what_is_the_same_in_a_row_and_its_complement_has_no_weight() -> None:
    """Pairs of features that matter only together: coin flips see noise, the design sees nothing."""
    design = folded(64, 12, np.random.RandomState(2))
    signs = design.masks * 2.0 - 1
    answers = signs[:, 0] * signs[:, 1] + signs[:, 2] * signs[:, 7]
    np.testing.assert_allclose(fitted(design, answers).weights, 0, atol=1e-12)


def test_additive_answers_are_found_without_error() -> None:
    design = folded(256, 20, np.random.RandomState(2))
    true = np.linspace(-1, 1, 20)
    found = fitted(design, design.masks @ true)
    np.testing.assert_allclose(found.weights, true, rtol=0.04)  # what the ridge takes away
    assert found.fit > 0.99
    assert max(found.errors) < 0.02


def test_answers_that_never_change_have_no_weights_and_no_fit() -> None:
    design = folded(64, 12, np.random.RandomState(2))
    found = fitted(design, np.full(64, 0.3))
    np.testing.assert_allclose(found.weights, 0, atol=1e-12)
    assert np.isfinite(found.errors).all()


def test_too_few_samples_are_doubtful_and_never_infinite() -> None:
    design = folded(16, 60, np.random.RandomState(0))
    found = fitted(design, np.random.default_rng(0).random(16))
    assert np.isfinite(found.errors).all()
    assert np.mean(np.abs(found.weights) > 2 * np.array(found.errors)) < 0.1


def test_all_versions_need_no_penalty_and_leave_no_doubt() -> None:
    every = listed(3)
    answers = every.masks @ np.array([0.5, -0.2, 0.1]) + 0.2 * every.masks[:, 0] * every.masks[:, 1]
    found = Regression(every.masks, 100.0, complete=True).surrogate(answers)
    assert found.weights == pytest.approx((0.6, -0.1, 0.1), abs=1e-4)
    assert found.errors == (0, 0, 0)
