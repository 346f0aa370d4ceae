"""Texts as token numbers: split into those that train and those that are held out, kept for a run that goes on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import TrainingError
from engine.models.text import prepared_text
from engine.training.pretraining.settings import PretrainingSettings
from engine.types import Struct

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FEWEST = 20
"""Fewer different texts than this teach nothing and leave none to measure on."""

STEP = 8
"""Lengths are rounded up to a multiple of this: every new shape costs the CPU's bf16 kernels compiling and memory."""


class TextCounts(Struct, frozen=True, kw_only=True):
    """How many texts were read, how many of them differ once prepared, and how these are used."""

    read: int
    distinct: int
    train: int
    held_out: int


class Texts(Struct, frozen=True, kw_only=True):
    """Prepared texts, each once. `fingerprint` is the SHA-256 of all of them, in their order."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    counts: TextCounts
    fingerprint: str


def split_texts(raw: Sequence[str], settings: PretrainingSettings) -> Texts:
    """Prepare raw texts, keep each once and hold some out; which ones depends on the texts and the seed alone.

    A text that occurs twice would sit on both sides, and what was learned by heart would pass for understanding.

    Raises:
        TrainingError: fewer than `FEWEST` different ones.
    """
    spec = settings.text_spec("")
    prepared = dict.fromkeys(text for text in (prepared_text(one, spec) for one in raw) if text.strip())
    if len(prepared) < FEWEST:
        there = "is 1 text" if len(prepared) == 1 else f"are {len(prepared)} different texts"
        raise TrainingError(
            f"Pretraining needs at least {FEWEST} different texts, and there {there}.",
            "Import more items (they need no labels), or give a larger file.",
        )
    ranked = sorted(prepared, key=lambda text: hashlib.sha256(f"{settings.seed}/{text}".encode()).digest())
    aside = set(ranked[: max(1, round(settings.held_out * len(ranked)))])
    train = tuple(text for text in prepared if text not in aside)
    held_out = tuple(text for text in prepared if text in aside)
    counts = TextCounts(read=len(raw), distinct=len(prepared), train=len(train), held_out=len(held_out))
    return Texts(train=train, held_out=held_out, counts=counts, fingerprint=_fingerprint(prepared))


@dataclass(frozen=True)
class Pieces:
    """Token numbers of N pieces of text: `flat` has all of them, piece `i` lies between `ends[i - 1]` and `ends[i]`."""

    flat: NDArray[np.int32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """How many tokens each piece has, special ones included; shape (N,)."""
        return np.diff(self.ends, prepend=0)

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        start = 0 if row == 0 else int(self.ends[row - 1])
        return self.flat[start : int(self.ends[row])]

    def padded(self, rows: Sequence[int], pad: int) -> tuple[Tensor, Tensor]:
        """Return (B, T) int64 token numbers and their mask, padded to a little more than the longest of these pieces.

        T is a multiple of `STEP` unless no piece at all is that long.
        """
        pieces = [self[row] for row in rows]
        lengths = torch.tensor([len(piece) for piece in pieces])
        width = min(math.ceil(int(lengths.max()) / STEP) * STEP, int(self.lengths.max()))
        ids = np.full((len(pieces), width), pad, dtype=np.int64)
        for row, piece in enumerate(pieces):
            ids[row, : len(piece)] = piece
        return torch.from_numpy(ids), torch.arange(ids.shape[1]) < lengths.unsqueeze(1)


@dataclass(frozen=True)
class Corpus:
    """What a run trains on and what it measures on."""

    train: Pieces
    held_out: Pieces


def tokenized(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Pieces:
    """Return prepared texts as token numbers; a longer text becomes several pieces, each with its special tokens.

    A tokenizer without a fast implementation cannot cut a text into pieces: there the rest is left out.
    """
    encoded = tokenizer(
        list(texts),
        truncation=True,
        max_length=max_tokens,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        return_overflowing_tokens=tokenizer.is_fast,
    )
    pieces = [np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"]]
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    return Pieces(np.concatenate(pieces), ends)


def keep_corpus(path: Path, corpus: Corpus) -> None:
    """Write a corpus to a safetensors file."""
    tensors = {}
    for name, pieces in (("train", corpus.train), ("held_out", corpus.held_out)):
        tensors[f"{name}/flat"] = torch.from_numpy(pieces.flat)
        tensors[f"{name}/ends"] = torch.from_numpy(pieces.ends)
    save_file(tensors, path)


def kept_corpus(path: Path) -> Corpus:
    """Return the corpus in a file that `keep_corpus` wrote; raises `OSError` or `SafetensorError`."""
    found = load_file(path)

    def side(name: str) -> Pieces:
        return Pieces(found[f"{name}/flat"].numpy(), found[f"{name}/ends"].numpy())

    return Corpus(side("train"), side("held_out"))


def _fingerprint(texts: Sequence[str] | dict[str, None]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode()
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()
