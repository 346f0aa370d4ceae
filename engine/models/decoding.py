"""Decoding screenshots in threads, ahead of the network, in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Container, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.models.images import prepare_capture
from engine.models.spec import NONE, ImageSpec
from engine.types import ItemContent

Square = NDArray[np.uint8] | None
Decoded = tuple[ItemContent, Square]
Unread = Callable[[ItemContent], None]
_Part = list[tuple[ItemContent, "Future[Square]"]]

PARTS_AHEAD = 2
"""How many parts are in memory at a time: one that the network works on, one that is being decoded."""
_MOST_THREADS = 32


def decode_ahead(
    contents: Iterable[ItemContent],
    spec: ImageSpec,
    part: int,
    *,
    known: Container[ItemContent] = (),
    pool: Executor | None = None,
    unread: Unread | None = None,
) -> Generator[list[Decoded]]:
    """Lists of `part` items, in order, with their prepared screenshots; the next list is decoded meanwhile.

    Screenshots of items in `known` are not decoded: None stands for them. Without a `pool` it has threads of its own.
    `unread` is called with every item that comes without its screenshot since that cannot be used.
    """
    items = iter(contents)
    waiting: deque[_Part] = deque()
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    own = ThreadPoolExecutor(threads, thread_name_prefix="decode") if pool is None else nullcontext(pool)
    with own as workers:
        try:
            while True:
                while len(waiting) < PARTS_AHEAD and (content := list(islice(items, part))):
                    waiting.append([(one, _square(workers, one, spec, known)) for one in content])
                if not waiting:
                    return
                decoded = [(one, future.result()) for one, future in waiting.popleft()]
                if unread is not None and spec.backbone != NONE:
                    for one in _unusable(decoded, known):
                        unread(one)
                yield decoded
        finally:
            for _, future in (pair for left in waiting for pair in left):
                future.cancel()


def _unusable(decoded: Iterable[Decoded], known: Container[ItemContent]) -> list[ItemContent]:
    return [one for one, square in decoded if square is None and one.capture is not None and one not in known]


def _square(pool: Executor, content: ItemContent, spec: ImageSpec, known: Container[ItemContent]) -> Future[Square]:
    if content not in known:
        return pool.submit(prepare_capture, content, spec)
    nothing: Future[Square] = Future()
    nothing.set_result(None)
    return nothing
