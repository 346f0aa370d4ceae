"""Finding items by words, on SQLite's full-text index over folded text."""

from __future__ import annotations

import unicodedata

from engine.workspace.database import Database

FEW = 2_000
"""Up to as many matches are sorted by themselves; more are picked out while walking the queue in order."""


class _Kept(dict[int, str | None]):
    """What becomes of a character, looked up once: itself where it is of a word, nothing for an accent, else a space.

    A table for `str.translate`, which is many times quicker than a loop over characters.
    """

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        kept = letter if letter.isalnum() else " "
        self[code] = None if unicodedata.category(letter) == "Mn" else kept
        return self[code]


_KEPT = _Kept()


def fold(text: str) -> str:
    """Return the text's words without case and accents, one space apart: what is indexed and what is looked for.

    Letters and digits make words, everything else parts them, so that punctuation in an id or a handle is no obstacle.
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    return " ".join(plain.translate(_KEPT).split())


def hits(db: Database, text: str) -> set[int]:
    """Return the rows of items in whose id, title, text or author every word of `text` begins some word."""
    expression = " ".join(f'"{word}"*' for word in fold(text).split())
    if not expression:
        return set()
    return {row[0] for row in db.all("SELECT rowid FROM words WHERE words MATCH ?", (expression,))}
