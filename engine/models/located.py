"""Which raw characters each token stands for, so that a token's weight finds the word that people see."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from engine.models.text import Prepared
from engine.types import Struct

Span = tuple[int, int]
NOWHERE: Span = (0, 0)


class Located(Struct, frozen=True, kw_only=True):
    """One text's token numbers as a network reads them, and the raw characters `spans[i]` that token `i` stands for.

    A span is a start and an exclusive end; the two are equal for special tokens, which stand for nothing. `blank` is
    the number of a token that says nothing: the mask token, else padding. `limit` is how many tokens are read at most.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    blank: int
    limit: int

    @property
    def full(self) -> bool:
        """Whether all tokens that a network reads are taken, so that there may be text that it does not read."""
        return len(self.ids) >= self.limit


def raw_spans(prepared: Prepared, offsets: Sequence[Span]) -> tuple[Span, ...]:
    """The raw characters of tokens from their offsets in the prepared text, which are empty for special tokens."""
    return tuple(prepared.raw_span(start, end) if start < end else NOWHERE for start, end in offsets)


def found_offsets(text: str, tokenize: Callable[[str], list[str]]) -> list[Span]:
    """Offsets of the tokens of a tokenizer that does not tell them: it is asked about one stretch after the other.

    Between blanks, tokens share the characters by their own lengths, markers such as "@@" and "##" left out. Where the
    lengths do not add up, each token stands for the whole stretch.
    """
    found: list[Span] = []
    for stretch in re.finditer(r"\S+", text):
        lengths = [len(_letters(token)) for token in tokenize(stretch.group())]
        if sum(lengths) != len(stretch.group()):
            found += [stretch.span()] * len(lengths)
            continue
        start = stretch.start()
        for length in lengths:
            found.append((start, start + length))
            start += length
    return found


def _letters(token: str) -> str:
    return token.removeprefix("##").removeprefix("▁").removesuffix("@@").removesuffix("</w>")
