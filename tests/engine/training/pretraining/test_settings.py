"""Settings: all mistakes at once, and what belongs to a new encoder alone."""

from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.training.pretraining.settings import CONTINUED_RATE, FRESH_RATE, make_settings, read_overrides


def test_overrides_are_read_by_their_kind() -> None:
    assert read_overrides(["epochs=3", "emoji=keep", "lower_case = false", "clip=0.5"]) == {
        "epochs": 3,
        "emoji": "keep",
        "lower_case": False,
        "clip": 0.5,
    }


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read_overrides(["epoch=3", "width", "layers=many"])
    assert "Did you mean 'epochs'?" in str(caught.value)
    assert "'width' is no setting" in str(caught.value)
    assert "layers is 'many': expected `int`" in str(caught.value)
    with pytest.raises(InputError) as caught:
        make_settings({"epochs": 0, "emoji": "wrods", "width": 100, "heads": 3}, {}, continued=False)
    for part in ("epochs is 0", "Did you mean 'words'?", "multiple of heads"):
        assert part in str(caught.value)


def test_an_encoder_that_is_continued_keeps_its_architecture_and_learns_slower() -> None:
    assert make_settings({}, {}, continued=False).learning_rate == FRESH_RATE
    assert make_settings({}, {}, continued=True).learning_rate == CONTINUED_RATE
    with pytest.raises(InputError, match="layers belongs to a new encoder"):
        make_settings({"layers": 2}, {}, continued=True)


def test_what_is_known_of_the_encoder_counts_until_something_else_is_given() -> None:
    known = {"emoji": "keep", "max_tokens": 32}
    settings = make_settings({"max_tokens": 16}, known, continued=True)
    assert (settings.emoji, settings.max_tokens) == ("keep", 16)
