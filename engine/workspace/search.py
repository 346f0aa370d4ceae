"""Finding items by words, on SQLite's full-text index over folded text."""

from __future__ import annotations

import unicodedata

from engine.workspace.database import Database

FEW = 2_000
"""Up to as many matches are sorted by themselves; more are picked out while walking the queue in order."""


def fold(text: str) -> str:
    """Return the text's words without case and accents, one space apart: what is indexed and what is looked for.

    Letters and digits make words, everything else parts them, so that punctuation in an id or a handle is no obstacle.
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    kept = (letter for letter in plain if unicodedata.category(letter) != "Mn")
    return " ".join("".join(letter if letter.isalnum() else " " for letter in kept).split())


def hits(db: Database, text: str) -> set[int]:
    """Return the rows of items in whose id, title, text or author every word of `text` begins some word."""
    expression = " ".join(f'"{word}"*' for word in fold(text).split())
    if not expression:
        return set()
    return {row[0] for row in db.all("SELECT rowid FROM words WHERE words MATCH ?", (expression,))}
