"""Weights that can be told from zero."""

from __future__ import annotations

import pytest

from engine.evidence import is_clear


@pytest.mark.parametrize(
    ("weight", "error", "expected"),
    [(0.3, 0.1, True), (-0.3, 0.1, True), (0.2, 0.1, False), (0.1, None, True), (0.0, None, False), (0.0, 0.0, False)],
)
def test_a_weight_is_clear_beyond_two_standard_errors(weight: float, error: float | None, expected: bool) -> None:
    assert is_clear(weight, error) is expected
