"""Waiting for one long call that cannot be stopped half-way, such as decoding a very tall page."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from engine.models.workers import waited

Result = TypeVar("Result")


def beside(work: Callable[[], Result]) -> Generator[None, None, Result]:
    """Do some work in another thread and give its result; None every now and then until it is there.

    Whoever closes this goes on at once: the work ends by itself, and nobody asks for its result. It is for files and
    arrays, not for running networks: torch starts threads of its own for every thread that does.
    """
    return (yield from waited(begun(work)))


def begun(work: Callable[[], Result]) -> Future[Result]:
    """Begin some work in another thread, as for `beside`, and wait for it later, or never."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
    try:
        return pool.submit(work)
    finally:
        pool.shutdown(wait=False)


def watched(work: Callable[[], Result], check: Callable[[], None]) -> Result:
    """The same for those who cannot do anything else meanwhile; `check` raises where somebody asked to stop."""
    with closing(beside(work)) as steps:
        while True:
            check()
            try:
                next(steps)
            except StopIteration as done:
                result: Result = done.value
                return result
