"""Scoring without torch: a proven model's verdicts, in the streams that `engine.models.predictor` gives them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import numpy as np

from engine.errors import CancelledError
from engine.models.bulk.fusing import Fusion, Tables
from engine.models.bulk.work import Backbones, Vectors, Work
from engine.models.decoding import Decoded, Square, Unread, decode_ahead
from engine.models.spec import NetworkSpec
from engine.models.text import model_text
from engine.models.vector_store import VectorStore, parts_of
from engine.models.verdicts import verdict
from engine.types import ItemContent, ModelCard, Verdict

BATCH = 32
"""Items a core that are begun together: enough that none waits for the next ones, few enough for little memory."""


class BulkScorer:
    """A model ready to score. One thread uses it at a time; it has threads of its own, one a core.

    With a `store` the backbones look at no item twice, and other processes know what they gave.
    """

    def __init__(self, card: ModelCard, spec: NetworkSpec, backbones: Backbones, fusion: Fusion, threads: int) -> None:
        self.card, self.spec = card, spec
        self.store: VectorStore | None = None
        self._backbones, self._fusion, self._threads = backbones, fusion, threads
        self._heads = {head.task: head for head in spec.heads}

    @property
    def _part(self) -> int:
        return BATCH * self._threads

    @property
    def widths(self) -> tuple[int, int]:
        """The lengths of the vectors of text and screenshot."""
        return len(self._fusion.missing_text), len(self._fusion.missing_image)

    @property
    def device_name(self) -> str:
        """Where and how it runs, in words, such as "CPU, 2 threads, int8 without torch"."""
        return f"CPU, {self._threads} thread{'s' * (self._threads > 1)}, int8 without torch"

    def predict_stream(
        self,
        contents: Iterable[ItemContent],
        *,
        cancelled: Callable[[], bool] | None = None,
        unread: Unread | None = None,
    ) -> Iterator[list[Verdict]]:
        """Verdicts of a number of items after the other, in order, one for each task that applies to an item's kind.

        Screenshots are decoded ahead, in bounded memory; `unread` as in `decode_ahead`.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        known = self.store if self.store is not None else ()
        with (
            self._pool() as pool,
            closing(
                decode_ahead(contents, self.spec.image, self._part, known=known, pool=pool, unread=unread)
            ) as parts,
        ):
            yield from self._one_behind(parts, pool, cancelled)

    def predict_prepared(
        self, prepared: Iterable[Decoded], *, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[list[Verdict]]:
        """As `predict_stream`, of items whose screenshots are prepared already, (S, S, 3) bytes.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        with self._pool() as pool:
            yield from self._one_behind(_parts(prepared, self._part), pool, cancelled)

    def keep_vectors(self) -> None:
        """Write vectors that are new in the store to its file."""
        if self.store is not None:
            self.store.flush()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of those raw texts that are not blank."""
        tokens = self._backbones.tokens
        return tokens.encode([text for text in texts if text.strip()]) if tokens is not None else []

    def tables(self, texts: Sequence[str], squares: Sequence[Square]) -> Tables:
        """Calibrated probabilities of all tasks for items given by raw text and prepared screenshot."""
        with self._pool() as pool:
            work = self._work(pool)
            vectors = work.begin(texts, squares)
            work.finish()
            return self._fusion.tables(*vectors())

    def _pool(self) -> Executor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="score")

    def _work(self, pool: Executor) -> Work:
        missing = self._fusion.missing_text, self._fusion.missing_image
        return Work(self._backbones, missing, pool, self._threads)

    def _one_behind(
        self, parts: Iterable[Sequence[Decoded]], pool: Executor, cancelled: Callable[[], bool] | None
    ) -> Iterator[list[Verdict]]:
        """The next part is begun before one waits for the last, so that no core is idle."""
        waiting: tuple[list[ItemContent], Callable[[], Vectors]] | None = None
        work = self._work(pool)
        for part in parts:
            if cancelled is not None and cancelled():
                raise CancelledError
            begun = [content for content, _ in part], self._begin_part(part, work)
            if waiting is not None:
                yield self._verdicts(waiting[0], waiting[1]())
            waiting = begun
        work.finish()
        if cancelled is not None and cancelled():
            raise CancelledError
        if waiting is not None:
            yield self._verdicts(waiting[0], waiting[1]())

    def _verdicts(self, part: Sequence[ItemContent], vectors: Vectors) -> list[Verdict]:
        tables = self._fusion.tables(*vectors)
        return [
            verdict(content.id, self.card.id, head, tables[task][row])
            for row, content in enumerate(part)
            for task, head in self._heads.items()
            if not head.applies_to or content.kind in head.applies_to
        ]

    def _begin_part(self, part: Sequence[Decoded], work: Work) -> Callable[[], Vectors]:
        """Start on a part; call what is returned for its vectors, from the store where it has them."""
        store, contents = self.store, [content for content, _ in part]
        rows = store.find(contents) if store is not None else [None] * len(part)
        fresh = [at for at, row in enumerate(rows) if row is None]
        texts = [model_text(contents[at]) for at in fresh]
        squares = [part[at][1] for at in fresh]
        flags = parts_of(texts, [square is not None for square in squares])
        begun = work.begin(texts, squares)
        if store is None:
            return begun
        known = [row for row in rows if row is not None]
        old = store.take(known, self._fusion.missing_text, self._fusion.missing_image)
        order = np.argsort([*(at for at, row in enumerate(rows) if row is not None), *fresh])

        def vectors() -> Vectors:
            new = begun()
            store.add([contents[at] for at in fresh], flags, *new, keep=False)
            text, image = (np.concatenate(pair)[order] for pair in zip(old, new, strict=True))
            return text, image

        return vectors


def _parts(prepared: Iterable[Decoded], size: int) -> Iterator[list[Decoded]]:
    items = iter(prepared)
    while part := list(islice(items, size)):
        yield part
