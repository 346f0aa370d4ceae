"""The text encoder of bulk scoring beside a network of torch: texts side by side in rows, on every core at once.

What `engine.models.int8_text` spends between its operations is Python's, in one thread at a time; a graph spends
nothing there, so that the cores never wait for one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.models.bulk import bert


class PackedText:
    """(B, T) token numbers and their mask, padded behind, to (B, D) float vectors, as `Int8Encoder` gives them."""

    def __init__(self, encoder: bert.Encoder) -> None:
        self._encoder = encoder

    def batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Numbers of texts of so many tokens each, by the rows that one run of the graph takes."""
        rows = bert.packed(lengths, self._encoder.row, self._encoder.most)
        for start in range(0, len(rows), self._encoder.at_once):
            yield [text for row in rows[start : start + self._encoder.at_once] for text in row]

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The vectors; those of rows without a token are zeros."""
        lengths = mask.sum(dim=1).tolist()
        tokens = [row[:length] for row, length in zip(ids.tolist(), lengths, strict=True)]
        written = [at for at, length in enumerate(lengths) if length]
        found = np.zeros((len(tokens), self._encoder.features), np.float32)
        rows = bert.packed([lengths[at] for at in written], self._encoder.row, self._encoder.most)
        for start in range(0, len(rows), self._encoder.at_once):
            part = [[written[at] for at in row] for row in rows[start : start + self._encoder.at_once]]
            vectors = self._encoder([[tokens[at] for at in row] for row in part])
            for row, values in zip(part, vectors, strict=True):
                found[row] = values
        return torch.from_numpy(found)
