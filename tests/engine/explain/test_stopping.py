"""When an explanation of words is final: by what their errors, or their halves, tell of another seed's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.evidence import is_clear
from engine.explain import explain, lime
from engine.explain.lime import STEP_TEXT, doubled, likeness
from engine.explain.surrogate import Surrogate
from engine.explain.text_part import SECOND
from engine.types import Explanation, ItemContent

TEXT = " ".join(["glorp", *(f"word{number}" for number in range(24))])


@pytest.fixture
def drawn() -> Callable[[float], tuple[Any, ...]]:
    """True weights, and four independent halves of answers about them with so much noise each."""
    random = np.random.default_rng(0)
    weights = random.normal(size=200_000)
    return lambda noise: (weights, *(weights + random.normal(size=len(weights)) * noise for _ in range(4)))


@pytest.mark.parametrize("noise", [0.2, 1.0, 3.0])
def test_halves_and_errors_foretell_how_alike_two_wholes_are(
    drawn: Callable[[float], tuple[Any, ...]], noise: float
) -> None:
    weights, *halves = drawn(noise)
    wholes = (halves[0] + halves[1]) / 2, (halves[2] + halves[3]) / 2
    expected = float(np.corrcoef(*wholes)[0, 1])
    assert doubled(float(np.corrcoef(halves[0], halves[1])[0, 1])) == pytest.approx(expected, abs=0.01)
    errors = np.full(len(weights), noise / np.sqrt(2))
    known = Surrogate(weights=tuple(wholes[0].tolist()), errors=tuple(errors.tolist()), fit=1.0)
    assert likeness(known) == pytest.approx(expected, abs=0.01)


def test_halves_that_contradict_each_other_foretell_nothing() -> None:
    assert doubled(-0.5) == doubled(0.0) == 0.0


@pytest.mark.parametrize("backbone", ["some/bert", "minilm", "cnn"])
@pytest.mark.parametrize(("agreed", "steps"), [(0.9, 0), (0.1, 3)])
def test_words_are_final_when_their_halves_agree_though_errors_are_large(
    make_fake: Callable[..., Any],
    make_item: Callable[..., ItemContent],
    monkeypatch: pytest.MonkeyPatch,
    agreed: float,
    steps: int,
    backbone: str,
) -> None:
    monkeypatch.setattr(lime, "likeness", lambda _: 0.0)
    monkeypatch.setattr("engine.explain.joint._reliability", lambda *_: agreed)
    monkeypatch.setattr(lime, "MOST_TEXT", SECOND + 3 * STEP_TEXT)
    model = make_fake()
    model.card = msgspec.structs.replace(model.card, network={"text": {"backbone": backbone}})
    found = explain(model, make_item(TEXT, capture=None), "toxicity", "toxic")
    assert found.samples == SECOND + steps * STEP_TEXT


@pytest.mark.parametrize("backbone", ["minilm", "cnn"])
def test_words_are_not_final_before_their_pairs_are_looked_at(
    make_fake: Callable[..., Any], make_item: Callable[..., ItemContent], backbone: str
) -> None:
    """One word of sixty decides: a first map knows little of the others, and says so."""
    text = " ".join(["glorp", *(f"word{number}" for number in range(59))])
    model = make_fake(text=4.0)
    model.card = msgspec.structs.replace(model.card, network={"text": {"backbone": backbone}})
    maps: list[Explanation] = []
    explain(model, make_item(text, capture=None), "toxicity", "toxic", emit=maps.append)
    assert [one.final for one in maps] == [False, True]
    assert maps[-1].samples >= 120
    for one in maps:
        coloured = [token.text for token in one.tokens if is_clear(token.weight, token.error)]
        assert len(set(coloured) - {"glorp"}) <= 6
    assert "glorp" in coloured
