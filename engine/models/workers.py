"""Threads that share the cores: each runs a network on one core, which is faster than all cores on one at a time.

Networks in libraries split every operation among all cores and wait for the slowest at its end; with screenshots being
decoded beside them one core is always late. Threads with a core each never wait for one another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded(count: int) -> Iterator[Executor]:
    """A pool of `count` threads in each of which torch uses one core; elsewhere it uses as many as before.

    What waits when the pool is left is not begun any more.
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
        pool.shutdown(cancel_futures=True)


def _limit(started: threading.Barrier) -> None:
    torch.get_num_threads()  # a thread takes over the common number when it first asks, so it must have asked before
    torch.set_num_threads(1)
    started.wait()
