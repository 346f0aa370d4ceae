from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from desktop.models_page.summary import duration, facts, headline, score_sentence, when
from engine.types import ModelCard
from engine.workspace import ModelRow

Cards = Callable[..., ModelCard]


def row(card: ModelCard) -> ModelRow:
    return ModelRow(card=card, champion=False, status="kept", reason="", promoted_at="")


def test_a_score_is_never_told_without_the_majoritys_and_the_number_of_items(card: Cards) -> None:
    sentence = score_sentence(headline(card("m", 0.8)))
    assert "0.80" in sentence
    assert "0.33" in sentence
    assert "48 held-out items" in sentence
    assert "chance" not in sentence


def test_few_held_out_items_are_said_to_be_few(card: Cards) -> None:
    assert "That is few" in score_sentence(headline(card("m", 0.8, n=12)))


def test_a_model_that_was_never_measured_says_so(card: Cards) -> None:
    assert headline(card("m", None)) is None
    assert score_sentence(None) == "Never measured on held-out items."


def test_a_task_weighs_as_much_as_it_has_items(card: Cards) -> None:
    """A conditional task with three held-out items must not drag the headline down by a third."""
    one = card("m", 0.9, n=30)
    (large,) = one.metrics["test"].values()
    small = msgspec.structs.replace(large, n=3, macro_f1=0.0)
    both = msgspec.structs.replace(
        one, metrics={"test": {"toxicity": large, "reason": small}}, counts={"train": 99, "test": 31}
    )
    found = headline(both)
    assert found is not None
    assert found.macro_f1 == pytest.approx(0.9 * 30 / 33)
    assert found.n == 31


def test_the_facts_name_what_it_was_made_from(card: Cards) -> None:
    told = dict(facts(row(card("m", 0.8))))
    assert told["Parent"] == "none: trained from the start"
    assert told["Items"] == "164 train, 36 val"
    assert told["Decisions used"] == "3"
    assert told["Trained on"] == "CPU, 2 threads, 3 min 5 s"


def test_durations_and_moments_read_well() -> None:
    assert [duration(seconds) for seconds in (0.4, 48.2, 185, 7800)] == ["0 s", "48 s", "3 min 5 s", "2 h 10 min"]
    assert when("no time") == "no time"
    assert "2026" in when("2026-01-01T12:00:00+00:00")
