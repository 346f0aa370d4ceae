"""Which texts share a row, and what a run is told of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.bulk.packing import PAIR, Form, Layout, filling, packed

SHORT, LONG = Form(4, 16, 5), Form(2, 32, 10)
FORMS = (SHORT, LONG)
ROWS = [[[5, 6, 7], [8], [9, 10]], [[11, 12]]]


@given(st.lists(st.integers(1, LONG.tokens), max_size=60))
def test_no_text_is_left_out_and_no_row_is_too_full(lengths: list[int]) -> None:
    found = packed(lengths, FORMS)
    assert sorted(text for _, rows in found for row in rows for text in row) == list(range(len(lengths)))
    for form, rows in found:
        assert all(0 < len(row) <= form.texts for row in rows)
        assert all(sum(lengths[text] for text in row) <= form.tokens for row in rows)


@given(st.lists(st.integers(1, LONG.tokens), max_size=60))
def test_only_what_needs_a_long_row_begins_one(lengths: list[int]) -> None:
    for form, rows in packed(lengths, FORMS):
        assert all((lengths[row[0]] > SHORT.tokens) == (form == LONG) for row in rows)


@given(st.lists(st.integers(1, LONG.tokens), max_size=60))
def test_no_two_rows_of_a_form_would_go_into_one(lengths: list[int]) -> None:
    for form, rows in packed(lengths, FORMS):
        used = [sum(lengths[text] for text in row) for row in rows if len(row) < form.texts]
        assert all(one + other > form.tokens for at, one in enumerate(used) for other in used[:at])


def test_short_texts_fill_what_long_ones_leave() -> None:
    assert packed([3, 30, 2, 17], FORMS) == [(LONG, [[1, 2], [3, 0]])]


def runs(lengths: list[int]) -> int:
    return sum(-(-len(rows) // form.rows) for form, rows in packed([one for one in lengths if one], FORMS))


@given(st.lists(st.integers(0, LONG.tokens), max_size=60), st.integers(0, 60))
def test_what_is_filled_up_takes_no_more_pairs_of_runs(lengths: list[int], fewest: int) -> None:
    fewest = min(fewest, len(lengths))
    count = filling(lengths, FORMS, fewest)
    assert fewest <= count <= len(lengths)
    assert count == fewest or runs(lengths[:count]) <= -(-runs(lengths[:fewest]) // PAIR) * PAIR


def test_texts_are_taken_until_both_runs_are_full() -> None:
    """Four rows of 16 tokens twice: three texts of 5 go into each."""
    assert filling([5] * 100, FORMS, 2) == 2 * 4 * 3
    assert filling([5] * 20, FORMS, 2) == 20
    assert filling([5] * 100, FORMS, 25) == 4 * 4 * 3


def test_a_layout_tells_places_and_who_may_read_whom() -> None:
    layout = Layout(ROWS, SHORT)
    assert layout.numbers[0].tolist() == [5, 6, 7, 8, 9, 10]
    assert layout.places(0).tolist() == [0, 1, 2, 0, 0, 1]
    mask = layout.mask()
    assert mask.shape == (4, 1, 16, 16)
    owners = [*"aaabcc", *"." * 10]
    expected = [[0 if one == other else -np.inf for other in owners] for one in owners]
    assert mask[0, 0].tolist() == expected
    assert not mask[3].any()


def test_first_tokens_and_means_are_those_of_each_text() -> None:
    layout = Layout(ROWS, SHORT)
    assert layout.firsts()[:, :3].tolist() == [[0, 3, 4], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    values = np.random.default_rng(0).random((4, 16, 7)).astype(np.float32)
    means = layout.shares() @ values
    assert means[0, 0] == pytest.approx(values[0, :3].mean(axis=0))
    assert means[0, 2] == pytest.approx(values[0, 4:6].mean(axis=0))
    assert means[1, 0] == pytest.approx(values[1, :2].mean(axis=0))
    assert not means[0, 3:].any()
