"""Items on their way through the backbones: what the cores do, and which texts they read together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.models.bulk import bert, resnet
from engine.models.bulk.packing import Form
from engine.models.bulk.tokens import EncoderTokens
from engine.models.decoding import Square

Floats = NDArray[np.float32]
Vectors = tuple[Floats, Floats]
"""(n, Dt) and (n, Di): what the backbones give of n items."""
_LEFT = 4
"""A core looks so many times at a few screenshots while another one reads the last texts; both end together then."""


@dataclass(frozen=True)
class Backbones:
    """What turns texts and screenshots into vectors; None for a part that the network does not look at."""

    tokens: EncoderTokens | None
    text: bert.Encoder | None
    image: resnet.Resnet | None


class _Text(NamedTuple):
    """A text's tokens, the row of `answer` that its vector goes to, and what to wait for until it is there."""

    tokens: Sequence[int]
    answer: Floats
    row: int
    waiting: list[Future[None]]


class Work:
    """Vectors of a stream's items, one part of it after the other. One thread uses it.

    A run of the encoder takes as long when rows of it are empty, so texts that would leave some empty wait for the
    next part's; no text waits twice. So do a few screenshots, for the cores that have no such run at the end.
    """

    def __init__(self, backbones: Backbones, missing: Vectors, pool: Executor, threads: int) -> None:
        """`missing` stands for a part that an item lacks, (Dt,) and (Di,); `pool` has so many threads."""
        self._backbones, self._missing, self._pool, self._threads = backbones, missing, pool, threads
        self._left: list[_Text] = []
        self._images: list[tuple[Callable[[], None], list[Future[None]]]] = []

    def begin(self, texts: Sequence[str], squares: Sequence[Square]) -> Callable[[], Vectors]:
        """Share out a part among the cores.

        Call what is returned for its vectors: after the next part has begun, or after `finish`.
        """
        text, image = (
            np.tile(missing, (len(part), 1)) for missing, part in zip(self._missing, (texts, squares), strict=True)
        )
        waiting: list[Future[None]] = []
        at_once = max(self._threads, len(self._images))
        self._images += [(task, waiting) for task in self._image_tasks(squares, image)]
        self._look(at_once)  # the cores have something to do while texts become tokens
        self._share_out(self._read(texts, text, waiting), last=False)
        self._look(len(self._images) - _LEFT * (self._threads - 1))

        def vectors() -> Vectors:
            left = [*(one.waiting for one in self._left), *(its for _, its in self._images)]
            assert all(its is not waiting for its in left), "what waits for the next part has no vector yet"
            for one in waiting:
                one.result()
            return text, image

        return vectors

    def finish(self) -> None:
        """No other part comes: nothing need wait for it."""
        self._share_out([], last=True)
        self._look(len(self._images))

    def _look(self, count: int) -> None:
        """Let the cores look at the first screenshots of those that wait, so many times a few."""
        for task, waiting in self._images[: max(count, 0)]:
            waiting.append(self._pool.submit(task))
        del self._images[: max(count, 0)]

    def _read(self, texts: Sequence[str], answer: Floats, waiting: list[Future[None]]) -> list[_Text]:
        tokens = self._backbones.tokens
        if tokens is None:
            return []
        written = [row for row, text in enumerate(texts) if text.strip()]
        ids = tokens.encode([texts[row] for row in written])
        return [_Text(found, answer, row, waiting) for found, row in zip(ids, written, strict=True)]

    def _share_out(self, new: Sequence[_Text], *, last: bool) -> None:
        """Fill runs of the encoder with the texts that are left and new ones; one run's worth is left, if it may be."""
        encoder, texts, old = self._backbones.text, [*self._left, *new], len(self._left)
        if encoder is None or not texts:
            return
        self._left = []
        for form, rows in encoder.rows([len(text.tokens) for text in texts]):
            rows.sort(key=lambda row: min(row) >= old)
            full = len(rows) if last else (len(rows) - 1) // form.rows * form.rows
            if any(min(row) < old for row in rows[full:]):
                full = len(rows)
            self._left += [texts[at] for row in rows[full:] for at in row]
            for start in range(0, full, form.rows):
                run = [[texts[at] for at in row] for row in rows[start : min(start + form.rows, full)]]
                future = self._pool.submit(_fill, encoder, run, form)
                for text in chain.from_iterable(run):
                    text.waiting.append(future)

    def _image_tasks(self, squares: Sequence[Square], answer: Floats) -> Iterator[Callable[[], None]]:
        """What fills in the vectors of screenshots, a few at a time."""
        network = self._backbones.image
        if network is None:
            return
        seen = [(row, square) for row, square in enumerate(squares) if square is not None]

        def task(part: Sequence[tuple[int, NDArray[np.uint8]]]) -> Callable[[], None]:
            def fill() -> None:
                answer[[row for row, _ in part]] = network([square for _, square in part])

            return fill

        yield from (task(seen[at : at + resnet.AT_ONCE]) for at in range(0, len(seen), resnet.AT_ONCE))


def _fill(encoder: bert.Encoder, run: Sequence[Sequence[_Text]], form: Form) -> None:
    """Read a run's texts and put each one's vector where it belongs."""
    for row, vectors in zip(run, encoder([[text.tokens for text in row] for row in run], form), strict=True):
        for text, vector in zip(row, vectors, strict=True):
            text.answer[text.row] = vector
