"""Where a token stands in a text document: Python counts characters, Qt counts UTF-16 units. No widget here."""

from __future__ import annotations

import re
from bisect import bisect_left

from engine.types import CrossedOut, TokenWeight

Placed = TokenWeight | CrossedOut
"""What has a field and offsets into it."""

_BEYOND = re.compile("[\U00010000-\U0010ffff]")
"""Characters that take two UTF-16 units, such as emoji."""


class Places:
    """Title and text as one document. `shown` is its plain text, `title_end` the position behind the title.

    Line ends of two characters are shown as a space and a line end, so that no offset moves.
    """

    def __init__(self, title: str, text: str) -> None:
        between = "\n" if title and text else ""
        self.shown = (title + between + text).replace("\r\n", " \n")
        self._ends = {"title": len(title), "text": len(text)}
        self._starts = {"title": 0, "text": len(title) + len(between)}
        self._wide = [match.start() for match in _BEYOND.finditer(self.shown)]
        self.title_end = self._position(len(title))

    def holds(self, token: Placed) -> bool:
        """Whether a token lies within the text as it is now."""
        return 0 <= token.start < token.end <= self._ends.get(token.field, 0)

    def span(self, token: Placed) -> tuple[int, int]:
        """Return the token's first position in the document and the one behind it."""
        start = self._starts[token.field]
        return self._position(start + token.start), self._position(start + token.end)

    def _position(self, character: int) -> int:
        return character + bisect_left(self._wide, character)
