"""Scores agree with scikit-learn and with closed forms."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn import metrics as reference

from engine.training.metrics import (
    accuracy,
    auroc,
    expected_calibration_error,
    label_scores,
    macro_f1,
    predictions,
    task_metrics,
)
from engine.types import TaskMetrics

LABELS = ("a", "b", "c", "d")


def one_hot(indices: np.ndarray, width: int = 4) -> np.ndarray:
    return np.asarray(np.eye(width, dtype=bool)[indices])


@pytest.fixture(params=range(5))
def single(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(request.param)
    truth = random.integers(0, 3, 40)  # label "d" never occurs
    probabilities = random.dirichlet(np.ones(4), 40) * 0.6 + one_hot(truth) * 0.4
    if request.param % 2:
        probabilities[:, 3] = 0
    return truth, probabilities


def test_single_label_scores_are_those_of_scikit_learn(single: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = single
    answers = probabilities.argmax(axis=1)
    scores = task_metrics(LABELS, one_hot(truth), probabilities, multi=False, majority="a")
    assert scores.accuracy == pytest.approx(reference.accuracy_score(truth, answers))
    assert scores.macro_f1 == pytest.approx(reference.f1_score(truth, answers, average="macro"))
    assert scores.majority_macro_f1 == pytest.approx(reference.f1_score(truth, truth * 0, average="macro"))
    assert np.array_equal(scores.confusion, reference.confusion_matrix(truth, answers, labels=range(4)))
    expected = reference.precision_recall_fscore_support(truth, answers, labels=range(4), zero_division=0)
    for name, precision, recall, f1, support in zip(LABELS, *expected, strict=True):
        row = scores.per_class[name]
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx((precision, recall, f1, support))


def test_multi_label_scores_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(7)
    truth = random.random((60, 4)) < 0.3
    probabilities = np.clip(truth * 0.4 + random.random((60, 4)) * 0.6, 0, 1)
    scores = task_metrics(LABELS, truth, probabilities, multi=True, majority="b")
    answers = probabilities >= 0.5
    assert scores.accuracy == pytest.approx(reference.accuracy_score(truth, answers))
    assert scores.macro_f1 == pytest.approx(reference.f1_score(truth, answers, average="macro"))
    assert scores.confusion == ()


def test_a_label_that_nobody_has_and_nobody_gets_does_not_count() -> None:
    truth, answers = one_hot(np.array([0, 0, 1, 1])), one_hot(np.array([0, 0, 1, 1]))
    assert macro_f1(truth, answers) == 1.0


def test_a_label_given_only_wrongly_counts_as_zero() -> None:
    truth, answers = one_hot(np.array([0, 0])), one_hot(np.array([0, 3]))
    assert macro_f1(truth, answers) == pytest.approx((2 * 1 / 3 + 0) / 2)


def test_always_none_is_right_when_none_is_the_truth() -> None:
    nothing = np.zeros((3, 4), dtype=bool)
    assert macro_f1(nothing, nothing) == 1.0
    assert accuracy(nothing, nothing) == 1.0


def test_labels_without_items_score_zero_not_nan() -> None:
    nothing = np.zeros((3, 4), dtype=bool)
    assert all(np.array_equal(column, np.zeros(4)) for column in label_scores(nothing, nothing))


def test_calibration_error_of_known_cases() -> None:
    sure = np.full(10, 0.95)
    right = np.array([True] * 5 + [False] * 5)
    assert expected_calibration_error(sure, right) == pytest.approx(0.45)
    two_bins = np.array([0.6] * 10 + [0.9] * 10)
    outcome = np.array([True] * 6 + [False] * 4 + [True] * 5 + [False] * 5)
    assert expected_calibration_error(two_bins, outcome) == pytest.approx(0.5 * 0 + 0.5 * 0.4)
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0.0
    assert expected_calibration_error(np.array([]), np.array([], dtype=bool)) == 0.0


def test_calibration_error_agrees_with_a_loop_over_the_bins() -> None:
    random = np.random.default_rng(3)
    confidences, correct = random.random(200), random.random(200) < 0.5
    total = 0.0
    for low in np.arange(10) / 10:
        inside = (confidences > low) & (confidences <= low + 0.1)
        if inside.any():
            total += inside.mean() * abs(confidences[inside].mean() - correct[inside].mean())
    assert expected_calibration_error(confidences, correct) == pytest.approx(total)


def test_multi_label_answers_start_at_one_half() -> None:
    assert predictions(np.array([[0.5, 0.49]]), multi=True).tolist() == [[True, False]]


def test_scoring_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot score"):
        task_metrics(LABELS, np.zeros((0, 4), dtype=bool), np.zeros((0, 4)), multi=False, majority="a")


@pytest.mark.parametrize("seed", range(4))
def test_auroc_of_a_single_label_task_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.permutation(np.arange(60) % 4)
    probabilities = random.dirichlet(np.ones(4), 60).round(1) * 0.7 + one_hot(truth) * 0.3 * (seed > 0)  # with ties
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = reference.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert auroc(one_hot(truth), probabilities) == pytest.approx(expected)


def test_auroc_of_two_labels_is_that_of_one_of_them() -> None:
    random = np.random.default_rng(3)
    truth, chance = random.integers(0, 2, 50), random.random(50)
    expected = reference.roc_auc_score(truth, chance)
    assert auroc(one_hot(truth, 2), np.column_stack([1 - chance, chance])) == pytest.approx(expected)


def test_auroc_of_a_multi_label_task_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(11)
    truth = random.random((80, 4)) < 0.4
    probabilities = random.random((80, 4)) * 0.7 + truth * 0.2
    scores = task_metrics(LABELS, truth, probabilities, multi=True, majority="a")
    assert scores.auroc == pytest.approx(reference.roc_auc_score(truth, probabilities, average="macro"))


def test_auroc_leaves_out_labels_that_none_or_all_have() -> None:
    truth = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    scores = np.array([[0.5, 0.1, 0.2], [0.1, 0.9, 0.3], [0.2, 0.4, 0.9], [0.9, 0.3, 0.1]])
    assert auroc(truth, scores) == pytest.approx(3 / 4)  # of four pairs of the second label one is the wrong way round
    assert auroc(truth[:, [0, 2]], scores[:, [0, 2]]) is None


def test_scores_of_a_card_from_before_auroc_still_load() -> None:
    scores = task_metrics(LABELS, one_hot(np.array([0, 1])), one_hot(np.array([0, 1])) * 1.0, multi=False, majority="a")
    old = {name: value for name, value in msgspec.to_builtins(scores).items() if name != "auroc"}
    assert msgspec.json.decode(msgspec.json.encode(old), type=TaskMetrics).auroc is None
