"""A long call that cannot be stopped half-way: whoever waits for it is free to stop, and its result is dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from engine.errors import CancelledError
from engine.explain import explain_steps, lime
from engine.explain.waiting import beside, watched

TIMEOUT = 30


@pytest.fixture
def slow() -> Iterator[tuple[Callable[[], str], threading.Event, threading.Event]]:
    """Work that ends when the first event is set, and then sets the second."""
    leave, left = threading.Event(), threading.Event()

    def work() -> str:
        assert leave.wait(TIMEOUT)
        left.set()
        return "done"

    yield work, leave, left
    leave.set()


def result_of(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def test_there_are_steps_while_it_lasts_and_then_its_result(slow: Any) -> None:
    work, leave, _ = slow
    steps = beside(work)
    assert [next(steps), next(steps)] == [None, None]
    leave.set()
    assert result_of(steps) == "done"


def test_who_closes_it_does_not_wait(slow: Any) -> None:
    work, leave, left = slow
    with closing(beside(work)) as steps:
        next(steps)
    assert not left.is_set()
    leave.set()
    assert left.wait(TIMEOUT)


def test_mistakes_arrive_where_it_is_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        result_of(beside(lambda: 1 // 0))


def test_who_watches_stops_while_it_goes_on(slow: Any) -> None:
    work, _, left = slow
    looks = iter([False, False, True])

    def check() -> None:
        if next(looks):
            raise CancelledError

    with pytest.raises(CancelledError):
        watched(work, check)
    assert not left.is_set()
    assert watched(lambda: 7, lambda: None) == 7


@pytest.mark.parametrize("stage", ["decoding", "cutting"])
def test_an_explanation_can_be_left_while_a_screenshot_is_taken_apart(
    fake: Any, make_item: Any, monkeypatch: pytest.MonkeyPatch, slow: Any, stage: str
) -> None:
    """A page of 1,280 × 12,000 pixels takes a second."""
    work, _, left = slow
    if stage == "decoding":
        monkeypatch.setattr(fake, "pixels", lambda _: work())
    else:
        monkeypatch.setattr(lime, "Perturbed", lambda *_, **__: work())
    with closing(explain_steps(fake, make_item(), "toxicity", "toxic")) as steps:
        seen = [next(steps) for _ in range(20)]
    assert seen == [None] * 20
    assert not left.is_set()
