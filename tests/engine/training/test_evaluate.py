"""Scores of a finished model come from its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import CancelledError
from engine.models.predictor import Predictor
from engine.training.evaluate import collect_answers, evaluate
from engine.training.run import train

if TYPE_CHECKING:
    from tests.engine.training.conftest import RunMaker


@pytest.fixture
def predictor(make_run: RunMaker) -> Predictor:
    folder = make_run()
    train(folder, emit=lambda _: None, cancelled=lambda: False)
    return Predictor.load(folder / "candidate", device="cpu")


def test_every_task_is_scored_over_the_items_that_answer_it(predictor: Predictor, make_run: RunMaker) -> None:
    items = make_run.items()
    scores = evaluate(predictor, items)
    assert scores["mood"].n == 48
    assert scores["why"].n == 24
    verdicts = {(one.item, one.task): one.label for one in predictor.predict([item.content for item in items])}
    right = sum(verdicts[item.content.id, "mood"] == item.labels["mood"][0] for item in items)
    assert scores["mood"].accuracy == pytest.approx(right / 48)


def test_a_label_the_model_does_not_know_counts_against_it(predictor: Predictor, make_run: RunMaker) -> None:
    items = make_run.items(4)
    strange = [msgspec.structs.replace(item, labels={"mood": ("lukewarm",)}) for item in items[:1]]
    scores = evaluate(predictor, [*strange, *items[1:]])
    assert scores["mood"].labels == ("warm", "cold", "lukewarm")
    assert scores["mood"].per_class["lukewarm"].recall == 0.0
    assert scores["mood"].accuracy <= 0.75


def test_no_items_give_no_scores(predictor: Predictor) -> None:
    assert evaluate(predictor, []) == {}


def test_items_can_be_taken_out_again(predictor: Predictor, make_run: RunMaker) -> None:
    answers = collect_answers(predictor, make_run.items(4))["mood"]
    assert answers.without({"i1"}).ids == ("i0", "i2", "i3")
    assert answers.without({"i1"}).truth.shape == (3, 2)


def test_it_can_be_cancelled(predictor: Predictor, make_run: RunMaker) -> None:
    with pytest.raises(CancelledError):
        evaluate(predictor, make_run.items(4), cancelled=lambda: True)
