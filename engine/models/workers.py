"""Threads that share the cores: each runs a network on one core, which is faster than all cores on one at a time.

Networks in libraries split every operation among all cores and wait for the slowest at its end; with screenshots being
decoded beside them one core is always late. Threads with a core each never wait for one another.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch

GLANCE = 0.02
"""Seconds between two looks at whether somebody else waits, or asked to stop: a fifth of what a cancel may take."""
Step = TypeVar("Step")


@contextmanager
def single_threaded(count: int, *, patient: bool = True) -> Iterator[Executor]:
    """A pool of `count` threads in each of which torch uses one core; elsewhere it uses as many as before.

    What waits when the pool is left is not begun any more; what is under way then is waited for where `patient`, and
    ends by itself where not.
    """
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, thread_name_prefix="score")
    try:
        started = threading.Barrier(count + 1)
        for _ in range(count):
            pool.submit(_limit, started)
        started.wait()
        torch.set_num_threads(before)  # the limit is each thread's own, but also what threads to come begin with
        yield pool
    finally:
        pool.shutdown(wait=patient, cancel_futures=True)


@contextmanager
def one_core() -> Iterator[None]:
    """In here, torch uses one core in this thread: many small operations are faster so than shared out.

    Shared out, each ends with a wait for the slower core; with other programs at work that made them 15 times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def each_on_one_core(work: Iterator[Step]) -> Iterator[Step]:
    """The same steps, each made on `one_core`; what is done between them has all cores."""
    while True:
        with one_core():
            try:
                step = next(work)
            except StopIteration:
                return
        yield step


def waited(future: Future[Step]) -> Generator[None, None, Step]:
    """None every now and then until work that was begun is done, and its result."""
    while not wait([future], timeout=GLANCE).done:
        yield
    return future.result()


def _limit(started: threading.Barrier) -> None:
    torch.get_num_threads()  # a thread takes over the common number when it first asks, so it must have asked before
    torch.set_num_threads(1)
    started.wait()
