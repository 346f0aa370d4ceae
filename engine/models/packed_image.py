"""The image backbone of bulk scoring beside a network of torch: a few screenshots at a time, each time on one core."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models.bulk import resnet
from engine.models.images import in_bytes


class PackedImage:
    """(B, 3, S, S) pixels in [0, 1] to (B, D) float vectors, as `Int8ResNet` gives them of normalised ones.

    Pixels are rounded to bytes, 256 steps over the range that they have: as finely as anything here is rounded.
    """

    def __init__(self, network: resnet.Resnet) -> None:
        self._network = network

    def __call__(self, pixels: Tensor) -> Tensor:
        """The vectors; what is outside [0, 1] is taken for the nearest that is inside.

        Rounded by numpy: torch would wake its other threads, which then look for more work while the network needs
        their cores.
        """
        return self.squares(list(in_bytes(pixels.permute(0, 2, 3, 1).numpy())))

    def squares(self, squares: Sequence[NDArray[np.uint8]]) -> Tensor:
        """The vectors of (S, S, 3) bytes, which need not become floats for it."""
        starts = range(0, len(squares), resnet.AT_ONCE)
        return torch.from_numpy(np.concatenate([self._network(squares[at : at + resnet.AT_ONCE]) for at in starts]))
