"""Who wins, and the sentence that says so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from engine.training.compare import beyond_majority, chance_of, compare, first_model, mean_macro_f1
from engine.training.evaluate import Answers
from engine.types import TaskMetrics


def answers(truth: str, given: str) -> Answers:
    """One letter an item: "a" or "b"."""
    flags = np.array([[letter == label for label in "ab"] for letter in truth])
    chances = np.array([[0.9 if letter == label else 0.1 for label in "ab"] for letter in given])
    ids = tuple(f"i{number}" for number in range(len(truth)))
    return Answers(labels=("a", "b"), ids=ids, truth=flags, probabilities=chances, multi=False)


TRUTH = "aaaabbbb"


def test_strictly_better_wins_and_both_figures_are_named() -> None:
    found = compare({"t": answers(TRUTH, TRUTH)}, {"t": answers(TRUTH, "aaaabbba")}, "test")
    assert found.better
    assert found.reason.startswith("Better: macro-F1 1.00 against 0.87 on the same 8 held-out test items.")
    assert "It puts 1 answer right and 0 answers wrong; so few may be chance." in found.reason


def test_worse_loses() -> None:
    found = compare({"t": answers(TRUTH, "aaaabbba")}, {"t": answers(TRUTH, TRUTH)}, "test")
    assert not found.better
    assert "Not better: macro-F1 0.87 against 1.00" in found.reason


def test_a_tie_keeps_the_champion() -> None:
    found = compare({"t": answers(TRUTH, "aaaabbba")}, {"t": answers(TRUTH, "aaaabbab")}, "val")
    assert not found.better
    assert "as good as the champion (macro-F1 0.87 against 0.87 on the same 8 held-out val items)" in found.reason
    assert "It puts 1 answer right and 1 answer wrong" in found.reason


def test_a_clear_difference_is_not_called_chance() -> None:
    found = compare({"t": answers("ab" * 10, "ab" * 10)}, {"t": answers("ab" * 10, "ba" * 10)}, "test")
    assert found.reason.endswith("It puts 20 answers right and 0 answers wrong.")


def test_a_candidate_that_answers_less_never_wins() -> None:
    good = answers(TRUTH, TRUTH)
    found = compare({"t": good}, {"t": answers(TRUTH, "bbbbbbbb"), "u": good}, "test")
    assert not found.better
    assert "it gives no verdict for u" in found.reason


def test_at_equal_figures_a_task_more_wins() -> None:
    good = answers(TRUTH, TRUTH)
    found = compare({"t": good, "u": good}, {"t": good}, "test")
    assert found.better
    assert "It also answers u" in found.reason


def test_tasks_weigh_as_much_as_they_have_items() -> None:
    right, wrong = answers(TRUTH, TRUTH), answers("ab", "ba")
    assert mean_macro_f1({"t": right, "u": wrong}) == pytest.approx(0.8)
    assert mean_macro_f1({}) == 0.0


def test_no_champion_means_better() -> None:
    found = first_model({"t": answers(TRUTH, TRUTH)}, "test")
    assert found.better
    assert found.reason == "The first model of this workspace; macro-F1 1.00 on 8 held-out test items."


@pytest.mark.parametrize(("score", "told"), [(0.6, False), (0.4, True), (0.3, True)])
def test_a_model_that_learned_nothing_is_told(score: float, told: bool) -> None:
    scores = TaskMetrics(
        n=20,
        accuracy=score,
        macro_f1=score,
        majority_accuracy=0.6,
        majority_macro_f1=0.4,
        ece=0.0,
        labels=("a", "b"),
        per_class={},
    )
    sentences = beyond_majority({"t": scores})
    assert bool(sentences) == told
    assert all("most frequent label (0.40)" in sentence for sentence in sentences)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (5, 5), (9, 1), (0, 8)])
def test_the_chance_is_that_of_scipy(wins: int, losses: int) -> None:
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert chance_of(wins, losses) == pytest.approx(expected)
