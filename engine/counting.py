"""Numbers with their nouns, in every sentence that counts something."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return "1 item", "0 items", "1,200 items"; `plural` where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def fit(number: int, one: str, several: str) -> str:
    """Return the word that fits a number: `fit(n, "is", "are")`."""
    return one if number == 1 else several
