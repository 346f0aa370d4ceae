"""Weights that can be told from zero, and words that come once."""

from __future__ import annotations

import pytest

from engine.evidence import each_once, is_clear
from engine.types import TokenWeight


@pytest.mark.parametrize(
    ("weight", "error", "expected"),
    [(0.3, 0.1, True), (-0.3, 0.1, True), (0.2, 0.1, False), (0.1, None, True), (0.0, None, False), (0.0, 0.0, False)],
)
def test_a_weight_is_clear_beyond_two_standard_errors(weight: float, error: float | None, expected: bool) -> None:
    assert is_clear(weight, error) is expected


def test_a_word_that_was_weighed_wherever_it_stands_comes_once() -> None:
    """In a long text, whose words are weighed in groups, it may have several weights."""
    given = [("one", 0.5), ("two", 0.1), ("one", 0.5), ("one", -0.2)]
    tokens = [
        TokenWeight(field="text", start=at, end=at + 3, text=text, weight=w) for at, (text, w) in enumerate(given)
    ]
    assert [(token.start, token.text, token.weight) for token in each_once(tokens)] == [
        (0, "one", 0.5),
        (1, "two", 0.1),
        (3, "one", -0.2),
    ]
