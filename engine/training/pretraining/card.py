"""What is known of a pretrained encoder: `pretraining.json` beside its weights."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import msgspec

from engine.training.pretraining.corpus import TextCounts
from engine.training.pretraining.scores import MaskedScores
from engine.training.pretraining.settings import SWITCHES, PretrainingSettings
from engine.types import Struct

CARD = "pretraining.json"
LEAST_GAIN = 0.05
"""Nats: a perplexity that is less than about 5 % lower may be chance, with a few thousand hidden tokens."""


class PretrainingCard(Struct, frozen=True, kw_only=True):
    """How an encoder came about.

    `encoder` is the one that was continued ("" for one from nothing), `fingerprint` the SHA-256 of the prepared texts,
    `created` when the run began (UTC). `before`, `after` and `unigram` are scores on the same hidden tokens of the
    held-out texts, `epochs` those after each epoch. `rates` are pairs of the first step and the learning rate from
    there on.
    """

    settings: PretrainingSettings
    source: str
    encoder: str
    texts: TextCounts
    fingerprint: str
    created: str
    before: MaskedScores
    after: MaskedScores
    unigram: MaskedScores
    epochs: tuple[MaskedScores, ...]
    rates: tuple[tuple[int, float], ...]
    device: str
    seconds: float
    versions: dict[str, str]
    format: int = 1

    @property
    def learned(self) -> bool:
        """Whether it predicts hidden tokens clearly better than before and than their frequency alone does."""
        return self.after.loss < min(self.before.loss, self.unigram.loss) - LEAST_GAIN


def known_settings(folder: str) -> dict[str, Any]:
    """Return how texts were prepared for the encoder in a folder; nothing where that is not known."""
    try:
        settings = msgspec.json.decode((Path(folder) / CARD).read_bytes(), type=PretrainingCard).settings
    except (OSError, msgspec.DecodeError):
        return {}
    return {name: getattr(settings, name) for name in (*SWITCHES, "max_tokens")}


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that the result depends on."""
    return {name: importlib.metadata.version(name) for name in ("torch", "transformers", "tokenizers", "safetensors")}
