"""Each worker has a core, and nobody else loses any."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from engine.models.workers import each_on_one_core, single_threaded


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_workers_are_limited_and_others_are_not() -> None:
    with single_threaded(3) as pool:
        together = threading.Barrier(3)

        def counted() -> int:
            together.wait(30)  # so that each worker answers
            return torch.get_num_threads()

        assert [one.result() for one in [pool.submit(counted) for _ in range(3)]] == [1, 1, 1]
        assert torch.get_num_threads() == 2
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [2]
    assert torch.get_num_threads() == 2


def test_what_waits_is_not_begun_when_the_pool_is_left() -> None:
    entered, go, begun = threading.Event(), threading.Event(), list[int]()

    def first() -> None:
        entered.set()
        go.wait(30)

    with single_threaded(1) as pool:
        pool.submit(first)
        waiting = pool.submit(begun.append, 1)
        waiting.add_done_callback(lambda _: go.set())
        entered.wait(30)
    assert waiting.cancelled()
    assert begun == []


def test_a_failure_comes_to_the_one_who_asked() -> None:
    with single_threaded(2) as pool:
        assert isinstance(pool.submit(lambda: 1 // 0).exception(), ZeroDivisionError)


def test_steps_are_made_on_one_core_and_what_is_between_them_is_not() -> None:
    seen: list[int | None] = []

    def work() -> Iterator[int | None]:
        for number in (0, None, 2):
            seen.append(torch.get_num_threads())
            yield number

    steps = each_on_one_core(work())
    assert [(step, torch.get_num_threads()) for step in steps] == [(0, 2), (None, 2), (2, 2)]
    assert seen == [1, 1, 1]


def test_the_cores_come_back_where_a_step_fails() -> None:
    def work() -> Iterator[int]:
        yield 1
        raise ValueError

    steps = each_on_one_core(work())
    assert next(steps) == 1
    with pytest.raises(ValueError, match=r"^$"):
        next(steps)
    assert torch.get_num_threads() == 2
