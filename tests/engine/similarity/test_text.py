"""What copies of a text differ in does not count, and what does is counted exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.similarity.text import SHINGLE, jaccard, normalised, shingles


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @Ann: Don't   stop!!! https://t.co/x1 #Now", "rt dont stop now"),
        ("Καλημέρα, ΚΌΣΜΕ", "καλημερα κοσμε"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("fire 🔥 2-0", "fire 🔥 2 0"),
        ("@user @other www.shop.example/a", ""),
        (" \n\u200b … ", ""),
    ],
)
def test_only_words_digits_and_emoji_are_left(text: str, expected: str) -> None:
    assert normalised(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(st.text("abcd", max_size=30), st.text("abcd", max_size=30))
def test_the_similarity_is_that_of_the_sets_of_shingles(one: str, other: str) -> None:
    def plain(text: str) -> set[str]:
        return {text[place : place + SHINGLE] for place in range(len(text) - SHINGLE + 1)}

    first, second = plain(one), plain(other)
    expected = len(first & second) / len(first | second) if first | second else 0.0
    assert jaccard(shingles(one), shingles(other)) == pytest.approx(expected)


def test_shingles_are_sorted_and_single() -> None:
    found = shingles("banana banana")
    assert len(found) == len({"ban", "ana", "nan", "na ", "a b", " ba"})
    assert np.all(np.diff(found.astype(object)) > 0)
