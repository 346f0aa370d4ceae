"""What others say to a campaign while it runs, and what it tells them of each page."""

from __future__ import annotations

import queue
import threading
from typing import Protocol

from engine.intake.capture.types import Outcome
from engine.types import Struct


class Control:
    """Pauses a running campaign, lets it go on, and gives failed pages another try. Safe to call from any thread."""

    def __init__(self) -> None:
        self._held = threading.Event()
        self._again: queue.SimpleQueue[str] = queue.SimpleQueue()

    @property
    def paused(self) -> bool:
        """Whether no further page may be begun; those that are open are finished."""
        return self._held.is_set()

    def pause(self) -> None:
        """Begin no further page."""
        self._held.set()

    def go_on(self) -> None:
        """Begin pages again."""
        self._held.clear()

    def retry(self, key: str) -> None:
        """Give a page that failed a new set of tries; where it did not fail, nothing happens."""
        self._again.put(key)

    def wanted(self) -> list[str]:
        """Return the pages that were to be tried again since this was last asked."""
        found = []
        while not self._again.empty():
            found.append(self._again.get())
        return found


class Try(Struct, frozen=True, kw_only=True):
    """How one try of one page ended.

    `tries` is how many there were. `again`: another one follows, in `wait` seconds at the earliest. `png` is the
    picture of what stood there, empty where none could be taken.
    """

    key: str
    outcome: Outcome
    tries: int
    again: bool
    wait: float
    png: bytes


class Watcher(Protocol):
    """Hears of each page, in the campaign's thread."""

    def begun(self, key: str) -> None:
        """A page was handed to the browser."""

    def tried(self, one: Try) -> None:
        """A try ended; an item of its, if any, was kept before."""

    def rests(self) -> None:
        """The campaign is paused and no page is open any more."""


class Unwatched:
    """Hears and does nothing."""

    def begun(self, key: str) -> None:
        """See `Watcher`."""

    def tried(self, one: Try) -> None:
        """See `Watcher`."""

    def rests(self) -> None:
        """See `Watcher`."""
