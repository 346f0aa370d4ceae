"""When a weight of an explanation says something, which words do, and where one stands: one rule each for all rooms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.types import TokenWeight

CLEAR = 2.0
"""Standard errors; about 95 % of a normal distribution lie within them."""
SLIGHT = 0.02
"""Shares and colours are relative: where the largest weight is smaller, they make much of little. No weight below this
has full colour, so that an explanation made of noise looks like one."""
ELSEWHERE = "elsewhere"
"""What shares call the rest of the screenshot: what lies in none of the page's regions, its frame."""


def is_clear(weight: float, error: float | None) -> bool:
    """Whether a weight can be told from zero: it is more than two standard errors away, or known without error."""
    return weight != 0.0 and (error is None or abs(weight) > CLEAR * error)


def each_once(tokens: Iterable[TokenWeight]) -> list[TokenWeight]:
    """A word that was weighed wherever it stands, as its first occurrence; in groups of a long text it has several."""
    words: dict[tuple[object, ...], TokenWeight] = {}
    for token in tokens:
        words.setdefault(weighed_as(token), token)
    return list(words.values())


def weighed_together(tokens: Iterable[TokenWeight]) -> list[list[TokenWeight]]:
    """The words behind each weight: one with its occurrences, or neighbours of a long text, in reading order."""
    found: dict[tuple[object, ...], list[TokenWeight]] = {}
    for token in tokens:
        found.setdefault(weighed_as(token) if token.group is None else (token.group,), []).append(token)
    return list(found.values())


def weighed_as(token: TokenWeight) -> tuple[object, ...]:
    """What the occurrences of a word that were weighed together have in common."""
    return token.text, token.weight, token.error


def occurrences(raw: str, word: str) -> list[tuple[int, int]]:
    """Return where a word stands in a raw text as a whole word, in whatever case: starts and exclusive ends."""
    if not word.strip():
        return []
    before, after = (r"(?<!\w)" if word[0].isalnum() else ""), (r"(?!\w)" if word[-1].isalnum() else "")
    pattern = before + re.escape(word) + after
    return [match.span() for match in re.finditer(pattern, raw, re.IGNORECASE)]
