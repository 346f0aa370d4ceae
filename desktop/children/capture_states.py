"""The pages of a capture and how far it is, as the capture page shows them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

import msgspec

from engine.counting import counted

WAITING = ("waiting", "open", "again", "taking")
"""States of pages that are not settled: not begun, in the browser, to be tried again, about to become an item."""
FAILED = "failed"
STATES = (*WAITING, "captured", "there", "gone", FAILED)
GOING_ON = ("prepare", "start", "run", "hold", "rest", "stop")
"""Stages with a child process: made ready, its browser starting, capturing, about to pause, paused, about to stop."""
STAGES = ("idle", *GOING_ON, "stopped", "broken", "done")
"""Without a child: nothing to capture; stopped with pages left; ended by a fault; nothing left."""

RECENT_S = 20.0
"""The pace is that of so many last seconds."""


class CaptureOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is captured. `profile` "" lets each address choose; `rate` is pages a minute and host, 0: no limit.

    `scripts`: whether the pages' own may run.
    """

    profile: str = ""
    width: int = 600
    height: int = 600
    rate: int = 60
    passes: int = 3
    allow_local: bool = False
    scripts: bool = True


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One address of the list.

    `state` is one of `STATES`. `capture` is the picture of its item; `picture` a file of the job's folder that shows
    what stood there instead; `seen` counts such pictures.
    """

    key: str
    item: str
    state: str = "waiting"
    reason: str = ""
    tries: int = 0
    capture: str = ""
    picture: str = ""
    seen: int = 0
    title: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state not in WAITING


class CaptureState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a capture is. `stage` is one of `STAGES`; `text` says it in words, with the pace; `fault` is a fault's.

    `done` of `total` pages are settled, `failed` of them without an item.
    """

    stage: str = "idle"
    text: str = ""
    fault: str = ""
    done: int = 0
    total: int = 0
    failed: int = 0

    @property
    def running(self) -> bool:
        """Whether there is a child process, or one about to be."""
        return self.stage in GOING_ON


class PageList:
    """The pages in the list's order, found by their address, and counted by state."""

    def __init__(self, pages: Iterable[Page] = ()) -> None:
        self.rows = list(pages)
        self.places = {page.key: place for place, page in enumerate(self.rows)}
        self.counts = Counter(page.state for page in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, key: str) -> Page | None:
        """Return the page of this address, or None."""
        place = self.places.get(key)
        return None if place is None else self.rows[place]

    def put(self, page: Page) -> int:
        """Replace the page of this address and return its place; raises KeyError for an unknown one."""
        place = self.places[page.key]
        self.counts[self.rows[place].state] -= 1
        self.counts[page.state] += 1
        self.rows[place] = page
        return place

    def keys(self, *states: str) -> tuple[str, ...]:
        """Return the addresses of the pages in these states."""
        return tuple(page.key for page in self.rows if page.state in states)

    @property
    def waiting(self) -> int:
        """How many are not settled."""
        return sum(self.counts[state] for state in WAITING)


class Tempo:
    """How fast pages were settled in the last seconds of a clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: deque[float] = deque()
        self._began = clock()

    def restart(self) -> None:
        """Forget what was before a start or a pause."""
        self._ends.clear()
        self._began = self._clock()

    def count(self) -> None:
        """Note that a page was settled just now."""
        self._ends.append(self._clock())

    def per_second(self) -> float:
        """Return pages a second, 0 where nothing was settled lately."""
        now = self._clock()
        while self._ends and self._ends[0] < now - RECENT_S:
            self._ends.popleft()
        return len(self._ends) / max(min(now - self._began, RECENT_S), 1.0)


def pace_words(per_second: float, left: int) -> str:
    """Return pace and time left: "4.1 pages a second · about 20 s left"; "" while there is no pace."""
    if per_second <= 0:
        return ""
    slow = f"{counted(round(60 * per_second), 'page')} a minute"
    pace = f"{per_second:.1f} pages a second" if per_second >= 1 else slow
    return f"{pace} · {_time_left(left / per_second)}" if left else pace


def ending(pages: PageList) -> str:
    """Return what became of the pages: "117 captured, 2 gone, 1 failed."."""
    counts = pages.counts
    words = {"captured": "captured", "there": "there already", "gone": "gone", FAILED: "failed"}
    parts = [f"{counts[state]:,} {word}" for state, word in words.items() if counts[state]]
    return f"{', '.join(parts)}." if parts else "Nothing was captured."


def _time_left(seconds: float) -> str:
    if seconds < 90:
        rounded = max(5, 5 * round(seconds / 5)) if seconds >= 8 else max(1, round(seconds))
        return f"about {rounded} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 100 else f"about {minutes / 60:.0f} h left"
