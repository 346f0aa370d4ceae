"""From raw texts and prepared screenshots to calibrated probabilities, in buckets of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models.batches import image_batch, text_batch
from engine.models.encoders import Encoders
from engine.models.network import FusionNetwork
from engine.models.spec import HeadSpec
from engine.models.tokenizer import TextTokenizer
from engine.models.verdicts import calibrated

Squares = Sequence[NDArray[np.uint8] | None]
Tables = dict[str, NDArray[np.float64]]
"""(n, L) calibrated probabilities per task."""


@dataclass(frozen=True)
class Scorer:
    """A network with the encoders that stand for its backbones. Everything it returns is on `device`."""

    network: FusionNetwork
    tokenizer: TextTokenizer | None
    temperatures: dict[str, float]
    encoders: Encoders
    device: torch.device

    def using(self, encoders: Encoders) -> Scorer:
        """The same network with other encoders."""
        return replace(self, encoders=encoders)

    @torch.inference_mode()
    def tables(self, texts: Sequence[str], squares: Squares) -> Tables:
        """Calibrated probabilities of all tasks for items given by raw text and prepared screenshot."""
        return self.tables_of(self.text_vectors(texts), self.square_vectors(squares))

    @torch.inference_mode()
    def tables_of(self, text: Tensor, image: Tensor) -> Tables:
        """Calibrated probabilities of all tasks from (n, Dt) and (n, Di) vectors."""
        logits = self.network.fuse(text.to(self.device), image.to(self.device))
        return {head.task: self._calibrated(logits[head.task], head) for head in self.network.spec.heads}

    @torch.inference_mode()
    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """(n, Dt) vectors of raw texts; the learned vector of a missing part for a blank one."""
        answer = self.network.missing_text.repeat(len(texts), 1)
        if self.tokenizer is None:
            return answer
        written = [row for row, text in enumerate(texts) if text.strip()]
        ids = self.tokenizer.encode([texts[row] for row in written])
        for chunk in _by_length(ids, self._at_once(8, 128)):
            batch = text_batch([ids[at] for at in chunk], [True] * len(chunk), self.tokenizer.pad)
            answer[[written[at] for at in chunk]] = self.encoders.text(batch.to(self.device))
        return answer

    @torch.inference_mode()
    def square_vectors(self, squares: Squares) -> Tensor:
        """(n, Di) vectors of prepared screenshots; the learned vector of a missing part for None."""
        answer = self.network.missing_image.repeat(len(squares), 1)
        seen = [row for row, square in enumerate(squares) if square is not None]
        at_once = self._at_once(16, 128)
        for start in range(0, len(seen), at_once):
            rows = seen[start : start + at_once]
            batch = image_batch([squares[row] for row in rows], self.network.spec.image.size)
            answer[rows] = self.image_vectors(batch.pixels)
        return answer

    @torch.inference_mode()
    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(n, Di) vectors of (n, 3, S, S) float pixels in [0, 1]."""
        if self.network.image is None:
            return pixels.new_zeros((len(pixels), 0))
        parts = [self._image(part) for part in torch.split(pixels, self._at_once(16, 128))]
        return torch.cat(parts) if parts else self.network.missing_image.new_zeros((0, self.network.image_features))

    @torch.inference_mode()
    def probabilities(self, head: HeadSpec, text: Tensor, image: Tensor) -> NDArray[np.float64]:
        """(n, L) calibrated probabilities of one task from (n, Dt) and (n, Di) vectors."""
        logits = self.network.fuse(text.to(self.device), image.to(self.device))
        return self._calibrated(logits[head.task], head)

    def normalised(self, squares: Squares) -> Tensor:
        """(n, 3, S, S) normalised pixels of those screenshots that are there."""
        seen = [square for square in squares if square is not None]
        return self.network.normalised(image_batch(seen, self.network.spec.image.size).pixels.to(self.device))

    def _image(self, pixels: Tensor) -> Tensor:
        onto = pixels.to(self.device).contiguous(memory_format=torch.channels_last)
        return self.encoders.image(self.network.normalised(onto))

    def _at_once(self, on_cpu: int, on_gpu: int) -> int:
        """Small batches keep a CPU's caches warm and waste little padding; a GPU wants large ones."""
        return on_cpu if self.device.type == "cpu" else on_gpu

    def _calibrated(self, logits: Tensor, head: HeadSpec) -> NDArray[np.float64]:
        return calibrated(logits.float().cpu().numpy(), head, self.temperatures.get(head.task, 1.0))


def _by_length(ids: Sequence[Sequence[int]], at_once: int) -> Iterator[list[int]]:
    """Row numbers in chunks of similar length, so that little is padded."""
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    for start in range(0, len(order), at_once):
        yield order[start : start + at_once]
