from __future__ import annotations

import numpy as np
import pytest

from engine.explain.faithfulness.erasure import (
    SHARES,
    Masks,
    Values,
    aopc,
    area,
    by_weight,
    count_of,
    deletion,
    deletion_masks,
    erasure,
    insertion,
)


class Additive:
    """P = base + the weights of what is kept: every measure has a closed form. Counts what it is asked."""

    def __init__(self, weights: list[float], base: float = 0.0) -> None:
        self.weights, self.base, self.asked = np.array(weights), base, 0

    def __call__(self, masks: Masks) -> Values:
        self.asked += len(masks)
        probabilities: Values = self.base + masks @ self.weights
        return probabilities


def test_each_row_hides_one_more_of_the_order() -> None:
    assert deletion_masks(np.array([2, 0, 1])).astype(int).tolist() == [[1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_deletion_and_insertion_by_hand() -> None:
    """0.9, 0.4, 0.1, 0 while hiding 0.5, 0.3, 0.1; 0, 0.5, 0.8, 0.9 while showing."""
    model, order = Additive([0.3, 0.5, 0.1]), np.array([1, 0, 2])
    assert deletion(order, model) == pytest.approx((0.9 / 2 + 0.4 + 0.1 + 0 / 2) / 3)
    assert insertion(order, model) == pytest.approx((0 / 2 + 0.5 + 0.8 + 0.9 / 2) / 3)


def test_no_order_deletes_better_than_the_order_of_an_additive_model() -> None:
    random = np.random.default_rng(0)
    model = Additive(random.normal(size=7).tolist(), base=2.0)
    best = by_weight(model.weights, random)
    others = [random.permutation(7) for _ in range(50)]
    assert all(deletion(best, model) <= deletion(other, model) for other in others)
    assert all(insertion(best, model) >= insertion(other, model) for other in others)


def test_the_area_of_a_line_is_its_mean() -> None:
    assert area(np.array([1.0, 0.0])) == 0.5
    assert area(np.linspace(0.2, 0.6, 9)) == pytest.approx(0.4)


def test_erasure_is_what_the_probability_loses() -> None:
    found = erasure(np.array([True, False, True]), Additive([0.3, 0.1, 0.2], base=0.2))
    assert found.comprehensiveness == pytest.approx(0.8 - 0.3)
    assert found.sufficiency == pytest.approx(0.8 - 0.7)


def test_aopc_is_the_mean_over_the_published_bins() -> None:
    model = Additive(np.linspace(0.001, 0.02, 40).tolist(), base=0.1)
    order = np.argsort(-model.weights)
    found = aopc(order, model)
    losses = [model.weights[order[:k]].sum() for k in (1, 2, 4, 8, 20)]
    assert found.comprehensiveness == pytest.approx(np.mean(losses))
    assert found.sufficiency == pytest.approx(np.mean([model.weights.sum() - loss for loss in losses]))


def test_shares_of_a_short_text_that_mean_the_same_words_count_each_but_are_asked_once() -> None:
    """Of 5 words the five bins are 1, 1, 1, 1 and 3 words."""
    model = Additive([0.4, 0.2, 0.1, 0.0, 0.0])
    assert [count_of(share, 5) for share in SHARES] == [1, 1, 1, 1, 3]
    found = aopc(np.arange(5), model)
    assert found.comprehensiveness == pytest.approx((4 * 0.4 + 0.7) / 5)
    assert model.asked == 5


def test_counts_are_not_pushed_up_by_rounding() -> None:
    assert count_of(0.1, 10) == 1
    assert count_of(0.2, 15) == 3
    assert count_of(0.5, 1) == 1


def test_equal_weights_are_ordered_by_chance_and_others_are_not() -> None:
    weights = np.array([0.0, 0.0, 0.0, 0.5, -0.5])
    orders = [by_weight(weights, np.random.default_rng(seed)).tolist() for seed in range(20)]
    assert all(order[0] == 3 and order[-1] == 4 for order in orders)
    assert len({tuple(order) for order in orders}) > 3
