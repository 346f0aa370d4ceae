"""How the session goes: how many items were decided, how fast, and how long the item on screen has been there."""

from __future__ import annotations

from itertools import islice

from PySide6.QtCore import QElapsedTimer

IDLE_LIMIT = 300.0
"""Seconds. Who looks at an item for longer than this has left the desk; the rest does not count."""

_WINDOW = 20
_LEAST = 0.05


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
    """Items decided in this session and items a minute over the last 20 of them."""

    def __init__(self) -> None:
        self._acts: dict[str, float] = {}

    @property
    def done(self) -> int:
        """How many items were decided in this session and not taken back."""
        return len(self._acts)

    def decided(self, act: str, seconds: float) -> None:
        """Count one act that took this long."""
        self._acts[act] = max(_LEAST, seconds)

    def undone(self, act: str) -> None:
        """Take an act back; one of an earlier session was never counted in this one."""
        self._acts.pop(act, None)

    def per_minute(self) -> float | None:
        """Return items a minute; None before the second item, when it would say nothing."""
        latest = list(islice(reversed(self._acts.values()), _WINDOW))
        return 60 * len(latest) / sum(latest) if len(latest) > 1 else None
