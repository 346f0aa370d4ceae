"""How items are put together for a backbone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import length_hint
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.models.scorer import AHEAD, CHARACTERS, SPARE, Scorer, _by_length


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


class Letters:
    """A tokenizer: a letter is a token."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]


class Filled:
    """An encoder that has room for some more texts than are asked for."""

    def __init__(self, room: int) -> None:
        self.room = room

    def filling(self, lengths: Sequence[int], fewest: int) -> int:
        return min(fewest + self.room, len(lengths))


Task = Callable[[], None]


def scorer_of(tasks: Callable[[Sequence[Sequence[int]], torch.Tensor], list[Task]], room: int = 0) -> Scorer:
    """A scorer whose text encoder does these tasks."""

    class Counted(Scorer):
        def _text_tasks(self, tokens: list[list[int]], answer: torch.Tensor, *_: object) -> list[Task]:
            return tasks(tokens, answer)

    network: Any = SimpleNamespace(missing_text=torch.zeros(1))
    encoders: Any = SimpleNamespace(packed=Filled(room))
    tokenizer: Any = Letters()
    return Counted(network, tokenizer, {}, encoders, torch.device("cpu"))


def lengths_into(tokens: Sequence[Sequence[int]], answer: torch.Tensor) -> list[Task]:
    return [partial(answer.__setitem__, row, float(len(own))) for row, own in enumerate(tokens)]


TEXTS = ["a", "bb", "", "ccc", "dddd", "e", "ff", "ggg", "h"]


@pytest.mark.parametrize(
    ("stops", "room", "parts"),
    [
        ((3, 5), 0, [(0, 3), (3, 5)]),
        ((3, 5), 1, [(0, 4), (4, 6)]),
        ((3, 4), 2, [(0, 5), (5, 7)]),
        ((3, 40), 2, [(0, 5), (5, 9)]),
        ((9, 9), 4, [(0, 9), (9, 9)]),
    ],
)
def test_texts_come_in_turn_and_some_more_where_there_is_room(
    stops: tuple[int, ...], room: int, parts: list[tuple[int, int]]
) -> None:
    found = [one for one in scorer_of(lengths_into, room).text_vectors_in_turn(TEXTS, stops) if one is not None]
    assert [one[:, 0].tolist() for one in found] == [[len(text) for text in TEXTS[a:b]] for a, b in parts]


def test_no_more_texts_are_read_than_may_be_needed() -> None:
    texts = iter(["text"] * 1000)
    list(scorer_of(lengths_into).text_vectors_in_turn(texts, (10, 50)))
    assert len(list(texts)) == 1000 - 50 - SPARE


def test_of_long_texts_a_few_are_taken_apart_between_two_looks() -> None:
    texts = iter(["a" * (CHARACTERS // 3)] * 10)
    looks = [
        (length_hint(texts), found if found is None else len(found))
        for found in scorer_of(lengths_into).text_vectors_in_turn(texts, (9,))
    ]
    assert looks[:2] == [(6, None), (2, None)]
    assert looks[-1] == (0, 9)


def test_only_a_few_texts_are_begun_ahead_and_none_after_it_is_closed() -> None:
    begun: list[int] = []
    scorer = scorer_of(lambda tokens, _: [partial(begun.append, len(own)) for own in tokens])
    steps = scorer.text_vectors_in_turn(["text"] * 100, (100,))
    assert next(iter(steps)) is None
    steps.close()
    assert 0 < len(begun) <= AHEAD + 2


def test_what_goes_wrong_in_a_task_is_told() -> None:
    scorer = scorer_of(lambda tokens, _: [partial(tokens.index, "absent")])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="absent"):
        list(scorer.text_vectors_in_turn(["text", "text"], (1, 2)))


def looking_scorer(look: Callable[[int], object] = lambda _: None) -> Scorer:
    """A scorer whose image encoder gives a square's first byte, after a look at it."""

    def vectors(squares: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        for square in squares:
            look(int(square[0, 0, 0]))
        return torch.tensor([[float(square[0, 0, 0])] for square in squares])

    encoders: Any = SimpleNamespace(squares=vectors)
    network: Any = SimpleNamespace()
    return Scorer(network, None, {}, encoders, torch.device("cpu"))


def parts_of(*numbers: Sequence[int]) -> list[Callable[[], list[NDArray[np.uint8]]]]:
    return [partial(lambda own: [np.full((2, 2, 3), number, np.uint8) for number in own], own) for own in numbers]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_screenshots_come_in_turn_though_two_parts_are_looked_at_at_a_time() -> None:
    both = threading.Barrier(2)

    def look(number: int) -> None:
        if number in {1, 3}:
            both.wait(30)  # neither is done before the other one is begun

    found = looking_scorer(look).square_vectors_in_turn(parts_of([1, 2], [3], [4, 5, 6], []))
    assert [one.flatten().tolist() for one in found if one is not None] == [[1, 2], [3], [4, 5, 6], []]


def test_only_a_few_screenshots_are_made_ahead_and_none_after_it_is_closed() -> None:
    made: list[int] = []

    def make(number: int) -> list[NDArray[np.uint8]]:
        made.append(number)
        return [np.zeros((2, 2, 3), np.uint8)]

    steps = looking_scorer().square_vectors_in_turn(partial(make, number) for number in range(100))
    next(steps)
    steps.close()
    assert 0 < len(made) <= AHEAD + 2


def test_whoever_stops_does_not_wait_for_a_slow_network() -> None:
    go, gone = threading.Event(), list[bool]()
    steps = looking_scorer(lambda _: gone.append(go.wait(30))).square_vectors_in_turn(parts_of([1], [2], [3]))
    assert [next(steps), next(steps)] == [None, None]
    steps.close()
    assert not gone
    go.set()


def test_a_screenshot_that_cannot_be_made_is_told() -> None:
    with pytest.raises(ValueError, match="broken"):
        list(looking_scorer().square_vectors_in_turn([partial(int, "broken")]))  # type: ignore[list-item]
