"""How the session goes: what was done with how many items, how fast, and how long the item on screen is there."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from PySide6.QtCore import QElapsedTimer

from engine.types import Action

IDLE_LIMIT = 300.0
"""Seconds. Who looks at an item for longer than this has left the desk; the rest does not count."""

_WINDOW = 20
_LEAST = 0.05
_OUTCOMES = {Action.SKIP: "skipped", Action.ESCALATE: "escalated"}


class Stopwatch:
    """Seconds an item is in front of the reviewer, monotonic, capped at `IDLE_LIMIT`."""

    def __init__(self) -> None:
        self._timer = QElapsedTimer()
        self._timer.start()

    def restart(self) -> None:
        """Begin with a new item."""
        self._timer.restart()

    def seconds(self) -> float:
        """Return the seconds since the last restart, at most `IDLE_LIMIT`."""
        return min(IDLE_LIMIT, self._timer.elapsed() / 1000)


class Pace:
    """What was done with items in this session, and items a minute over the last 20 of them."""

    def __init__(self) -> None:
        self._acts: dict[str, tuple[str, float]] = {}

    @property
    def words(self) -> list[str]:
        """How many acts stand, by what they did: ["3 decided", "1 skipped"]; nothing is said of what never happened."""
        counts = Counter(outcome for outcome, _ in self._acts.values())
        return [f"{counts[outcome]:,} {outcome}" for outcome in ("decided", "skipped", "escalated") if counts[outcome]]

    def ended(self, act: str, action: Action, seconds: float) -> None:
        """Count one act that ended with this action and took this long."""
        self._acts[act] = (_OUTCOMES.get(action, "decided"), max(_LEAST, seconds))

    def undone(self, act: str) -> None:
        """Take an act back; one of an earlier session was never counted in this one."""
        self._acts.pop(act, None)

    def per_minute(self) -> float | None:
        """Return items a minute; None before the second item, when it would say nothing."""
        latest = list(islice((seconds for _, seconds in reversed(self._acts.values())), _WINDOW))
        return 60 * len(latest) / sum(latest) if len(latest) > 1 else None
