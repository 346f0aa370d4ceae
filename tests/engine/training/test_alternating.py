"""Item sets found from what is answered, and batches of one set that take turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.alternating import alternating_batches, item_sets
from engine.training.batching import mixed_batches

NAN = float("nan")


def targets(answered: dict[str, str]) -> dict[str, torch.Tensor]:
    """A task's row is answered where its string has an x."""
    return {
        task: torch.tensor([[1.0, 0.0] if mark == "x" else [NAN, NAN] for mark in marks])
        for task, marks in answered.items()
    }


def deal(rows: Sequence[int], seed: int) -> list[list[int]]:
    return mixed_batches(len(rows), 4, seed=seed, epoch=0)


def test_tasks_that_share_no_item_are_sets_of_their_own() -> None:
    assert item_sets(targets({"a": "xx...", "b": "..x..", "c": "...x."})) == [[0, 1], [2], [3]]


def test_a_question_that_only_some_items_get_does_not_part_them_from_the_others() -> None:
    assert item_sets(targets({"toxic": "xxxx..", "reason": ".x.x..", "stance": "....xx"})) == [[0, 1, 2, 3], [4, 5]]


def test_a_task_that_links_two_sets_makes_them_one() -> None:
    assert item_sets(targets({"a": "x.....", "b": "..x...", "c": "....x.", "d": "x.x..."})) == [[0, 2], [4]]


def test_a_task_without_an_answer_has_no_set() -> None:
    assert item_sets(targets({"a": "...", "b": "x.x"})) == [[0, 2]]


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_item_comes_once_and_no_batch_holds_two_sets(sizes: list[int], seed: int) -> None:
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    sets = [list(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]
    batches = alternating_batches(sets, deal, seed)
    assert sorted(row for batch in batches for row in batch) == list(range(sum(sizes)))
    owner = {row: place for place, rows in enumerate(sets) for row in rows}
    assert all(len({owner[row] for row in batch}) == 1 for batch in batches)


def test_sets_take_turns_in_proportion_to_their_size() -> None:
    sets = [list(range(80)), list(range(80, 120)), list(range(120, 128))]  # 20, 10 and 2 batches of 4
    turns = ["abc"[0 if batch[0] < 80 else 1 if batch[0] < 120 else 2] for batch in alternating_batches(sets, deal, 1)]
    assert Counter(turns) == {"a": 20, "b": 10, "c": 2}
    for start in range(0, 32, 8):
        part = Counter(turns[start : start + 8])
        assert abs(part["a"] - 5) <= 1
        assert abs(part["b"] - 2.5) <= 1
    assert (turns[:16].count("c"), turns[16:].count("c")) == (1, 1)


def test_one_set_is_dealt_as_without_sets() -> None:
    assert alternating_batches([list(range(50))], deal, 7) == mixed_batches(50, 4, seed=7, epoch=0)


def test_sets_of_one_size_are_shuffled_differently() -> None:
    batches = alternating_batches([list(range(12)), list(range(12, 24))], deal, 7)
    first = [batch for batch in batches if batch[0] < 12]
    second = [[row - 12 for row in batch] for batch in batches if batch[0] >= 12]
    assert first != second
    assert batches == alternating_batches([list(range(12)), list(range(12, 24))], deal, 7)
