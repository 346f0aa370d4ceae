"""Scoring: a checkpoint in memory that gives verdicts, and the vectors that explanations are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import CancelledError, NotFoundError
from engine.models import checkpoint
from engine.models.batches import image_batch, text_batch
from engine.models.decoding import Decoded, decode_ahead
from engine.models.images import prepare_capture
from engine.models.spec import HeadSpec
from engine.models.text import model_text
from engine.models.verdicts import calibrated, verdict
from engine.types import ItemContent, ModelCard, Verdict

BATCH = 64
_TEXTS_AT_ONCE = 16
_IMAGES_AT_ONCE = 32


class Predictor:
    """A model ready to score. One thread uses it at a time; it starts threads of its own for decoding.

    `missing_text` and `missing_image` are the learned vectors for a missing part, (Dt,) and (Di,).
    """

    def __init__(self, loaded: checkpoint.Checkpoint, device: torch.device) -> None:
        self.card: ModelCard = loaded.card
        self.spec = loaded.network.spec
        self._network = loaded.network
        self._tokenizer = loaded.tokenizer
        self._device = device
        self._heads = {head.task: head for head in self.spec.heads}
        self.missing_text = loaded.network.missing_text.detach()
        self.missing_image = loaded.network.missing_image.detach()

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> Predictor:
        """Read a model's folder onto `device`: CUDA where there is one, else the CPU, if it is None.

        Raises:
            ModelUnavailableError: the folder holds no sound model.
        """
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(checkpoint.load(folder, chosen), chosen)

    @property
    def device_name(self) -> str:
        """Where and how it runs, in words, such as "CPU, 2 threads, fp32"."""
        if self._device.type == "cuda":
            return f"CUDA, {torch.cuda.get_device_name(self._device)}, bf16"
        return f"CPU, {torch.get_num_threads()} threads, fp32"

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
        for part in decode_ahead(contents, self.spec.image, batch):
            if cancelled is not None and cancelled():
                raise CancelledError
            yield self._score(part)

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
        answer = torch.empty((len(texts), len(self.missing_text)), device=self._device)
        if self._tokenizer is None:
            return answer
        ids = self._tokenizer.encode(texts)
        order = sorted(range(len(texts)), key=lambda row: len(ids[row]))
        for start in range(0, len(order), _TEXTS_AT_ONCE):
            rows = order[start : start + _TEXTS_AT_ONCE]
            present = [bool(texts[row].strip()) for row in rows]
            chunk = text_batch([ids[row] for row in rows], present, self._tokenizer.pad).to(self._device)
            with torch.inference_mode():
                answer[rows] = self._network.encode_text(chunk).float()
        return answer

    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(n, Di) float32 vectors of (n, 3, S, S) float pixels in [0, 1]."""
        answer = torch.empty((len(pixels), len(self.missing_image)), device=self._device)
        for start in range(0, len(pixels), _IMAGES_AT_ONCE):
            part = slice(start, start + _IMAGES_AT_ONCE)
            with torch.inference_mode():
                answer[part] = self._network.encode_image(pixels[part].to(self._device)).float()
        return answer

    def probabilities(self, task: str, text: Tensor, image: Tensor) -> NDArray[np.float64]:
        """(n, L) calibrated probabilities of a task's labels from (n, Dt) and (n, Di) vectors.

        Raises:
            NotFoundError: the model has no such task.
        """
        head = self._heads.get(task)
        if head is None:
            raise NotFoundError(f"Model {self.card.id!r} knows no task {task!r}, only {', '.join(self._heads)}.")
        return self._calibrated(self._logits(text, image), head)

    def _logits(self, text: Tensor, image: Tensor) -> dict[str, Tensor]:
        with torch.inference_mode():
            return self._network.fuse(text.to(self._device), image.to(self._device))

    def _calibrated(self, logits: dict[str, Tensor], head: HeadSpec) -> NDArray[np.float64]:
        values = logits[head.task].float().cpu().numpy()
        return calibrated(values, head, self.card.temperatures.get(head.task, 1.0))

    def _score(self, part: Sequence[Decoded]) -> list[Verdict]:
        text = self.text_vectors([model_text(content) for content, _ in part])
        image = self.missing_image.repeat(len(part), 1)
        seen = [row for row, (_, square) in enumerate(part) if square is not None]
        if seen:
            pixels = image_batch([part[row][1] for row in seen], self.spec.image.size).pixels
            image[seen] = self.image_vectors(pixels)
        logits = self._logits(text, image)
        tables = {task: self._calibrated(logits, head) for task, head in self._heads.items()}
        return [
            verdict(content.id, self.card.id, head, tables[task][row])
            for row, (content, _) in enumerate(part)
            for task, head in self._heads.items()
            if not head.applies_to or content.kind in head.applies_to
        ]
