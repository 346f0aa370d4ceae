"""Decoding screenshots in threads, ahead of the network, in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.models.images import prepare_capture
from engine.models.spec import ImageSpec
from engine.types import ItemContent

Square = NDArray[np.uint8] | None
Decoded = tuple[ItemContent, Square]
_Part = list[tuple[ItemContent, "Future[Square]"]]

PARTS_AHEAD = 2
"""How many parts are in memory at a time: one that the network works on, one that is being decoded."""
_MOST_THREADS = 8


def decode_ahead(
    contents: Iterable[ItemContent], spec: ImageSpec, part: int, *, known: Container[ItemContent] = ()
) -> Iterator[list[Decoded]]:
    """Lists of `part` items, in order, with their prepared screenshots; the next list is decoded meanwhile.

    Screenshots of items in `known` are not decoded: None stands for them.
    """
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    items = iter(contents)
    waiting: deque[_Part] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        try:
            while True:
                while len(waiting) < PARTS_AHEAD and (content := list(islice(items, part))):
                    waiting.append([(one, _square(pool, one, spec, known)) for one in content])
                if not waiting:
                    return
                yield [(one, future.result()) for one, future in waiting.popleft()]
        finally:
            for _, future in (pair for left in waiting for pair in left):
                future.cancel()


def _square(
    pool: ThreadPoolExecutor, content: ItemContent, spec: ImageSpec, known: Container[ItemContent]
) -> Future[Square]:
    if content not in known:
        return pool.submit(prepare_capture, content, spec)
    nothing: Future[Square] = Future()
    nothing.set_result(None)
    return nothing
