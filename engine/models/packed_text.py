"""The text encoder of bulk scoring beside a network of torch: texts side by side in rows, on every core at once.

What `engine.models.int8_text` spends between its operations is Python's, in one thread at a time; a graph spends
nothing there, so that the cores never wait for one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.models.bulk import bert
from engine.models.bulk.packing import Floats, Form, filling


class Run(NamedTuple):
    """Texts that are read together: their numbers, row by row."""

    form: Form
    rows: list[list[int]]

    @property
    def texts(self) -> list[int]:
        """Their numbers in the order of their vectors."""
        return list(chain.from_iterable(self.rows))


class PackedText:
    """(B, T) token numbers and their mask, padded behind, to (B, D) float vectors, as `Int8Encoder` gives them."""

    def __init__(self, encoder: bert.Encoder) -> None:
        self._encoder = encoder

    def runs(self, lengths: Sequence[int]) -> Iterator[Run]:
        """Texts of so many tokens each, by the run of the graph that reads them."""
        for form, rows in self._encoder.rows(lengths):
            for start in range(0, len(rows), form.rows):
                yield Run(form, rows[start : start + form.rows])

    def filling(self, lengths: Sequence[int], fewest: int) -> int:
        """How many of the first texts, `fewest` or more, take no more time than these."""
        return filling(lengths, self._encoder.forms, fewest)

    def vectors(self, run: Run, tokens: Sequence[Sequence[int]], begun: Callable[[], object] | None = None) -> Floats:
        """(n, D) vectors of a run's texts; `tokens` are those of all texts. See `Encoder` for `begun`."""
        return np.concatenate(self._encoder([[tokens[text] for text in row] for row in run.rows], run.form, begun))

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The vectors; those of rows without a token are zeros."""
        lengths = mask.sum(dim=1).tolist()
        written = [at for at, length in enumerate(lengths) if length]
        tokens = [ids[at, : lengths[at]].tolist() for at in written]
        found = np.zeros((len(ids), self._encoder.features), np.float32)
        for run in self.runs([len(one) for one in tokens]):
            found[[written[text] for text in run.texts]] = self.vectors(run, tokens)
        return torch.from_numpy(found)
