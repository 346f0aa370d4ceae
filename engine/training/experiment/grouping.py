"""What must stay on one side of a fold."""

from __future__ import annotations

import hashlib
import unicodedata


def group_of(text: str, given: str, number: str) -> str:
    """Return the group that the row names, else one for all rows with the same words, else one for the row alone."""
    if given.strip():
        return f"group:{given.strip()}"
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return f"text:{hashlib.sha256(words.encode()).hexdigest()}" if words else f"row:{number}"
