"""Answers without what features do together, against the weights that all 2^n versions give."""

from __future__ import annotations

import numpy as np
import pytest

from engine.explain import interactions
from engine.explain.designs import folded
from engine.explain.interactions import without_interactions
from engine.explain.surrogate import IMAGE_KERNEL_WIDTH, Masks, Regression, Surrogate, Values, distances, kernel

FEATURES, SAMPLES = 12, 160


def answer(masks: Masks) -> Values:
    """A few features matter much and also in threes, the others hardly."""
    signs = masks * 2.0 - 1
    alone = signs @ np.array([0.3, 0.25, 0.2, 0.15, *np.linspace(-0.01, 0.01, FEATURES - 4)])
    threes = 0.06 * signs[:, 0] * signs[:, 1] * (signs[:, 2] + signs[:, 3]) - 0.04 * signs[:, 1:4].prod(axis=1)
    found: Values = alone + threes + 0.1 * signs[:, 0] * signs[:, 5]
    return found


@pytest.fixture(scope="module")
def true() -> Values:
    every = (np.arange(2**FEATURES)[:, None] >> np.arange(FEATURES) & 1).astype(bool)
    kernels = kernel(distances(every), IMAGE_KERNEL_WIDTH)
    counts: Values = (kernels + kernels[::-1]) / 2  # the last version is the first one's complement, and so on
    table = np.column_stack([np.ones(len(every)), every])
    solution = np.linalg.solve(table.T @ (table * counts[:, None]), table.T @ (counts * answer(every)))
    return np.asarray(solution[1:], dtype=np.float64)


def fitted(seed: int, *, clean: bool, samples: int = SAMPLES) -> Surrogate:
    design = folded(samples, FEATURES, np.random.RandomState(seed))
    answers = answer(design.masks)
    answers = without_interactions(design.masks, answers) if clean else answers
    return Regression(design.masks, IMAGE_KERNEL_WIDTH, groups=design.groups).surrogate(answers)


def test_weights_come_closer_to_those_of_all_versions(true: Values) -> None:
    def miss(*, clean: bool) -> float:
        found = np.array([fitted(seed, clean=clean).weights for seed in range(20)])
        expected = true * SAMPLES / (SAMPLES + 8)  # what the ridge takes away: every sample counts half
        return float(np.sqrt(np.mean((found - expected) ** 2)))

    assert miss(clean=True) < 0.4 * miss(clean=False)


def test_errors_become_smaller_and_still_hold_the_weights(true: Values) -> None:
    found = [fitted(seed, clean=True) for seed in range(40)]
    apart = np.array([one.weights for one in found]) - true * SAMPLES / (SAMPLES + 8)
    errors = np.array([one.errors for one in found])
    assert np.mean(np.abs(apart) <= 2 * errors) > 0.93
    assert errors.mean() < 0.6 * np.mean([fitted(seed, clean=False).errors for seed in range(40)])


def test_nothing_is_taken_from_what_features_do_alone() -> None:
    design = folded(SAMPLES, FEATURES, np.random.RandomState(1))
    answers = design.masks @ np.linspace(-1, 1, FEATURES) + 0.2
    np.testing.assert_allclose(without_interactions(design.masks, answers), answers, atol=5e-3)


def foretold(states: Values, odd: Values, clean: Values, scale: float, noise: float, most: int = SAMPLES) -> Values:
    """What the others of the first pairs foretell of each, by one solution for each; `clean` tells the strengths."""
    ridge = interactions.RIDGE * np.eye(FEATURES)
    squares = np.linalg.solve(states.T @ states + ridge, states.T @ clean) ** 2
    rho = scale * squares / squares.max()
    alike = states[:, None] * states[None]
    odd_part = (np.prod(1 + rho * alike, axis=2) - np.prod(1 - rho * alike, axis=2)) / 2
    shared = odd_part - (rho * alike).sum(axis=2)
    shared /= shared[0, 0]
    whole = interactions.ALONE / FEATURES * alike.sum(axis=2) + shared + noise * np.eye(len(odd))
    found = []
    for pair in range(len(odd)):
        others = (np.arange(len(odd)) != pair) & (np.arange(len(odd)) < most)
        found.append(shared[pair, others] @ np.linalg.solve(whole[np.ix_(others, others)], odd[others]))
    return np.array(found)


@pytest.mark.parametrize("most", [24, 31, 32])
def test_left_out_pairs_are_foretold_as_by_fitting_without_them(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """The closed form against one solution for each pair left out; those after the most are foretold, too."""
    scale, noise = 0.7, 1e-2
    monkeypatch.setattr(interactions, "MOST_LEARNED", most)
    monkeypatch.setattr(interactions, "SCALES", (scale,))
    monkeypatch.setattr(interactions, "NOISES", (noise,))
    design = folded(64, FEATURES, np.random.RandomState(1))
    answers = answer(design.masks)
    states, odd = np.where(design.masks[::2], 1.0, -1.0), (answers[::2] - answers[1::2]) / 2
    expected = np.zeros(len(odd))
    for _ in range(2):
        expected = foretold(states, odd, odd - expected, scale, noise, most)
    found = without_interactions(design.masks, answers)
    np.testing.assert_allclose((answers - found)[::2], expected, atol=1e-8)
    np.testing.assert_allclose((answers - found)[1::2], -np.array(expected), atol=1e-8)


def test_weights_from_more_pairs_than_are_learned_from_are_better_still(
    true: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    def miss(samples: int, learned: int) -> float:
        monkeypatch.setattr(interactions, "MOST_LEARNED", learned)
        expected = true * samples / (samples + 8)
        found = [fitted(seed, clean=learned > 0, samples=samples).weights for seed in range(10)]
        return float(np.sqrt(np.mean((np.array(found) - expected) ** 2)))

    assert miss(4 * SAMPLES, SAMPLES // 2) < 0.6 * miss(SAMPLES, SAMPLES // 2)
    assert miss(4 * SAMPLES, SAMPLES // 2) < 0.4 * miss(4 * SAMPLES, 0)


@pytest.mark.parametrize("samples", [16, 46])
def test_few_answers_stay_as_they_are(samples: int) -> None:
    design = folded(samples, FEATURES, np.random.RandomState(1))
    answers = answer(design.masks)
    np.testing.assert_array_equal(without_interactions(design.masks, answers), answers)


def test_a_constant_and_a_row_without_its_complement_stay_as_they_are() -> None:
    design = folded(65, FEATURES, np.random.RandomState(1))
    np.testing.assert_array_equal(without_interactions(design.masks, np.full(65, 0.3)), 0.3)
    answers = answer(design.masks)
    assert without_interactions(design.masks, answers)[-1] == answers[-1]
