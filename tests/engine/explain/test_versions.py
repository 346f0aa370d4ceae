"""Versions that stand for all that LIME draws, and the linear model nearest to what is said of them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import special

from engine.explain import versions
from engine.explain.designs import listed
from engine.explain.surrogate import TEXT_KERNEL_WIDTH, Masks, Regression, Values, text_masks
from engine.explain.versions import FEWEST_DRAWN, alike_in_threes, every_version, signs_of, target

FEATURES = 11
EVERY = listed(FEATURES).masks


def bent(masks: Masks) -> Values:
    """A logistic model in which words matter alone, in pairs, and three of them together."""
    signs = masks * 2.0 - 1
    pairs = 0.5 * signs[:, 0] * signs[:, 1] - 0.4 * signs[:, 2] * signs[:, 4] + 0.1 * signs[:, :3].prod(axis=1)
    found: Values = special.expit(signs @ np.linspace(1.5, -1.2, FEATURES) + pairs + 1.5)
    return found


@pytest.fixture(scope="module")
def true() -> Values:
    """The weights of all versions in LIME's limit."""
    counts = every_version(EVERY)
    table = np.column_stack([np.ones(len(EVERY)), EVERY])
    weighted = table.T * counts
    return np.linalg.solve(weighted @ table, weighted @ bent(EVERY))[1:].astype(np.float64)


def test_all_versions_count_what_they_do_in_limes_own_draw(true: Values) -> None:
    drawn = text_masks(20_000, FEATURES, np.random.RandomState(0))
    found = Regression(drawn, TEXT_KERNEL_WIDTH).surrogate(bent(drawn))
    assert np.abs(np.array(found.weights) - true).max() < 4 * max(found.errors) < 0.03


@pytest.mark.parametrize("features", [2, 7, 13, 30])
def test_the_versions_that_stand_for_all_hide_every_word_equally_often(features: int) -> None:
    made = target(features)
    hidden = made.counts @ (made.signs < 0)
    np.testing.assert_allclose(hidden, hidden[0])
    np.testing.assert_allclose(made.left, (made.signs > 0).mean(axis=1))
    slopes = np.arange(features) / features
    values = made.signs / 2 @ slopes
    np.testing.assert_allclose(made.weights(values), slopes, atol=1e-4)
    np.testing.assert_allclose(made.open(values, slopes), 0, atol=1e-4)


def test_few_words_have_all_their_versions(true: Values) -> None:
    np.testing.assert_allclose(target(FEATURES).weights(bent(EVERY)), true, atol=1e-4)
    assert not target(FEATURES).variances(bent(EVERY)).any()


def test_targets_of_few_words_are_kept_once_and_of_many_once_for_each_size() -> None:
    assert target(FEWEST_DRAWN) is target(FEWEST_DRAWN, 400)
    assert target(13, 400) is target(13, 400) is not target(13, 800)


def test_versions_that_stand_for_all_miss_their_weights_by_what_they_say(
    true: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "FEWEST_DRAWN", 0)
    made = versions._target.__wrapped__(FEATURES, 2000)
    values = bent(made.signs > 0)
    weights = made.weights(values)
    apart, errors = weights - true, np.sqrt(made.variances(made.open(values, weights)))
    assert np.mean(np.abs(apart) <= 2 * errors) > 0.8
    assert np.sqrt(np.mean(errors**2)) < 2 * np.sqrt(np.mean(apart**2)) < 0.05


def test_changes_of_values_change_weights_by_their_slopes() -> None:
    made = target(13, 400)
    random = np.random.default_rng(0)
    slopes, changes = random.uniform(size=len(made.counts)), random.normal(size=len(made.counts))
    changes -= made.counts @ (changes * slopes) / slopes  # centred once they are as large as their slopes make them
    np.testing.assert_allclose(made.onto(slopes) @ changes, made.weights(slopes * changes), atol=1e-5)


def test_versions_are_alike_in_threes_by_the_products_of_three_signs() -> None:
    some, others = (signs_of(text_masks(count, 9, np.random.RandomState(count))) for count in (20, 30))
    threes = np.array(list(combinations(range(9), 3)))
    first, second = (one[:, threes].prod(axis=2) / np.sqrt(len(threes)) for one in (some, others))
    np.testing.assert_allclose(alike_in_threes(some, others), first @ second.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(alike_in_threes(some, some)), 1, rtol=1e-6)
    assert not alike_in_threes(some[:, :2], others[:, :2]).any()
