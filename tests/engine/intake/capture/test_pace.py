from __future__ import annotations

import itertools
import random

import pytest

from engine.intake.capture.pace import Pace, delay_after


def begun(pace: Pace[str], until: float, step: float = 0.25) -> list[tuple[float, str]]:
    """What begins when, looked at every quarter of a second, several at once."""
    found: list[tuple[float, str]] = []
    now = 0.0
    while now <= until and len(pace):
        while (task := pace.next(now)) is not None:
            found.append((now, task))
        now += step
    return found


def test_each_host_keeps_its_own_pace() -> None:
    pace: Pace[str] = Pace(60)
    for number in range(3):
        pace.add(f"a{number}", "a")
        pace.add(f"b{number}", "b")
    times = begun(pace, 10)
    assert [when for when, task in times if task[0] == "a"] == [0.0, 1.0, 2.0]
    assert [when for when, task in times if task[0] == "b"] == [0.0, 1.0, 2.0]
    assert [task for _, task in times if task[0] == "a"] == ["a0", "a1", "a2"]


def test_without_a_limit_nothing_waits_and_the_order_is_kept() -> None:
    pace: Pace[str] = Pace(0)
    for number in range(5):
        pace.add(str(number), "a")
    assert begun(pace, 0) == [(0.0, str(number)) for number in range(5)]


def test_the_host_of_nobody_is_never_held_back() -> None:
    pace: Pace[str] = Pace(1)
    for number in range(5):
        pace.add(str(number), "")
    assert len(begun(pace, 0)) == 5


def test_a_task_that_comes_back_later_holds_nobody_up() -> None:
    pace: Pace[str] = Pace(60)
    pace.add("again", "a", not_before=2.5)
    pace.add("new", "a")
    pace.add("newer", "a")
    assert begun(pace, 10) == [(0.0, "new"), (1.0, "newer"), (2.5, "again")]


def test_a_host_that_asked_for_rest_gets_it_also_when_it_was_due() -> None:
    pace: Pace[str] = Pace(0)
    pace.add("a0", "a")
    pace.rest("a", 5.0)
    pace.add("b0", "b")
    assert begun(pace, 10) == [(0.0, "b0"), (5.0, "a0")]


@pytest.mark.parametrize("seed", range(5))
def test_any_mixture_begins_each_task_once_in_time_and_never_too_fast(seed: int) -> None:
    chance = random.Random(seed)
    pace: Pace[str] = Pace(30)
    earliest = {}
    for number in range(60):
        host = chance.choice("abc")
        earliest[f"{host}{number}"] = chance.choice([0.0, 0.0, 3.0, 7.5])
        pace.add(f"{host}{number}", host, earliest[f"{host}{number}"])
    times = begun(pace, 1000)
    assert sorted(task for _, task in times) == sorted(earliest)
    assert all(when >= earliest[task] for when, task in times)
    for host in "abc":
        own = [when for when, task in times if task[0] == host]
        assert all(after - before >= 2.0 for before, after in itertools.pairwise(own))
        # No host idles while it has a task that may begin: with this many at 0 it is busy from the start.
        assert own[0] == 0.0


def test_delays_grow_to_an_end() -> None:
    delays = [delay_after(tries) for tries in range(1, 12)]
    assert delays[:3] == [5.0, 15.0, 45.0]
    assert delays == sorted(delays)
    assert delays[-1] == 600.0
