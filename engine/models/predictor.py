"""Scoring: a checkpoint in memory that gives verdicts, and the vectors that explanations are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import CancelledError, NotFoundError, did_you_mean
from engine.models import checkpoint, devices
from engine.models.decoding import Decoded, Square, decode_ahead
from engine.models.encoders import Encoders, full_precision
from engine.models.images import prepare_capture
from engine.models.precision import Check, Probe
from engine.models.scorer import Scorer, Tables
from engine.models.text import model_text
from engine.models.vector_store import Parts, VectorStore, parts_of
from engine.models.verdicts import verdict
from engine.types import ItemContent, ModelCard, Verdict

BATCH = 64
_CHECKED_PER_ITEM = 4
"""So many items of the probe are checked with each further item: large batches end the check, small ones stay short."""


class Predictor:
    """A model ready to score. One thread uses it at a time; it starts threads of its own for decoding.

    On a CPU the first 200 items are scored in 32-bit floats. Then the fastest arithmetic that the CPU offers takes over
    if it gives the same verdicts on those items (see `engine.models.precision`), so that an item's probabilities may
    differ in the third decimal between two jobs.

    `missing_text` and `missing_image` are the learned vectors for a missing part, (Dt,) and (Di,). With a `store` the
    backbones look at no item twice, not even for another model with the same ones.
    """

    def __init__(
        self, loaded: checkpoint.Checkpoint, device: torch.device, *, encoders: Encoders | None = None
    ) -> None:
        self.loaded = loaded
        self.store: VectorStore | None = None
        self.card: ModelCard = loaded.card
        self.spec = loaded.network.spec
        loaded.network.eval()
        encoders = encoders or full_precision(loaded.network)
        self._scorer = Scorer(loaded.network, loaded.tokenizer, loaded.card.temperatures, encoders, device)
        self._probe: Probe | None = Probe() if device.type == "cpu" else None
        self._check: Check | None = None
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
        return cls(checkpoint.load(folder, chosen), chosen)

    def sharing(self, loaded: checkpoint.Checkpoint) -> Predictor:
        """A predictor for other heads on these very backbones (`checkpoint.load_onto`), in the arithmetic chosen here.

        Nothing is copied or checked anew: fusion and heads are always 32-bit floats.
        """
        other = Predictor(loaded, self._scorer.device, encoders=self._scorer.encoders)
        other.store = self.store
        if self._probe is None:
            other.trust_encoders()
        return other

    def trust_encoders(self) -> None:
        """Stay with the arithmetic in use."""
        self._probe = self._check = None

    @property
    def device_name(self) -> str:
        """Where and how it runs, in words, such as "CPU, 2 threads, fp32"."""
        return f"{devices.name_of(self._scorer.device)}, {self._scorer.encoders.name}"

    def predict(self, contents: Sequence[ItemContent], *, cancelled: Callable[[], bool] | None = None) -> list[Verdict]:
        """Verdicts of all items in their order, one for each task that applies to an item's kind.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        return [one for part in self.predict_stream(contents, cancelled=cancelled) for one in part]

    def predict_stream(
        self, contents: Iterable[ItemContent], *, batch: int = BATCH, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[list[Verdict]]:
        """Verdicts of `batch` items after the other, in order; screenshots are decoded ahead, in bounded memory.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        for part, text, image in self.vectors_stream(contents, batch=batch, cancelled=cancelled):
            tables = self._scorer.tables_of(text, image)
            yield self._verdicts(part, tables)

    def predict_known(self, contents: Sequence[ItemContent]) -> list[Verdict] | None:
        """Verdicts of all items from the store alone, thousands a second; None where it lacks one of them."""
        known = self.known_vectors(contents)
        return None if known is None else self._verdicts(contents, self._scorer.tables_of(*known))

    def keep_vectors(self) -> None:
        """Write vectors that are new in the store to its file."""
        if self.store is not None:
            self.store.flush()

    def known_vectors(self, contents: Sequence[ItemContent]) -> tuple[Tensor, Tensor] | None:
        """The (n, Dt) and (n, Di) vectors of all items from the store alone; None where it lacks one of them."""
        if self.store is None:
            return None
        rows = [row for row in self.store.find(contents) if row is not None]
        if len(rows) < len(contents):
            return None
        return self.store.take(rows, self.missing_text, self.missing_image)

    def vectors_stream(
        self,
        contents: Iterable[ItemContent],
        *,
        batch: int = BATCH,
        keep: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[tuple[list[ItemContent], Tensor, Tensor]]:
        """The (n, Dt) and (n, Di) vectors of `batch` items after the other, from the store where it has them.

        `keep` as in `VectorStore.add`.

        Raises:
            CancelledError: `cancelled` said so between two batches.
        """
        for part in decode_ahead(contents, self.spec.image, batch, known=self.store if self.store is not None else ()):
            if cancelled is not None and cancelled():
                raise CancelledError
            yield [content for content, _ in part], *self._vectors(part, keep=keep)

    def text_of(self, content: ItemContent) -> str:
        """The raw text that the model reads of an item."""
        return model_text(content)

    def pixels(self, content: ItemContent) -> NDArray[np.float32] | None:
        """The prepared screenshot, (3, S, S) in [0, 1]; None where there is none that can be used."""
        square = prepare_capture(content, self.spec.image)
        if square is None:
            return None
        return np.ascontiguousarray(square.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)

    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """(n, Dt) float32 vectors of raw texts; the learned vector of a missing part for a blank one."""
        return self._scorer.text_vectors(texts)

    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(n, Di) float32 vectors of (n, 3, S, S) float pixels in [0, 1]."""
        return self._scorer.image_vectors(pixels)

    def probabilities(self, task: str, text: Tensor, image: Tensor) -> NDArray[np.float64]:
        """(n, L) calibrated probabilities of a task's labels from (n, Dt) and (n, Di) vectors.

        Raises:
            NotFoundError: the model has no such task.
        """
        head = self._heads.get(task)
        if head is None:
            raise NotFoundError(f"Model {self.card.id!r} has no task {task!r}.", did_you_mean(task, self._heads))
        return self._scorer.probabilities(head, text, image)

    def _vectors(self, part: Sequence[Decoded], *, keep: bool) -> tuple[Tensor, Tensor]:
        if self.store is None:
            return self._encode(part)[:2]
        rows = self.store.find([content for content, _ in part])
        fresh = [at for at, row in enumerate(rows) if row is None]
        known = [row for row in rows if row is not None]
        text, image = self.store.take(known, self.missing_text, self.missing_image)
        if not fresh:
            return text, image
        unseen = [self._decoded(*part[at]) for at in fresh]
        new_text, new_image, parts = self._encode(unseen)
        self.store.add([content for content, _ in unseen], parts, new_text, new_image, keep=keep)
        order = np.argsort([*(at for at, row in enumerate(rows) if row is not None), *fresh]).tolist()
        return torch.cat([text, new_text.cpu()])[order], torch.cat([image, new_image.cpu()])[order]

    def _decoded(self, content: ItemContent, square: Square) -> Decoded:
        """The item with its screenshot, also where it was not decoded because the store still knew the item then."""
        return content, square if square is not None else prepare_capture(content, self.spec.image)

    @torch.inference_mode()
    def _encode(self, part: Sequence[Decoded]) -> tuple[Tensor, Tensor, Parts]:
        """What the backbones give of items, and which parts these have."""
        texts = [model_text(content) for content, _ in part]
        squares = [square for _, square in part]
        self._settle(len(part))
        text, image = self._scorer.text_vectors(texts), self._scorer.square_vectors(squares)
        if self._probe is not None and not self._probe.full:
            self._probe.add(texts, squares, self._scorer.tables_of(text, image))
        return text, image, parts_of(texts, squares)

    def _verdicts(self, part: Sequence[ItemContent], tables: Tables) -> list[Verdict]:
        return [
            verdict(content.id, self.card.id, head, tables[task][row])
            for row, content in enumerate(part)
            for task, head in self._heads.items()
            if not head.applies_to or content.kind in head.applies_to
        ]

    def _settle(self, items: int) -> None:
        """Before, not after, further items: a job that ends with its probe never pays for a choice it cannot use."""
        if self._probe is None or not self._probe.full:
            return
        self._check = self._check or Check(self._scorer, self._probe)
        encoders = self._check.step(_CHECKED_PER_ITEM * items)
        if encoders is not None:
            self._scorer, self._probe, self._check = self._scorer.using(encoders), None, None
