"""From token numbers and prepared screenshots to the tensors that a network takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models.network import ImageBatch, TextBatch


def text_batch(ids: Sequence[Sequence[int]], present: Sequence[bool], pad: int) -> TextBatch:
    """Texts padded to the longest among them, not to the network's maximum. No sequence may be empty."""
    longest = max(map(len, ids))
    numbers = np.full((len(ids), longest), pad, dtype=np.int64)
    for row, tokens in enumerate(ids):
        numbers[row, : len(tokens)] = tokens
    lengths = torch.tensor([len(tokens) for tokens in ids])
    mask = torch.arange(longest) < lengths.unsqueeze(1)
    return TextBatch(ids=torch.from_numpy(numbers), mask=mask, present=torch.tensor(list(present)))


def image_batch(squares: Sequence[NDArray[np.uint8] | None], size: int) -> ImageBatch:
    """Squares of (S, S, 3) bytes to (B, 3, S, S) floats in [0, 1], channels last in memory; black where missing."""
    pixels = pixel_bytes(squares, size).permute(0, 3, 1, 2).float().div_(255)
    return ImageBatch(pixels=pixels, present=torch.tensor([square is not None for square in squares]))


def pixel_bytes(squares: Sequence[NDArray[np.uint8] | None], size: int, *, pinned: bool = False) -> Tensor:
    """(B, S, S, 3) bytes of squares, black where missing; `pinned` memory can travel to a GPU in the background."""
    stacked = torch.zeros((len(squares), size, size, 3), dtype=torch.uint8, pin_memory=pinned)
    rows = stacked.numpy()
    for row, square in enumerate(squares):
        if square is not None:
            rows[row] = square
    return stacked
