"""A network's description: sound, complete about its mistakes, and the same after a trip through a card."""

from __future__ import annotations

import json

import msgspec
import pytest

from engine.errors import InputError, ModelUnavailableError
from engine.models.spec import (
    FusionSpec,
    HeadSpec,
    ImageSpec,
    NetworkSpec,
    TextSpec,
    check,
    from_card,
    problems,
    to_plain,
)
from engine.types import ModelCard


def test_a_sound_spec_has_no_problems(spec: NetworkSpec) -> None:
    assert problems(spec) == ()
    assert check(spec) is spec


def test_all_mistakes_are_named_at_once() -> None:
    spec = NetworkSpec(
        heads=(HeadSpec(task="a b", labels=("x",)), HeadSpec(task="t", labels=("x", "x"))),
        text=TextSpec(max_tokens=1, emoji="wrods", windows=()),
        image=ImageSpec(backbone="resnet8", weights="weights.pt"),
        fusion=FusionSpec(hidden=(0,), dropout=2.0),
    )
    with pytest.raises(InputError) as caught:
        check(spec)
    message = str(caught.value)
    for part in ("max_tokens", "'words'", "windows", "resnet18", "weights.pt", "hidden", "dropout", "'a b'", "twice"):
        assert part in message


def test_a_network_that_sees_nothing_is_refused() -> None:
    spec = NetworkSpec(
        heads=(HeadSpec(task="t", labels=("a", "b")),), text=TextSpec(backbone="none"), image=ImageSpec(backbone="none")
    )
    assert any("nothing to look at" in problem for problem in problems(spec))


def test_a_repeated_task_is_refused() -> None:
    head = HeadSpec(task="t", labels=("a", "b"))
    assert problems(NetworkSpec(heads=(head, head))) == ("Task 't' has more than one head.",)


def test_a_card_gives_the_spec_back(spec: NetworkSpec, card: ModelCard) -> None:
    written = json.loads(json.dumps(to_plain(spec)))
    assert from_card(msgspec.structs.replace(card, network=written)) == spec


def test_a_foreign_card_is_unavailable(card: ModelCard) -> None:
    with pytest.raises(ModelUnavailableError, match="m1"):
        from_card(msgspec.structs.replace(card, network={"layers": 3}))
