"""Which page is captured next: each host at its pace, tries again after a growing delay. Keeps no clock of its own."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Generic, TypeVar

T = TypeVar("T")

FIRST_DELAY, GROWTH, LONGEST_DELAY = 5.0, 3.0, 600.0


def delay_after(tries: int) -> float:
    """Return how many seconds to wait after so many failed tries of a page: 5, 15, 45, …, at most ten minutes."""
    return float(min(FIRST_DELAY * GROWTH ** (max(tries, 1) - 1), LONGEST_DELAY))


class Pace(Generic[T]):
    """A queue of tasks: hosts take turns, and each host's tasks keep their order.

    Times are seconds of one monotonic clock, which the caller reads.

    Args:
        per_minute: how many tasks of one host may begin in a minute, evenly spaced; 0 for no limit. Tasks of the host
            "" (pages that no stranger serves) are never held back.
    """

    def __init__(self, per_minute: float) -> None:
        self._gap = 60.0 / per_minute if per_minute > 0 else 0.0
        self._tasks: dict[str, list[tuple[float, int, T]]] = defaultdict(list)
        self._free: dict[str, float] = defaultdict(float)
        self._due: list[tuple[float, int, str]] = []
        self._listed: dict[str, float] = {}
        self._number = 0
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def add(self, task: T, host: str, not_before: float = 0.0) -> None:
        """Let a task of `host` wait, to begin at `not_before` at the earliest."""
        self._number += 1
        self._waiting += 1
        heapq.heappush(self._tasks[host], (not_before, self._number, task))
        self._list(host)

    def rest(self, host: str, until: float) -> None:
        """Leave a host alone until a time, because it asked for that."""
        self._free[host] = max(self._free[host], until)

    def next(self, now: float) -> T | None:
        """Return a task that may begin at `now`, which counts for its host's pace; None where none may yet."""
        while self._due and self._due[0][0] <= now:
            listed, _, host = heapq.heappop(self._due)
            if self._listed.get(host) != listed:
                continue
            del self._listed[host]
            if self._when(host) <= now:
                _, _, task = heapq.heappop(self._tasks[host])
                self._waiting -= 1
                self._free[host] = max(self._free[host], now + self._gap) if host else 0.0
                self._list(host)
                return task
            self._list(host)
        return None

    def _when(self, host: str) -> float:
        return max(self._free[host], self._tasks[host][0][0])

    def _list(self, host: str) -> None:
        """Note when the host's next task may begin; an entry that is later than that is left and passed over."""
        if not self._tasks[host]:
            del self._tasks[host]
            return
        when = self._when(host)
        if when < self._listed.get(host, float("inf")):
            self._listed[host] = when
            self._number += 1
            heapq.heappush(self._due, (when, self._number, host))
