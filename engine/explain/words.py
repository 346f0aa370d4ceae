"""Words as people see them: the units that an explanation of a text is made of.

Follows the default word boundaries of Unicode (UAX #29) with the exceptions that tweets and pages need: a mention, a
hashtag, a link and an emoji sequence are one word each, and so are hyphenated words and amounts with their currency.
Scripts written without spaces are cut into characters.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import regex

_MARK = r"[\p{M}\u200c\u200d\u00ad]"
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}]"
_LETTER = rf"(?:(?!{_UNSPACED})[\p{{L}}\p{{N}}_]{_MARK}*)"
_EMOJI = (
    r"(?:[\p{Emoji_Presentation}\p{Extended_Pictographic}]"
    r"(?:\p{Emoji_Modifier}|[\uFE0E\uFE0F\u20E3]|[\U000E0020-\U000E007F])*)"
)
_WORD = regex.compile(
    "|".join(
        (
            r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\"\p{P}]/?",  # a link, without the sentence's punctuation
            r"(?<![\w.+\-])[\w.+\-]{1,64}+@[\w\-]+(?:\.[\w\-]+)+",  # a mail address, looked for once a run of letters
            rf"(?<!\w)[@#]{_LETTER}(?:{_LETTER}|[.\-](?={_LETTER}))*",  # a mention or a hashtag
            r"\p{Regional_Indicator}{2}",  # a flag
            r"[#*0-9]\uFE0F?\u20E3",  # a key cap
            rf"{_EMOJI}(?:\u200d{_EMOJI})*",
            r"\p{Sc}?\p{Nd}+(?:[.,:/]\p{Nd}+)*(?:[%‰]|\p{Sc}|(?!\p{L}))",  # an amount, a time, a percentage
            rf"{_LETTER}+(?:['’ʼ\-‐‑]{_LETTER}+)*",
            rf"{_UNSPACED}{_MARK}*",  # a character of a script that is written without spaces
        )
    ),
    flags=regex.V1,
)


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word and its offsets in characters: `text == whole[start:end]`."""

    start: int
    end: int
    text: str


def words_of(text: str) -> Iterator[Word]:
    """Yield the words of `text` from first to last; punctuation and spaces between them belong to none."""
    for found in _WORD.finditer(text):
        yield Word(start=found.start(), end=found.end(), text=found.group())
