"""Texts are asked about in batches that a CPU gets through soon, whatever it calculates in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from engine.explain import explain
from engine.explain.designs import coin_flips
from engine.explain.model import Question
from engine.explain.sampling import Sampler
from engine.explain.text_part import PACKED, SECOND, TOKENS, TextPart
from engine.types import ItemContent

WORDS = 40
TEXT = " ".join(f"word{number}" for number in range(WORDS))


@pytest.fixture
def part(make_fake: Callable[..., Any], make_item: Callable[..., ItemContent]) -> Callable[..., TextPart]:
    def make(backbone: str, device: str, *, packs: bool = False) -> TextPart:
        model = make_fake()
        model.card = msgspec.structs.replace(model.card, network={"text": {"backbone": backbone}})
        model.device_name, model.packs_texts = device, packs
        return TextPart(Question.ask(model, make_item(TEXT, capture=None), "toxicity", "toxic"), torch.zeros(1, 1))

    return make


@pytest.mark.parametrize("arithmetic", list(TOKENS))
@pytest.mark.parametrize(("backbone", "column"), [("minilm", 0), ("some/bert", 1)])
def test_batches_hold_every_row_once_and_no_more_tokens_than_they_may(
    part: Callable[[str, str], TextPart], backbone: str, column: int, arithmetic: str
) -> None:
    made = part(backbone, f"CPU, 1 thread, fp32 image, {arithmetic} text")
    masks = np.random.default_rng(0).random((100, WORDS)) < 0.5
    batches = list(made.batches(masks))
    assert sorted(np.concatenate(batches).tolist()) == list(range(100))
    for rows in batches:
        tokens = len(rows) * (1.5 * masks[rows].sum(axis=1).max() + 2)
        assert len(rows) == 1 or tokens <= TOKENS[arithmetic][column]


@pytest.mark.parametrize(("backbone", "column"), [("minilm", 0), ("some/bert", 1)])
def test_texts_that_share_rows_fill_runs_of_the_encoder(
    part: Callable[..., TextPart], backbone: str, column: int
) -> None:
    """The first batch leaves room for the whole text, which comes with it."""
    made = part(backbone, "CPU, 1 thread, fp32 image, int8 text", packs=True)
    masks = np.random.default_rng(0).random((200, WORDS)) < 0.5
    tokens = 1.5 * masks.sum(axis=1) + 2
    for whole in (1.5 * WORDS + 2, 0.0):
        batches = list(made.batches(masks))
        assert sorted(np.concatenate(batches).tolist()) == list(range(200))
        sums = [tokens[rows].sum() for rows in batches]
        sums[0] += whole
        assert all(0.7 * PACKED[column] < one < 1.3 * PACKED[column] for one in sums[:-1])
        assert len(made.whole()) == 1


@pytest.mark.parametrize("packs", [True, False])
def test_all_rows_are_asked_about_in_one_go_where_texts_share_rows(part: Callable[..., TextPart], packs: bool) -> None:
    made = part("minilm", "CPU, 1 thread, fp32 image, int8 text", packs=packs)
    masks = np.random.default_rng(0).random((30, WORDS)) < 0.5
    answers = [answer for answer in made.answers(masks, (10, 24)) if answer is not None]
    asked = 24 if packs else 10
    assert sorted(np.concatenate([rows for rows, _ in answers]).tolist()) == list(range(asked))
    for rows, vectors in answers:
        torch.testing.assert_close(vectors, made.vectors(masks[rows]))
    assert torch.equal(made.whole(), torch.zeros(1, 1))


def test_a_sampler_waits_for_what_is_under_way_and_asks_nothing_twice(part: Callable[..., TextPart]) -> None:
    made = part("minilm", "CPU, 1 thread, fp32 image, int8 text", packs=True)
    model: Any = made._question.model
    sampler = Sampler(made, made.design(80, 0))
    list(sampler.extend(20, ahead=50))
    assert len(model.texts) == 21  # the whole text, too
    list(sampler.extend(50))
    list(sampler.extend(70))
    assert len(model.texts) == len(set(model.texts)) == 71
    assert sampler.samples == 70
    assert torch.equal(sampler.vectors(0, 70), made.vectors(sampler.design.masks[:70]))


def test_a_sampler_takes_what_it_gets_beyond_what_it_asked_for(part: Callable[..., TextPart]) -> None:
    """Each part fills the runs of the encoder; the next one begins behind it, and the design ends where it ends."""
    made = part("minilm", "CPU, 1 thread, fp32 image, int8 text", packs=True)
    model: Any = made._question.model
    model.spare = 7
    sampler = Sampler(made, made.design(80, 0))
    list(sampler.extend(20, ahead=50))
    assert sampler.samples == 20 + model.spare
    list(sampler.extend(50))
    assert sampler.samples == 50 + model.spare
    list(sampler.extend(80))
    assert sampler.samples == 80
    assert len(model.texts) == len(set(model.texts)) == 81
    assert torch.equal(sampler.vectors(0, 80), made.vectors(sampler.design.masks))


@pytest.mark.parametrize("packs", [True, False])
def test_a_design_with_repeated_rows_is_answered_row_by_row(part: Callable[..., TextPart], packs: bool) -> None:
    made = part("minilm", "CPU, 1 thread, fp32 image, int8 text", packs=packs)
    masks = np.random.default_rng(0).random((12, WORDS)) < 0.5
    masks = masks[[0, 1, 0, 2, 3, 3, 4, 1, 5, 6, 7, 8, 0, 9, 10, 11]]
    sampler = Sampler(made, coin_flips(masks))
    list(sampler.extend(3))
    assert sampler.samples == 3
    list(sampler.extend(7))
    assert sampler.samples == 8, "the eighth row is one that came before"
    assert torch.equal(sampler.vectors(0, 8), made.vectors(masks[:8]))
    list(sampler.extend(16))
    model: Any = made._question.model
    made.whole()
    assert len(set(model.texts)) == 12 + 1, "the whole text, too"


def test_what_never_moves_is_asked_about_twice_before_it_is_called_indifferent(
    make_fake: Callable[..., Any], make_item: Callable[..., ItemContent]
) -> None:
    model = make_fake(text=0.0)
    model.card = msgspec.structs.replace(model.card, network={"text": {"backbone": "some/bert"}})
    found = explain(model, make_item(TEXT, capture=None), "toxicity", "toxic")
    assert found.samples == SECOND
    assert "does not depend" in found.note
