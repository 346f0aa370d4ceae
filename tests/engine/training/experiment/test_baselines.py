"""The peers answer as the library's own pipeline does, and learn from the training side alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from engine.errors import CancelledError
from engine.taxonomy import Label, Task
from engine.training.experiment import baselines
from engine.training.experiment.baselines import LOGISTIC, MAJORITY, SVM, measure
from engine.training.experiment.folds import Fold, fixed_fold
from engine.training.experiment.sources import Source


def go_on() -> None:
    pass


def test_the_majority_row_is_that_of_scikit_learn(source: Source) -> None:
    fold = fixed_fold([*source.items, msgspec.structs.replace(source.items[0], split="train")])
    found = measure(MAJORITY, fold, source.taxonomy.tasks[0], 0, go_on)
    assert found is not None
    learned = [item.labels["weather"][0] for item in fold.train]
    asked = [item.labels["weather"][0] for item in fold.test]
    dummy = DummyClassifier(strategy="prior").fit(learned, learned)
    assert found.details == {"majority": "warm"}
    assert found.figures.accuracy == pytest.approx(dummy.score(asked, asked))
    assert found.figures.auroc == 0.5
    confidence = dummy.predict_proba(asked).max()
    assert found.figures.ece == pytest.approx(abs(confidence - found.figures.accuracy))


@pytest.mark.parametrize("name", [SVM, LOGISTIC])
def test_peers_learn_what_words_say(source: Source, name: str) -> None:
    found = measure(name, fixed_fold(source.items), source.taxonomy.tasks[0], 0, go_on)
    assert found is not None
    assert found.figures.macro_f1 == 1.0
    assert found.figures.auroc == 1.0
    assert (found.figures.ece is None) == (name == SVM)
    assert found.details["C"] in baselines._GRID[name]


@pytest.mark.parametrize("name", [SVM, LOGISTIC])
def test_the_measured_side_is_not_learned_from(source: Source, name: str) -> None:
    """Labels of the test side turned round: a peer that saw none of them is wrong on all."""
    turn = {"warm": "cold", "cold": "warm"}
    fold = fixed_fold(source.items)
    turned = tuple(
        msgspec.structs.replace(item, labels={"weather": (turn[item.labels["weather"][0]],)}) for item in fold.test
    )
    found = measure(name, Fold("fixed", fold.train, turned), source.taxonomy.tasks[0], 0, go_on)
    assert found is not None
    assert found.figures.accuracy == 0.0


def test_scores_of_exclusive_labels_sum_to_one(source: Source) -> None:
    random = np.random.default_rng(0)
    truth = np.eye(4, dtype=bool)[random.integers(0, 3, 30)]  # the fourth label never occurs
    features = random.random((30, 5)) + truth[:, :1]
    for width in (4, 2):
        flags = truth if width == 4 else np.column_stack([truth[:, 0], ~truth[:, 0]])
        scores = baselines._scores(
            LOGISTIC, baselines._Choice(1.0, balanced=False), features, flags, features[:7], multi=False
        )
        assert scores.shape == (7, width)
        assert scores.sum(axis=1) == pytest.approx(1)
        assert (scores >= 0).all()


def test_a_multi_label_task_has_an_answer_for_each_label(source: Source) -> None:
    labels = (Label(name="warm", title=""), Label(name="dry", title=""))
    task = Task(name="both", title="", kind="multi", labels=labels)

    def answer(number: int, words: str) -> dict[str, tuple[str, ...]]:
        warm = ("warm",) if "fire" in words or "sun" in words else ()
        return {"both": (*warm, *(("dry",) if "sand" in words or "frost" in words else ()))}

    items = [
        msgspec.structs.replace(item, labels=answer(number, item.content.text))
        for number, item in enumerate(source.items)
    ]
    found = measure(LOGISTIC, fixed_fold(items), task, 0, go_on)
    assert found is not None
    assert found.figures.per_class == {"warm": 1.0, "dry": 1.0}


def test_a_label_that_is_too_rare_for_inner_folds_does_not_end_the_search(source: Source) -> None:
    rare = msgspec.structs.replace(source.items[0], labels={"weather": ("mild",)})
    labels = tuple(Label(name=name, title="") for name in ("cold", "mild", "warm"))
    found = measure(SVM, fixed_fold([rare, *source.items[1:]]), Task(name="weather", title="", labels=labels), 0, go_on)
    assert found is not None
    assert found.details["C"] == 0.3  # from the grid, not what is taken where nothing can be compared
    assert found.figures.accuracy == 1.0


def test_nothing_is_measured_where_nothing_can_be_learned(source: Source) -> None:
    fold = fixed_fold(source.items)
    task = source.taxonomy.tasks[0]
    one_class = tuple(item for item in fold.train if item.labels["weather"] == ("warm",))
    silent = tuple(
        msgspec.structs.replace(item, content=msgspec.structs.replace(item.content, text="")) for item in fold.train
    )
    assert measure(SVM, Fold("fixed", one_class, fold.test), task, 0, go_on) is None
    assert measure(SVM, Fold("fixed", silent, fold.test), task, 0, go_on) is None
    assert measure(MAJORITY, Fold("fixed", (), fold.test), task, 0, go_on) is None


def test_a_peer_can_be_stopped_between_two_fits(source: Source, weather: Callable[..., Any]) -> None:
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise CancelledError

    with pytest.raises(CancelledError):
        measure(SVM, fixed_fold(source.items), source.taxonomy.tasks[0], 0, stop)
    assert calls == 3
