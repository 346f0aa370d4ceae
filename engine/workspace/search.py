"""Finding items by words, on SQLite's full-text index."""

from __future__ import annotations

from engine.workspace.database import Database

FEW = 2_000
"""Up to as many matches are sorted by themselves; more are picked out while walking the queue in order."""


def hits(db: Database, text: str) -> set[int]:
    """Return the rows of items in whose id, title, text or author every word of `text` begins some word."""
    expression = " ".join(f'"{word}"*' for word in _words(text))
    if not expression:
        return set()
    return {row[0] for row in db.all("SELECT rowid FROM words WHERE words MATCH ?", (expression,))}


def _words(text: str) -> list[str]:
    """Split where the index does, so that punctuation in an id or a handle is no obstacle."""
    return "".join(letter if letter.isalnum() else " " for letter in text).split()
