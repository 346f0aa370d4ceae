"""Preparing text for a network, with a map from every prepared character back to what people see.

The raw text is never changed: preparation makes a second string beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import emoji

from engine.models.spec import TextSpec
from engine.types import ItemContent, Struct

USER_MASK = "@user"
URL_MASK = "http"
"""The masks of TweetEval (Barbieri et al. 2020, section 3), which encoders trained on tweets have seen."""

_CHARACTERS_PER_TOKEN = 64
"""Text beyond `max_tokens` × this many characters cannot reach the network; cutting first keeps absurd items cheap."""
_PATTERN = re.compile(
    r"(?P<url>(?:https?://|\bwww\.)[^\s<>\"]+)|(?P<user>(?<!\w)(?:@\w+)+)",
    re.IGNORECASE,
)
_DOTTED_CAPITAL_I = "İ"
_EMOJI_BEGIN = frozenset(symbol[0] for symbol in emoji.EMOJI_DATA) - set("#*0123456789") | {"\u20e3"}
"""A character of every emoji: the first one, or what makes a key cap of a digit."""
_EMOJI_PARTS = frozenset("\u200d\ufe0e\ufe0f").union(*emoji.EMOJI_DATA)
"""What emoji are made of: no emoji goes beyond a run of these, and to look for emoji is slow."""


class Prepared(Struct, frozen=True, kw_only=True):
    """Prepared text; character `i` of `text` stands for the raw characters `starts[i]` to `ends[i]` (exclusive)."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """The raw characters that prepared characters `start` to `end` (exclusive, at least one) stand for."""
        return self.starts[start], self.ends[end - 1]


class FieldSpan(Struct, frozen=True, kw_only=True):
    """Where a field ("title" or "text") sits in an item's model text: characters `start` to `end` (exclusive)."""

    field: str
    start: int
    end: int


_Piece = tuple[str, int, int]


def model_text(content: ItemContent) -> str:
    """The raw text a model reads: title, line break, text; only one of them where the other is blank."""
    return "\n".join(part for part in (content.title, content.text) if part.strip())


def fields_of(content: ItemContent) -> tuple[FieldSpan, ...]:
    """Where the item's fields sit in `model_text(content)`, in order and without overlap."""
    spans: list[FieldSpan] = []
    start = 0
    for name, value in (("title", content.title), ("text", content.text)):
        if value.strip():
            spans.append(FieldSpan(field=name, start=start, end=start + len(value)))
            start += len(value) + 1
    return tuple(spans)


def prepare(raw: str, spec: TextSpec) -> Prepared:
    """Prepare `raw` as the switches of `spec` say and keep where every character came from."""
    pieces = [(character, *piece[1:]) for piece in _pieces(raw, spec) for character in piece[0]]
    return Prepared(
        text="".join(piece[0] for piece in pieces),
        starts=tuple(piece[1] for piece in pieces),
        ends=tuple(piece[2] for piece in pieces),
    )


def prepared_text(raw: str, spec: TextSpec) -> str:
    """`prepare(raw, spec).text`, without the map: strings are taken whole, which is ten times as fast."""
    seen = raw.lower() if spec.lower_case else raw
    if len(seen) != len(raw):
        return "".join(piece[0] for piece in _pieces(raw, spec))
    parts: list[str] = []
    position = 0
    for start, end, replacement in _replacements(raw, spec):
        parts += (seen[position:start], replacement)
        position = end
    parts.append(seen[position:])
    if spec.strip_accents and not raw.isascii():
        parts[::2] = [part if part.isascii() else "".join(map(_without_accents, part)) for part in parts[::2]]
    return "".join(parts)


def input_text(raw: str, spec: TextSpec) -> str:
    """What of `raw` can reach the network, prepared."""
    return prepared_text(_in_reach(raw, spec), spec)


def reaches(raw: str, spec: TextSpec) -> bool:
    """Whether all of `raw` can reach the network, as far as its length goes."""
    return len(raw) <= spec.max_tokens * _CHARACTERS_PER_TOKEN


def prepared_in_reach(raw: str, spec: TextSpec) -> Prepared:
    """`input_text(raw, spec)` with its map."""
    return prepare(_in_reach(raw, spec), spec)


def _in_reach(raw: str, spec: TextSpec) -> str:
    return raw[: spec.max_tokens * _CHARACTERS_PER_TOKEN]


def _pieces(raw: str, spec: TextSpec) -> Iterator[_Piece]:
    """Pieces of prepared text with the raw characters that they stand for, in order."""
    seen = _lower(raw) if spec.lower_case else raw
    position = 0
    for start, end, replacement in _replacements(raw, spec):
        yield from _characters(raw, seen, position, start, spec)
        yield replacement, start, end
        position = end
    yield from _characters(raw, seen, position, len(raw), spec)


def _replacements(raw: str, spec: TextSpec) -> list[tuple[int, int, str]]:
    """What is replaced as a whole: links, handles and emoji; in order, without overlap (links and handles win)."""
    found = [(m.start(), m.end(), URL_MASK if m["url"] else USER_MASK) for m in _masked(raw, spec)]
    if spec.emoji == "keep" or raw.isascii():
        return found
    inside = [range(start, end) for start, end, _ in found]
    for start, end, symbol in _emoji(raw):
        if not any(start in taken or end - 1 in taken for taken in inside):
            found.append((start, end, _words(symbol) if spec.emoji == "words" else " "))
    return sorted(found)


def _emoji(raw: str) -> Iterator[tuple[int, int, str]]:
    """Every emoji with its offsets, as `emoji.emoji_list` finds them in the whole string."""
    if _EMOJI_BEGIN.isdisjoint(raw):
        return
    end = 0
    for at, character in enumerate(raw):
        if at < end or character not in _EMOJI_BEGIN:
            continue
        start, end = at, at + 1
        while start and raw[start - 1] in _EMOJI_PARTS:
            start -= 1
        while end < len(raw) and raw[end] in _EMOJI_PARTS:
            end += 1
        for hit in emoji.emoji_list(raw[start:end]):
            yield start + int(hit["match_start"]), start + int(hit["match_end"]), str(hit["emoji"])


def _masked(raw: str, spec: TextSpec) -> Iterator[re.Match[str]]:
    for match in _PATTERN.finditer(raw):
        if spec.mask_urls if match["url"] else spec.mask_users:
            yield match


@lru_cache(maxsize=4096)
def _words(symbol: str) -> str:
    """An emoji's English name as words, set apart by blanks."""
    return f" {emoji.demojize(symbol, delimiters=('', '')).replace('_', ' ')} ".lower()


def _lower(raw: str) -> list[str] | str:
    """Every character's lower case: in one go (final sigma needs its neighbours) where no character changes length."""
    if _DOTTED_CAPITAL_I in raw:
        return [character.lower() for character in raw]
    return raw.lower()


def _characters(raw: str, seen: list[str] | str, start: int, end: int, spec: TextSpec) -> Iterator[_Piece]:
    if not spec.strip_accents:
        yield from ((seen[i], i, i + 1) for i in range(start, end))
        return
    for i in range(start, end):
        character = seen[i] if raw[i].isascii() else _without_accents(seen[i])
        if character:
            yield character, i, i + 1


@lru_cache(maxsize=65_536)
def _without_accents(character: str) -> str:
    """A character without its combining marks (Unicode category Mn), recomposed; empty for a mark by itself."""
    parts = unicodedata.normalize("NFD", character)
    return unicodedata.normalize("NFC", "".join(part for part in parts if unicodedata.category(part) != "Mn"))
