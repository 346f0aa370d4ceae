"""Fuzzy matching of a few typed letters with titles, for the command palette."""

from __future__ import annotations

_START, _RUN, _LETTER = 8, 9, 1


def score(query: str, text: str) -> int | None:
    """Return how well the letters of `query` match `text` in order, higher is better; None where they do not.

    Letters at the start of a word and letters in a row count more; skipped letters count a little against. Case and
    spaces in the query do not matter. An empty query matches everything with 0.
    """
    letters = query.casefold().replace(" ", "")
    if not letters:
        return 0
    words = text.casefold()
    if len(words) != len(text):
        words = text.lower()
    best: int | None = None
    for start, letter in enumerate(words):
        if letter == letters[0] and (found := _from(letters, words, start)) is not None:
            best = found if best is None else max(best, found)
    return best


def _from(letters: str, words: str, start: int) -> int | None:
    """Score a match whose first letter is at `start`, taking a word's start over the next occurrence."""
    total, last, at = 0, -2, start
    for number, letter in enumerate(letters):
        if number:
            at = _next(letter, words, last + 1)
        if at < 0:
            return None
        total += _LETTER
        if at == 0 or not words[at - 1].isalnum():
            total += _START
        if at == last + 1:
            total += _RUN
        last = at
    return total * 4 - (last - start + 1 - len(letters)) - start


def _next(letter: str, words: str, begin: int) -> int:
    if words.startswith(letter, begin):
        return begin
    at = words.find(letter, begin)
    starts = at
    while starts >= 0 and words[starts - 1].isalnum():
        starts = words.find(letter, starts + 1)
    return starts if starts >= 0 else at
