"""Which texts share a row of the encoder, and what a run of it is given of them.

Packing (Krell et al. 2021, "Efficient sequence packing without cross-contamination"): several texts share a row of
fixed length, and a mask keeps each from reading the others. Attention takes the square of a row's length, so that short
texts share rows that are half as long as those of long ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.int32]
Texts = Sequence[Sequence[Sequence[int]]]
"""Token numbers of the texts of each row."""


PAIR = 2
FULL = 0.98
"""Rows are hardly ever filled better."""


class Form(NamedTuple):
    """What one run takes: `rows` of `tokens` tokens and at most `texts` texts each."""

    rows: int
    tokens: int
    texts: int


def packed(lengths: Sequence[int], forms: Sequence[Form]) -> list[tuple[Form, list[list[int]]]]:
    """Numbers of texts by the row that they share, and rows by form; `forms` have the one with the shortest rows first.

    The longest first into the fullest row with room for it, or a new one that is no longer than it need be.
    """
    longest = forms[-1].tokens
    roomy: list[list[tuple[Form, list[int]]]] = [[] for _ in range(longest + 1)]
    rows: list[tuple[Form, list[int]]] = []
    for text in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        length = lengths[text]
        room = next((room for room in range(length, longest + 1) if roomy[room]), None)
        if room is None:
            form = next(form for form in forms if form.tokens >= length)
            room = form.tokens
            rows.append((form, []))
            row = rows[-1]
        else:
            row = roomy[room].pop()
        row[1].append(text)
        if len(row[1]) < row[0].texts:
            roomy[room - length].append(row)
    found = [(form, [texts for its, texts in rows if its == form]) for form in forms]
    return [(form, own) for form, own in found if own]


def filling(lengths: Sequence[int], forms: Sequence[Form], fewest: int) -> int:
    """How many of the first texts fill the runs that the `fewest` first take: as many more as there is room for.

    Runs come in pairs: where two cores share them, one would wait for the other at the end.
    """

    def runs(count: int) -> int:
        found = packed([length for length in lengths[:count] if length], forms)
        return sum(-(-len(rows) // form.rows) for form, rows in found)

    room = -(-runs(fewest) // PAIR) * PAIR
    tokens = room * forms[0].rows * forms[0].tokens
    count = max(fewest, int(np.searchsorted(np.cumsum(lengths), FULL * tokens, side="right")))
    while count > fewest and runs(count) > room:
        count -= 1
    return count


class Layout:
    """Where the tokens of a run's texts are, row by row."""

    def __init__(self, texts: Texts, form: Form) -> None:
        self.form = form
        self.lengths = [[len(tokens) for tokens in row] for row in texts]
        self.numbers = [np.fromiter(chain.from_iterable(row), np.intp) for row in texts]

    def places(self, row: int) -> NDArray[np.intp]:
        """The place of each token of a row in its own text."""
        lengths = np.asarray(self.lengths[row])
        return np.arange(len(self.numbers[row])) - np.repeat(self._starts(row), lengths)

    def mask(self) -> Floats:
        """(B, 1, N, N): 0 where a token may read another one, minus infinity where that belongs to another text."""
        owners = self._owners()
        apart = owners[:, :, None] != owners[:, None, :]
        return np.where(apart, np.float32(-np.inf), np.float32(0))[:, None]

    def firsts(self) -> Numbers:
        """(B, K): the place of each text's first token in its row; 0 where a row has fewer texts."""
        found = np.zeros((self.form.rows, self.form.texts), np.int32)
        for row, lengths in enumerate(self.lengths):
            found[row, : len(lengths)] = self._starts(row)
        return found

    def shares(self) -> Floats:
        """(B, K, N): what each token counts in the mean of each text; 0 of another text's."""
        found = np.zeros((self.form.rows, self.form.texts, self.form.tokens), np.float32)
        for row, lengths in enumerate(self.lengths):
            own = np.repeat(np.arange(len(lengths)), lengths)
            found[row, own, np.arange(len(own))] = (1 / np.asarray(lengths, np.float32))[own]
        return found

    def _owners(self) -> Numbers:
        """(B, N): which of a row's texts each token belongs to; what is behind them is one more."""
        found = np.full((self.form.rows, self.form.tokens), -1, np.int32)
        for row, lengths in enumerate(self.lengths):
            found[row, : len(self.numbers[row])] = np.repeat(np.arange(len(lengths)), lengths)
        return found

    def _starts(self, row: int) -> NDArray[np.intp]:
        lengths = np.asarray(self.lengths[row])
        starts: NDArray[np.intp] = np.cumsum(lengths) - lengths
        return starts
