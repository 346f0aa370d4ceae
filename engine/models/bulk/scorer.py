"""Scoring without torch: a proven model's verdicts, in the streams that `engine.models.predictor` gives them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.errors import CancelledError
from engine.models.bulk import bert, resnet
from engine.models.bulk.fusing import Fusion, Tables
from engine.models.bulk.tokens import EncoderTokens
from engine.models.decoding import Decoded, Square, decode_ahead
from engine.models.spec import NetworkSpec
from engine.models.text import model_text
from engine.models.vector_store import VectorStore, parts_of
from engine.models.verdicts import verdict
from engine.types import ItemContent, ModelCard, Verdict

BATCH = 128
"""Texts of so many items fill rows nearly to the last token."""
Floats = NDArray[np.float32]
Vectors = tuple[Floats, Floats]
"""(n, Dt) and (n, Di): what the backbones give of n items."""


@dataclass(frozen=True)
class Backbones:
    """What turns texts and screenshots into vectors; None for a part that the network does not look at."""

    tokens: EncoderTokens | None
    text: bert.Encoder | None
    image: resnet.Resnet | None


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
    def widths(self) -> tuple[int, int]:
        """The lengths of the vectors of text and screenshot."""
        return len(self._fusion.missing_text), len(self._fusion.missing_image)

    @property
    def device_name(self) -> str:
        """Where and how it runs, in words, such as "CPU, 2 threads, int8 without torch"."""
        return f"CPU, {self._threads} thread{'s' * (self._threads > 1)}, int8 without torch"

    def predict_stream(
        self, contents: Iterable[ItemContent], *, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[list[Verdict]]:
        """Verdicts of a number of items after the other, in order, one for each task that applies to an item's kind.

        Screenshots are decoded ahead, in bounded memory.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        known = self.store if self.store is not None else ()
        with (
            self._pool() as pool,
            closing(decode_ahead(contents, self.spec.image, BATCH, known=known, pool=pool)) as parts,
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
            yield from self._one_behind(_parts(prepared), pool, cancelled)

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
            return self._fusion.tables(*self._begin(texts, squares, pool)())

    def _pool(self) -> Executor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="score")

    def _one_behind(
        self, parts: Iterable[Sequence[Decoded]], pool: Executor, cancelled: Callable[[], bool] | None
    ) -> Iterator[list[Verdict]]:
        """The next part is begun before one waits for the last, so that no core is idle."""
        waiting: tuple[list[ItemContent], Callable[[], Vectors]] | None = None
        for part in parts:
            if cancelled is not None and cancelled():
                raise CancelledError
            begun = [content for content, _ in part], self._begin_part(part, pool)
            if waiting is not None:
                yield self._verdicts(waiting[0], waiting[1]())
            waiting = begun
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

    def _begin_part(self, part: Sequence[Decoded], pool: Executor) -> Callable[[], Vectors]:
        """Start on a part; call what is returned for its vectors, from the store where it has them."""
        store, contents = self.store, [content for content, _ in part]
        rows = store.find(contents) if store is not None else [None] * len(part)
        fresh = [at for at, row in enumerate(rows) if row is None]
        texts = [model_text(contents[at]) for at in fresh]
        squares = [part[at][1] for at in fresh]
        begun = self._begin(texts, squares, pool)
        if store is None:
            return begun
        known = [row for row in rows if row is not None]
        old = store.take(known, self._fusion.missing_text, self._fusion.missing_image)
        order = np.argsort([*(at for at, row in enumerate(rows) if row is not None), *fresh])

        def vectors() -> Vectors:
            new = begun()
            flags = parts_of(texts, [square is not None for square in squares])
            store.add([contents[at] for at in fresh], flags, *new, keep=False)
            text, image = (np.concatenate(pair)[order] for pair in zip(old, new, strict=True))
            return text, image

        return vectors

    def _begin(self, texts: Sequence[str], squares: Sequence[Square], pool: Executor) -> Callable[[], Vectors]:
        """Share out texts and screenshots among the pool; call what is returned for their vectors.

        Texts take the longest and come early, so that the cores end together; while they are split into tokens, the
        cores have the first screenshots to look at.
        """
        text = np.tile(self._fusion.missing_text, (len(texts), 1))
        image = np.tile(self._fusion.missing_image, (len(squares), 1))
        images = self._image_tasks(squares, image)
        waiting = [pool.submit(task) for task in islice(images, self._threads)]
        waiting += [pool.submit(task) for task in self._text_tasks(texts, text)]
        waiting += [pool.submit(task) for task in images]

        def vectors() -> Vectors:
            for one in waiting:
                one.result()
            return text, image

        return vectors

    def _text_tasks(self, texts: Sequence[str], answer: Floats) -> Iterator[Callable[[], None]]:
        """What fills in the vectors of texts, a few rows of tokens each."""
        tokens, encoder = self._backbones.tokens, self._backbones.text
        if tokens is None or encoder is None:
            return
        written = [row for row, text in enumerate(texts) if text.strip()]
        ids = tokens.encode([texts[row] for row in written])

        def task(rows: Sequence[Sequence[int]]) -> Callable[[], None]:
            def fill() -> None:
                for row, vectors in zip(rows, encoder([[ids[at] for at in row] for row in rows]), strict=True):
                    answer[[written[at] for at in row]] = vectors

            return fill

        rows = bert.packed([len(one) for one in ids], encoder.row)
        yield from (task(rows[at : at + bert.AT_ONCE]) for at in range(0, len(rows), bert.AT_ONCE))

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


def _parts(prepared: Iterable[Decoded]) -> Iterator[list[Decoded]]:
    items = iter(prepared)
    while part := list(islice(items, BATCH)):
        yield part
