"""When a weight of an explanation says something: the one rule for colours, words and shares. Light."""

from __future__ import annotations

CLEAR = 2.0
"""Standard errors; about 95 % of a normal distribution lie within them."""
ELSEWHERE = "elsewhere"
"""What shares call the rest of the screenshot: what lies in none of the page's regions, its frame."""


def is_clear(weight: float, error: float | None) -> bool:
    """Whether a weight can be told from zero: it is more than two standard errors away, or known without error."""
    return weight != 0.0 and (error is None or abs(weight) > CLEAR * error)
