"""Weights of words that are learned from few answers, against those that all 2^n versions give in LIME's limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from scipy import special

from engine.explain import projection
from engine.explain.designs import thinned
from engine.explain.projection import projected, projected_weights
from engine.explain.surrogate import TEXT_KERNEL_WIDTH, Masks, Regression, Surrogate, Values, text_masks
from engine.explain.versions import every_version, signs_of, target

FEATURES = 11
ALONE = np.array([1.5, -1.2, 0.9, 0.6, -0.5, 0.3, 0.2, -0.1, 0.0, 0.0, 0.1])


def additive(masks: Masks) -> Values:
    """A logistic model without interactions: what is not linear in its probability is the logistic function's."""
    found: Values = special.expit((masks * 2.0 - 1) @ ALONE + 1.5)
    return found


def tangled(masks: Masks) -> Values:
    """Pairs matter together, and so do three words."""
    signs = masks * 2.0 - 1
    pairs = 0.5 * signs[:, 0] * signs[:, 1] - 0.4 * signs[:, 2] * signs[:, 4] + 0.2 * signs[:, 0] * signs[:, 8]
    found: Values = special.expit(signs @ ALONE + pairs + 0.1 * signs[:, :3].prod(axis=1) + 1.5)
    return found


@pytest.fixture(scope="module")
def every() -> Masks:
    masks: Masks = (np.arange(2**FEATURES)[:, None] >> np.arange(FEATURES) & 1).astype(bool)
    return masks


def exact(masks: Masks, answers: Values) -> Values:
    counts = every_version(masks)
    table = np.column_stack([np.ones(len(masks)), masks])
    weighted = table.T * counts
    return np.linalg.solve(weighted @ table, weighted @ answers)[1:].astype(np.float64)


def explained(seed: int, samples: int = 96) -> Surrogate:
    masks = thinned(samples, FEATURES, np.random.RandomState(seed)).masks
    return projected(masks, tangled(masks))


def test_what_only_the_logistic_function_bends_is_found_from_few_answers(every: Masks) -> None:
    masks = thinned(48, FEATURES, np.random.RandomState(1)).masks
    found, true = projected(masks, additive(masks)), exact(every, additive(every))
    np.testing.assert_allclose(found.weights, true, atol=0.006)
    assert max(found.errors) < 0.01
    assert 0.5 < found.fit < 1


def test_errors_hold_the_weights_of_all_versions_in_95_of_100_designs(every: Masks) -> None:
    true = exact(every, tangled(every))
    found = [explained(seed) for seed in range(60)]
    apart = np.array([one.weights for one in found]) - true
    errors = np.array([one.errors for one in found])
    assert 0.92 <= np.mean(np.abs(apart) <= 2 * errors) <= 0.995
    assert np.sqrt(np.mean(errors**2)) < 2 * np.sqrt(np.mean(apart**2))
    assert np.abs(apart.mean(axis=0)).max() < 0.04


def test_a_tenth_of_limes_samples_comes_as_close(every: Masks) -> None:
    true = exact(every, tangled(every))

    def miss(weights: list[tuple[float, ...]]) -> float:
        return float(np.sqrt(np.mean((np.array(weights) - true) ** 2)))

    drawn = [text_masks(1000, FEATURES, np.random.RandomState(seed)) for seed in range(20)]
    theirs = [Regression(masks, TEXT_KERNEL_WIDTH).surrogate(tangled(masks)).weights for masks in drawn]
    assert miss([explained(seed).weights for seed in range(20)]) < miss(theirs)


@pytest.mark.parametrize(("features", "samples"), [(20, 20), (60, 20), (60, 64), (60, 118), (40, 118)])
def test_errors_hold_where_one_word_of_many_decides(features: int, samples: int) -> None:
    """Complements foretell one another nearly exactly then, also where hardly anything is known."""
    held, coloured = [], []
    for seed in range(8):
        masks = thinned(384, features, np.random.RandomState(seed)).masks[:samples]
        found = projected(masks, decided(masks))
        versions = target(features)
        true = versions.weights(decided(versions.signs > 0))
        weights, errors = np.array(found.weights), np.array(found.errors)
        held.append(np.abs(weights - true) <= 2 * errors)
        coloured.append(np.abs(weights[1:]) > 2 * errors[1:])
    assert np.mean(held) > 0.88
    assert np.mean(coloured) < 0.08


def decided(masks: Masks) -> Values:
    """The first word decides, and nothing else matters."""
    found: Values = special.expit(4 * masks[:, 0] - 2.0)
    return found


def test_pairs_left_out_are_foretold_as_by_learning_without_them() -> None:
    """The closed form against one solution for each pair left out; the last row has no complement."""
    random = np.random.default_rng(0)
    table = random.normal(size=(9, 12))
    covariance, answers = table @ table.T + 0.3 * np.eye(9), random.normal(size=9)
    inverse = np.linalg.inv(covariance)
    found = projection._left_out(np.diag(inverse).copy(), np.diag(inverse, 1)[::2].copy(), inverse @ answers)
    for rows in np.array_split(np.arange(9), [2, 4, 6, 8]):
        others = np.setdiff1d(np.arange(9), rows)
        solved = np.linalg.solve(covariance[np.ix_(others, others)], answers[others])
        np.testing.assert_allclose(found[rows], answers[rows] - covariance[np.ix_(rows, others)] @ solved)


def test_chance_has_no_clear_weights() -> None:
    clear = []
    for seed in range(20):
        masks = thinned(96, FEATURES, np.random.RandomState(seed)).masks
        found = projected(masks, np.random.default_rng(seed).uniform(0.3, 0.7, 96))
        clear.append(np.abs(found.weights) > 2 * np.array(found.errors))
    assert np.mean(clear) < 0.1


def test_certain_answers_and_fewer_answers_than_words_are_finite() -> None:
    masks = thinned(16, 40, np.random.RandomState(0)).masks
    found = projected(masks, masks[:, 3].astype(float))
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.errors).all()
    assert int(np.argmax(found.weights)) == 3


def test_left_out_answers_are_foretold_as_by_learning_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The closed form against one solution for each answer left out."""
    monkeypatch.setattr(projection, "TOGETHER", 0.1)
    monkeypatch.setattr(projection, "NOISES", (0.1,))
    masks = thinned(40, FEATURES, np.random.RandomState(2)).masks
    curve = projection._Curve(masks, tangled(masks))
    terms = curve._terms(signs_of(masks))
    whole = (terms * curve._variances) @ terms.T
    noisy = whole + 0.1 * curve._scale * np.diag(curve._doubts**2)
    expected = []
    for row in range(40):
        others = np.arange(40) != row
        solved = np.linalg.solve(noisy[np.ix_(others, others)], curve._centred[others])
        expected.append(curve._centred[row] - whole[row, others] @ solved)
    np.testing.assert_allclose(curve._missed * curve._doubts, expected, atol=1e-8)


def test_many_answers_are_learned_from_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """More answers than terms take another way: the solution of weighted ridge regression on the terms."""
    monkeypatch.setattr(projection, "TOGETHER", 0.1)
    monkeypatch.setattr(projection, "NOISES", (0.1,))
    masks = thinned(300, FEATURES, np.random.RandomState(2)).masks
    curve = projection._Curve(masks, tangled(masks))
    table, noise = curve._terms(signs_of(masks)), 0.1 * curve._scale
    assert len(table) > table.shape[1]
    counted = table.T / curve._doubts**2
    terms = np.linalg.solve(counted @ table + noise * np.diag(1 / curve._variances), counted @ curve._centred)
    other = signs_of(thinned(20, FEATURES, np.random.RandomState(3)).masks)
    np.testing.assert_allclose(curve._logits(other), curve._mean + curve._terms(other) @ terms, atol=1e-5)


def test_weights_alone_are_the_surrogates() -> None:
    masks = thinned(96, FEATURES, np.random.RandomState(0)).masks
    np.testing.assert_array_equal(projected_weights(masks, tangled(masks)), projected(masks, tangled(masks)).weights)


def test_weights_alone_stand_on_fewer_versions() -> None:
    masks = thinned(140, 20, np.random.RandomState(0)).masks
    found, whole = projected_weights(masks, tangled_few(masks)), projected(masks, tangled_few(masks)).weights
    assert 0 < np.abs(found - whole).max() < 0.05 * np.ptp(whole)


def tangled_few(masks: Masks) -> Values:
    """The first words of many matter."""
    return tangled(masks[:, :FEATURES])


def test_the_error_of_what_threes_do_is_that_of_all_products_of_three_signs() -> None:
    masks = thinned(40, FEATURES, np.random.RandomState(2)).masks
    curve, versions = projection._Curve(masks, tangled(masks)), target(FEATURES)
    random = np.random.default_rng(0)
    there, learned = random.normal(size=(3, len(versions.counts))), random.normal(size=(3, len(masks)))
    threes = np.array(list(combinations(range(FEATURES), 3)))
    seen, own = (
        one[:, threes].prod(axis=2) / np.sqrt(len(threes)) for one in (versions.signs, np.where(masks, 1.0, -1.0))
    )
    expected = np.square(there @ seen - learned @ own).sum(axis=1)
    np.testing.assert_allclose(curve._threes(versions, there, learned), expected, rtol=1e-4)


def missed(model: Callable[[Masks], Values], every: Masks, order: Sequence[int] = range(FEATURES)) -> float:
    """How far weights are from the true ones where words are read in another order, over some designs."""
    true, apart = exact(every, model(every)), []
    for seed in range(12):
        masks = thinned(48, FEATURES, np.random.RandomState(seed)).masks
        found = projected_weights(masks[:, order], model(masks))
        apart.append(found - true[list(order)])
    return float(np.sqrt(np.mean(np.square(apart))))


def phrases(masks: Masks) -> Values:
    """What words side by side do together matters, and nothing else that words do together."""
    signs = masks * 2.0 - 1
    pairs = (signs[:, 1:] * signs[:, :-1]) @ np.array([0.5, -0.4, 0.5, -0.5, 0.4, 0.5, -0.4, 0.5, 0.4, -0.5])
    found: Values = special.expit(signs @ ALONE + pairs)
    return found


def test_pairs_side_by_side_are_expected_before_others(every: Masks) -> None:
    apart = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7]
    assert missed(phrases, every) < 0.85 * missed(phrases, every, apart)


def fading(masks: Masks) -> Values:
    """With few words left, what is left of a sentence says something else than its words."""
    signs = masks * 2.0 - 1
    scrambled = np.sin(masks @ np.arange(1, FEATURES + 1) ** 2.0)
    found: Values = special.expit(signs @ ALONE + 3 * scrambled * (1 - masks.mean(axis=1)) ** 2)
    return found


def test_answers_count_less_the_fewer_words_are_left(every: Masks, monkeypatch: pytest.MonkeyPatch) -> None:
    found = missed(fading, every)
    monkeypatch.setattr(projection, "FADING", 0.0)
    assert found < 0.85 * missed(fading, every)
