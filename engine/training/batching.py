"""Dealing an epoch's items into batches: seeded by the epoch, so that a resumed run deals as the uninterrupted one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from engine.training.device import derived_seed

WINDOW = 32
"""Texts are put in order of length among so many shuffled batches: little padding, and batches still differ."""


def steps_of(count: int, size: int) -> int:
    """Return how many batches of up to `size` make an epoch of `count` items."""
    return math.ceil(count / size)


def mixed_batches(count: int, size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Return rows 0 to `count` - 1, shuffled and dealt into batches of nearly one size (no batch of a single item)."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    order = torch.randperm(count, generator=generator)
    return [part.tolist() for part in torch.tensor_split(order, steps_of(count, size))]


def batches_of_like_length(lengths: Sequence[int], size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Return the rows of `lengths` (in tokens) in batches of nearly one size whose texts are of nearly one length.

    A batch costs its longest text times its items, so that mixing lengths wastes about half of the work on padding.
    Shuffled first, then put in order of length within windows of 32 batches; the batches come in random order.
    """
    batches = mixed_batches(len(lengths), size, seed=seed, epoch=epoch)
    dealt: list[list[int]] = []
    for start in range(0, len(batches), WINDOW):
        window = batches[start : start + WINDOW]
        rows = iter(sorted((row for batch in window for row in batch), key=lengths.__getitem__))
        dealt += [[next(rows) for _ in batch] for batch in window]
    generator = torch.Generator().manual_seed(derived_seed(seed, "batches", epoch))
    return [dealt[place] for place in torch.randperm(len(dealt), generator=generator).tolist()]
