"""How well hidden tokens of held-out texts are predicted, beside what their frequency alone would say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from engine.training.device import Device, derived_seed
from engine.training.pretraining.corpus import Pieces
from engine.training.pretraining.encoder import Encoder
from engine.training.pretraining.masking import Masked, Vocabulary, hide
from engine.training.pretraining.settings import PretrainingSettings
from engine.types import Struct

BATCH = 64
ENOUGH, MOST_ROUNDS = 2000, 10
"""Few held-out texts are hidden anew up to ten times, until so many tokens were predicted."""


class MaskedScores(Struct, frozen=True, kw_only=True):
    """Over `n` hidden tokens: `loss` is the mean negative log-probability of the true one (nats), `accuracy` in [0, 1]
    how often it was the most probable one.
    """

    loss: float
    accuracy: float
    n: int

    @property
    def perplexity(self) -> float:
        """The exponential of the loss: among so many equally likely tokens it is as if one had to choose."""
        return math.exp(min(self.loss, 700.0))


class HeldOut:
    """The held-out texts with tokens hidden once and for all, so that scores before, during and after compare."""

    def __init__(self, pieces: Pieces, words: Vocabulary, pad: int, settings: PretrainingSettings) -> None:
        self._batches = list(_hidden(pieces, words, pad, settings))

    def score(self, encoder: Encoder, device: Device, *, check: Callable[[], None]) -> MaskedScores:
        """Return the encoder's scores; `check` is called between batches and may raise to stop."""
        encoder.model.train(mode=False)
        loss, hits, count = 0.0, 0, 0
        for batch in self._batches:
            check()
            here = batch.to(device.torch)
            with torch.inference_mode(), device.autocast():
                logits = encoder.predictions(here)
            loss += nn.functional.cross_entropy(logits, here.targets, reduction="sum").item()
            hits += int((logits.argmax(dim=1) == here.targets).sum())
            count += len(here.targets)
        return MaskedScores(loss=loss / count, accuracy=hits / count, n=count)

    def unigram(self, train: Pieces, words: Vocabulary) -> MaskedScores:
        """Return the scores of predicting every token by its frequency in the training texts, one added to each count.

        It looks at no context: an encoder that does not beat it has learned nothing of the language.
        """
        counts = torch.from_numpy(np.bincount(train.flat, minlength=words.size).astype(np.float64))
        counts[words.regular] += 1
        counts[words.special] = 0
        chances = (counts / counts.sum()).log()
        targets = torch.cat([batch.targets for batch in self._batches])
        hits: Tensor = targets == counts.argmax()
        return MaskedScores(loss=-float(chances[targets].mean()), accuracy=float(hits.double().mean()), n=len(targets))


def _hidden(pieces: Pieces, words: Vocabulary, pad: int, settings: PretrainingSettings) -> Iterator[Masked]:
    """Batches of like length, not shuffled."""
    order = np.argsort(pieces.lengths, kind="stable")
    expected = max(settings.mask * len(pieces.flat), 1.0)
    for turn in range(min(MOST_ROUNDS, math.ceil(ENOUGH / expected))):
        generator = torch.Generator().manual_seed(derived_seed(settings.seed, "held-out", turn))
        for start in range(0, len(order), BATCH):
            ids, attention = pieces.padded(order[start : start + BATCH].tolist(), pad)
            yield hide(ids, attention, words, settings.mask, generator)
