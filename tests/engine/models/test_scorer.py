"""How items are put together for a backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.models.scorer import AHEAD, Scorer, _by_length


@pytest.mark.parametrize("tokens", [1, 10, 40, 1000])
def test_chunks_hold_all_rows_once_and_few_padded_tokens(tokens: int) -> None:
    lengths = [7, 1, 30, 12, 12, 3, 9, 28, 1, 2, 50, 12]
    chunks = list(_by_length(lengths, tokens))
    assert sorted(row for chunk in chunks for row in chunk) == list(range(len(lengths)))
    for chunk in chunks:
        assert len(chunk) == 1 or len(chunk) * max(lengths[row] for row in chunk) <= tokens
    longest = [max(lengths[row] for row in chunk) for chunk in chunks]
    assert longest == sorted(longest, reverse=True)
    assert all(min(lengths[row] for row in one) >= longest[at + 1] for at, one in enumerate(chunks[:-1]))


def test_no_rows_make_no_chunks() -> None:
    assert list(_by_length([], 10)) == []


def scorer_of(tasks: Callable[[Sequence[str], torch.Tensor], list[Callable[[], None]]]) -> Scorer:
    """A scorer whose text encoder does these tasks."""

    class Counted(Scorer):
        def _text_tasks(self, texts: Sequence[str], answer: torch.Tensor) -> list[Callable[[], None]]:
            return tasks(texts, answer)

    network: Any = SimpleNamespace(missing_text=torch.zeros(1))
    encoders: Any = None
    return Counted(network, None, {}, encoders, torch.device("cpu"))


def lengths_into(texts: Sequence[str], answer: torch.Tensor) -> list[Callable[[], None]]:
    return [partial(answer.__setitem__, row, float(len(text))) for row, text in enumerate(texts)]


def test_groups_of_texts_come_in_turn_and_whole() -> None:
    groups = [["a", "bb", "ccc"] * 3, [], ["dddd"], ["", "ee"]]
    found = [one for one in scorer_of(lengths_into).text_vectors_in_turn(groups) if one is not None]
    assert [one[:, 0].tolist() for one in found] == [[len(text) for text in texts] for texts in groups]


def test_only_a_few_texts_are_begun_ahead_and_none_after_it_is_closed() -> None:
    begun: list[str] = []
    scorer = scorer_of(lambda texts, _: [partial(begun.append, text) for text in texts])
    steps = scorer.text_vectors_in_turn([["text"] * 100])
    assert next(iter(steps)) is None
    steps.close()
    assert 0 < len(begun) <= AHEAD + 2


def test_what_goes_wrong_in_a_task_is_told() -> None:
    steps = scorer_of(lambda texts, _: [partial(texts.index, "absent")]).text_vectors_in_turn([["text"]])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="absent"):
        list(steps)
