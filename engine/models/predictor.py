"""Scoring: a checkpoint in memory that gives verdicts, and the vectors that explanations are made of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import CancelledError, NotFoundError, did_you_mean
from engine.models import checkpoint, devices, lean
from engine.models.arithmetic import Arithmetic, parts
from engine.models.decoding import Decoded, Square, Unread, decode_ahead
from engine.models.differentiable import Differentiable
from engine.models.encoders import Encoders, full_precision
from engine.models.images import prepare_capture
from engine.models.scorer import Scorer, Tables, Vectors
from engine.models.spec import HeadSpec
from engine.models.text import model_text
from engine.models.vector_store import VectorStore, parts_of
from engine.models.verdicts import verdict
from engine.models.workers import single_threaded
from engine.types import ItemContent, ModelCard, Verdict

BATCH, BATCH_ON_GPU = 64, 1024


class Predictor:
    """A model ready to score. One thread uses it at a time; it starts threads of its own for decoding.

    On a CPU the first 200 items are scored in 32-bit floats. Then the fastest arithmetic that the CPU offers takes over
    if it gives the same verdicts on those items (see `engine.models.precision`), so that an item's probabilities may
    differ in the third decimal between two jobs. What was found is kept beside the model, and the next process starts
    with it (see `engine.models.proof`). Fewer items can choose the arithmetic of explanations alone (see `settle`).

    `missing_text` and `missing_image` are the learned vectors for a missing part, (Dt,) and (Di,). With a `store` the
    backbones look at no item twice, not even for another model with the same ones.
    """

    def __init__(
        self,
        loaded: checkpoint.Checkpoint,
        device: torch.device,
        *,
        encoders: Encoders | None = None,
        folder: Path | None = None,
    ) -> None:
        """Without `encoders` they are those of full precision. The arithmetic that is chosen is kept in `folder`."""
        self.loaded = loaded
        self.store: VectorStore | None = None
        self.card: ModelCard = loaded.card
        self.spec = loaded.network.spec
        loaded.network.eval()
        encoders = encoders or full_precision(loaded.network)
        exact = Scorer(loaded.network, loaded.tokenizer, loaded.card.temperatures, encoders, device)
        self._arithmetic = Arithmetic(exact, loaded.card, folder)
        self._differentiable: Differentiable | None = None
        self._heads = {head.task: head for head in self.spec.heads}
        self.missing_text = loaded.network.missing_text.detach()
        self.missing_image = loaded.network.missing_image.detach()

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> Predictor:
        """Read a model's folder onto `device`: CUDA where there is one, else the CPU, if it is None.

        Raises:
            ModelUnavailableError: the folder holds no sound model.
        """
        chosen = torch.device(device) if device else devices.best()
        ready = lean.load(folder) if chosen.type == "cpu" else None
        if ready is not None:
            predictor = cls(ready[0], chosen, encoders=ready[1])
            predictor.trust_encoders()
            return predictor
        return cls(checkpoint.load(folder, chosen), chosen, folder=folder)

    def sharing(self, loaded: checkpoint.Checkpoint) -> Predictor:
        """A predictor for other heads on these very backbones (`checkpoint.load_onto`), in the arithmetic chosen here.

        Nothing is copied or checked anew: fusion and heads are always 32-bit floats.
        """
        other = Predictor(loaded, self._scorer.device, encoders=self.scorer.encoders)
        other.store = self.store
        other._arithmetic.follow(self._arithmetic)
        return other

    def trust_encoders(self) -> None:
        """Stay with the arithmetic in use."""
        self._arithmetic.trust()

    @property
    def settled(self) -> bool:
        """Whether the arithmetic is chosen, and what was found is kept."""
        return self._arithmetic.settled

    def settle(self, contents: Sequence[ItemContent]) -> Iterator[None]:
        """Choose the arithmetic by these items now, where that is open, and not by those that are scored next.

        That is worth their while who explain: an explanation asks the network hundreds of times. Yields after every
        small step. Items are looked at though the store may have their vectors. Fewer than 200 choose for explanations
        alone, and for this process (see `Arithmetic.settle`).
        """
        prepared = ((content, self.prepare(content)) for content in contents)
        return self._arithmetic.settle(prepared, len(contents))

    @property
    def scorer(self) -> Scorer:
        """What scores items; the vectors that the store keeps are its. Explanations may ask something faster."""
        return self._arithmetic.scoring

    @property
    def arithmetic(self) -> Encoders:
        """What explanations ask: another object once another arithmetic was chosen."""
        return self._scorer.encoders

    @property
    def _scorer(self) -> Scorer:
        return self._arithmetic.explaining

    @property
    def device_name(self) -> str:
        """Where and how it explains items, in words, such as "CPU, 2 threads, fp32"."""
        return self._scorer.name

    @property
    def packs_texts(self) -> bool:
        """Whether texts share rows of the text encoder, so that little is padded."""
        return self._scorer.encoders.packed is not None

    @property
    def packs_images(self) -> bool:
        """Whether each core looks at a few screenshots at a time (`engine.models.packed_image`)."""
        return self._scorer.encoders.squares is not None

    def predict(
        self,
        contents: Sequence[ItemContent],
        *,
        cancelled: Callable[[], bool] | None = None,
        unread: Unread | None = None,
    ) -> list[Verdict]:
        """Verdicts of all items in their order, one for each task that applies to an item's kind.

        `unread` as in `decode_ahead`.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        return [one for part in self.predict_stream(contents, cancelled=cancelled, unread=unread) for one in part]

    def predict_stream(
        self,
        contents: Iterable[ItemContent],
        *,
        batch: int | None = None,
        cancelled: Callable[[], bool] | None = None,
        unread: Unread | None = None,
    ) -> Iterator[list[Verdict]]:
        """Verdicts of `batch` items after the other, in order; screenshots are decoded ahead, in bounded memory.

        `unread` as in `decode_ahead`.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        vectors = self.vectors_stream(contents, batch=batch, cancelled=cancelled, unread=unread)
        yield from (
            self._verdicts(part, self._scorer.tables_of(text, image, ready=True)) for part, text, image in vectors
        )

    def predict_prepared(
        self, prepared: Iterable[Decoded], *, batch: int | None = None, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[list[Verdict]]:
        """As `predict_stream`, of items whose screenshots are prepared already: (S, S, 3) bytes as `prepare` gives.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        with self._pool() as pool:
            for part, text, image in self._one_behind(
                parts(prepared, batch or self._batch), pool, keep=False, cancelled=cancelled
            ):
                yield self._verdicts(part, self._scorer.tables_of(text, image, ready=True))

    def predict_known(self, contents: Sequence[ItemContent]) -> list[Verdict] | None:
        """Verdicts of all items from the store alone, thousands a second; None where it lacks one of them."""
        known = self.known_vectors(contents)
        return None if known is None else self._verdicts(contents, self._scorer.tables_of(*known))

    def keep_vectors(self) -> None:
        """Write vectors that are new in the store to its file."""
        if self.store is not None:
            self.store.flush()

    def remember(self, content: ItemContent, pixels: NDArray[np.float32] | None, text: Tensor, image: Tensor) -> None:
        """Take (1, Dt) and (1, Di) vectors that somebody else had made of a whole item into the store, if scoring makes
        them in the same arithmetic.
        """
        if self.store is not None and self.arithmetic is self.scorer.encoders and content not in self.store:
            parts = parts_of([model_text(content)], [pixels is not None])
            self.store.add([content], parts, _array(text), _array(image), keep=False)

    def known_vectors(self, contents: Sequence[ItemContent]) -> tuple[Tensor, Tensor] | None:
        """The (n, Dt) and (n, Di) vectors of all items from the store alone; None where it lacks one of them."""
        if self.store is None:
            return None
        rows = [row for row in self.store.find(contents) if row is not None]
        if len(rows) < len(contents):
            return None
        return self._kept(self.store, rows)

    def vectors_stream(
        self,
        contents: Iterable[ItemContent],
        *,
        batch: int | None = None,
        keep: bool = False,
        cancelled: Callable[[], bool] | None = None,
        unread: Unread | None = None,
    ) -> Iterator[tuple[list[ItemContent], Tensor, Tensor]]:
        """The (n, Dt) and (n, Di) vectors of `batch` items after the other, from the store where it has them.

        `keep` as in `VectorStore.add`, `unread` as in `decode_ahead`.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        known = self.store if self.store is not None else ()
        with (
            self._pool() as pool,
            closing(
                decode_ahead(contents, self.spec.image, batch or self._batch, known=known, pool=pool, unread=unread)
            ) as parts,
        ):
            yield from self._one_behind(parts, pool, keep=keep, cancelled=cancelled)

    def prepare(self, content: ItemContent) -> Square:
        """The screenshot as the network takes it, (S, S, 3) bytes; None where there is none that can be used."""
        return prepare_capture(content, self.spec.image)

    def text_of(self, content: ItemContent) -> str:
        """The raw text that the model reads of an item."""
        return model_text(content)

    def reads_all(self, text: str) -> bool:
        """Whether the network reads a raw text to its last word: without that its tokens are others then."""
        words, tokenizer = text.rsplit(maxsplit=1), self._scorer.tokenizer
        if tokenizer is None or not words:
            return True
        whole, shorter = tokenizer.encode([text, words[0] if len(words) > 1 else ""])
        return whole != shorter

    def pixels(self, content: ItemContent) -> NDArray[np.float32] | None:
        """The prepared screenshot, (3, S, S) in [0, 1]; None where there is none that can be used."""
        square = self.prepare(content)
        if square is None:
            return None
        return np.ascontiguousarray(square.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)

    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """(n, Dt) float32 vectors of raw texts; the learned vector of a missing part for a blank one."""
        return self._scorer.text_vectors(texts)

    def text_vectors_in_turn(self, texts: Iterable[str], stops: Sequence[int]) -> Generator[Tensor | None, None, None]:
        """The `text_vectors` of the first `stops[0]` texts, then those up to `stops[1]`, and so on; of some more where
        they take no more time. None comes now and then, while the encoder goes on in the background.

        Closing the iterator stops it, after the runs of the encoder that are under way.
        """
        return self._scorer.text_vectors_in_turn(texts, stops)

    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(n, Di) float32 vectors of (n, 3, S, S) float pixels in [0, 1]."""
        return self._scorer.image_vectors(pixels)

    def square_vectors_in_turn(
        self, parts: Iterable[Callable[[], Sequence[NDArray[np.uint8]]]]
    ) -> Generator[Tensor | None, None, None]:
        """The (n, Di) float32 vectors of the n screenshots of (S, S, 3) bytes that each part makes, part by part.

        A part is made on the core that looks at it, as one of a few that are under way before anybody asks for them.
        None comes every 20 ms at least. Closing the iterator stops it at once: what is under way ends by itself. Only
        where `packs_images`.
        """
        return self._scorer.square_vectors_in_turn(parts)

    def probabilities(self, task: str, text: Tensor, image: Tensor) -> NDArray[np.float64]:
        """(n, L) calibrated probabilities of a task's labels from (n, Dt) and (n, Di) vectors.

        Raises:
            NotFoundError: the model has no such task.
        """
        return self._scorer.probabilities(self._head(task), text, image)

    def crossed(self, task: str, text: Tensor, image: Tensor) -> NDArray[np.float64]:
        """(T, I, L) calibrated probabilities of a task's labels for each of (T, Dt) beside each of (I, Di) vectors.

        Raises:
            NotFoundError: the model has no such task.
        """
        return self._scorer.crossed(self._head(task), text, image)

    def differentiable(self) -> Differentiable:
        """The network in 32-bit floats through which gradients pass; backbones that were let go are read again.

        Raises:
            ModelUnavailableError: they cannot be read.
        """
        if self._differentiable is None:
            self._differentiable = Differentiable.of(self.loaded, self._scorer.device)
        return self._differentiable

    def _head(self, task: str) -> HeadSpec:
        head = self._heads.get(task)
        if head is None:
            raise NotFoundError(f"Model {self.card.id!r} has no task {task!r}.", did_you_mean(task, self._heads))
        return head

    @property
    def _batch(self) -> int:
        return BATCH if self._scorer.device.type == "cpu" else BATCH_ON_GPU

    @contextmanager
    def _pool(self) -> Iterator[Executor | None]:
        """Single-threaded workers, one a core, where there are several cores and no GPU."""
        threads = torch.get_num_threads()
        if self._scorer.device.type != "cpu" or threads < 2:
            yield None
            return
        with single_threaded(threads) as pool:
            yield pool

    def _one_behind(
        self,
        parts: Iterable[Sequence[Decoded]],
        pool: Executor | None,
        *,
        keep: bool,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[tuple[list[ItemContent], Tensor, Tensor]]:
        """Vectors of parts in order. The next part is begun before one waits for the last: cores and GPU never idle."""
        waiting: tuple[list[ItemContent], Callable[[], Vectors]] | None = None
        for part in parts:
            if cancelled is not None and cancelled():
                raise CancelledError
            begun = [content for content, _ in part], self._begin(part, pool, keep=keep)
            if waiting is not None:
                yield waiting[0], *waiting[1]()
            waiting = begun
        if cancelled is not None and cancelled():
            raise CancelledError
        if waiting is not None:
            yield waiting[0], *waiting[1]()

    def _begin(self, part: Sequence[Decoded], pool: Executor | None, *, keep: bool) -> Callable[[], Vectors]:
        """Start on a part; call what is returned for its vectors, from the store where it has them."""
        if self.store is None:
            return self._arithmetic.begin(part, pool)
        store, contents = self.store, [content for content, _ in part]
        rows = store.find(contents)
        fresh = [at for at, row in enumerate(rows) if row is None]
        known = [row for row in rows if row is not None]
        old = self._kept(store, known)
        if not fresh:
            return lambda: old
        unseen = [self._decoded(*part[at]) for at in fresh]
        encoding = self._arithmetic.begin(unseen, pool)
        order = np.argsort([*(at for at, row in enumerate(rows) if row is not None), *fresh]).tolist()

        def vectors() -> Vectors:
            text, image = encoding()
            texts = [model_text(content) for content, _ in unseen]
            parts = parts_of(texts, [square is not None for _, square in unseen])
            store.add([content for content, _ in unseen], parts, _array(text), _array(image), keep=keep)
            return torch.cat([old[0], text.cpu()])[order], torch.cat([old[1], image.cpu()])[order]

        return vectors

    def _kept(self, store: VectorStore, rows: Sequence[int]) -> Vectors:
        """(n, Dt) and (n, Di) vectors of rows of the store, on the CPU."""
        text, image = store.take(rows, _array(self.missing_text), _array(self.missing_image))
        return torch.from_numpy(text), torch.from_numpy(image)

    def _decoded(self, content: ItemContent, square: Square) -> Decoded:
        """The item with its screenshot, also where it was not decoded because the store still knew the item then."""
        return content, square if square is not None else self.prepare(content)

    def _verdicts(self, part: Sequence[ItemContent], tables: Tables) -> list[Verdict]:
        return [
            verdict(content.id, self.card.id, head, tables[task][row])
            for row, content in enumerate(part)
            for task, head in self._heads.items()
            if not head.applies_to or content.kind in head.applies_to
        ]


def _array(vectors: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = vectors.float().cpu().numpy()
    return array
