"""Ending long work in words when an interrupt or terminate signal comes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def cancelled_by_signals() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether an interrupt or terminate signal has come; the work then ends by itself."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop.is_set
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
