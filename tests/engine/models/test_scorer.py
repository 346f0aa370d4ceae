"""How items are put together for a backbone."""

from __future__ import annotations

import pytest

from engine.models.scorer import _by_length


@pytest.mark.parametrize("tokens", [1, 10, 40, 1000])
def test_chunks_hold_all_rows_once_and_few_padded_tokens(tokens: int) -> None:
    lengths = [7, 1, 30, 12, 12, 3, 9, 28, 1, 2, 50, 12]
    chunks = list(_by_length(lengths, tokens))
    assert sorted(row for chunk in chunks for row in chunk) == list(range(len(lengths)))
    for chunk in chunks:
        assert len(chunk) == 1 or len(chunk) * max(lengths[row] for row in chunk) <= tokens
    longest = [max(lengths[row] for row in chunk) for chunk in chunks]
    assert longest == sorted(longest, reverse=True)
    assert all(min(lengths[row] for row in one) >= longest[at + 1] for at, one in enumerate(chunks[:-1]))


def test_no_rows_make_no_chunks() -> None:
    assert list(_by_length([], 10)) == []
