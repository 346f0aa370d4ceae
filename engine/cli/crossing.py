"""What is crossed out by name on the command line, found in the item."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.errors import InputError, did_you_mean
from engine.evidence import occurrences
from engine.types import CrossedOut, Item, Mark

_NO_WORDS = "It has no words at all: cross out a region of its page with --cross-out-region."


def crossed_out(item: Item, words: Sequence[str], regions: Sequence[str]) -> tuple[CrossedOut, ...]:
    """Return the item's parts of these names: a word wherever it stands in title and text, a region of its page.

    Raises:
        InputError: the item has no such word or region.
    """
    found = [mark for word in words for mark in _word(item, word)]
    return (*found, *(_region(item, name) for name in regions))


def _word(item: Item, word: str) -> list[CrossedOut]:
    fields = {"title": item.title, "text": item.text}
    found = [
        CrossedOut(kind=Mark.WORD, field=field, start=start, end=end, text=raw[start:end])
        for field, raw in fields.items()
        for start, end in occurrences(raw, word)
    ]
    if not found:
        known = dict.fromkeys(re.findall(r"\w+", f"{item.title} {item.text}"))
        raise InputError(f"'{item.id}' has no word '{word}' to cross out.", did_you_mean(word, known) or _NO_WORDS)
    return found


def _region(item: Item, name: str) -> CrossedOut:
    boxes = item.regions.get(name)
    if item.capture is None or not item.regions:
        raise InputError(f"The page of '{item.id}' has no regions.", "Cross out a word, or a place on the desk.")
    if not boxes:
        raise InputError(f"The page of '{item.id}' has no region '{name}'.", did_you_mean(name, item.regions))
    return CrossedOut(kind=Mark.REGION, boxes=boxes, region=name)
