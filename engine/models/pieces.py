"""Tokens of many versions of one text: each stretch between two blanks once, then put together.

An explanation asks about a thousand versions that are made of the same fifty words. BERT's tokenizer splits at blanks
before it does anything else, and what `engine.models.text` replaces never reaches over one, so that a version's tokens
are those of its stretches one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import chain

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from engine.models.spec import TextSpec
from engine.models.text import input_text, reaches

FEWEST = 8
"""Fewer texts are not worth looking at what they share."""
SHARED = 4
"""Stretches must come so many times on average: else it is faster to read every text."""
REMEMBERED = 4096
"""Stretches whose tokens are remembered: an explanation asks about the same ones again and again."""
_BLANK = " "
_DOTTED_CAPITAL_I = "İ"
"""Where it is in a text, all other characters become small ones in another way than without it."""


class Pieces:
    """Puts versions together, with special tokens and cut to `limit` tokens, for a tokenizer that `suits`."""

    def __init__(self, tokenizer: Tokenizer, spec: TextSpec, limit: int) -> None:
        self._tokenizer, self._spec = tokenizer, spec
        self._begin, self._end = ([one] for one in tokenizer.encode("").ids)
        self._room = limit - 2
        self._known: dict[str, list[int]] = {}

    def encode(self, texts: Sequence[str]) -> list[list[int]] | None:
        """Token numbers of raw texts; None where reading every text is faster, or needed."""
        if len(texts) < FEWEST or not all(
            _DOTTED_CAPITAL_I not in text and reaches(text, self._spec) for text in texts
        ):
            return None
        stretches = [text.split(_BLANK) for text in texts]
        distinct = set(chain.from_iterable(stretches))
        if SHARED * len(distinct) > sum(map(len, stretches)):
            return None
        known = self._read(distinct)
        return [self._whole(map(known.__getitem__, one)) for one in stretches]

    def _read(self, distinct: Set[str]) -> Mapping[str, list[int]]:
        """The tokens of these stretches and others."""
        known = self._known
        new = list(distinct - known.keys())
        if len(known) + len(new) > REMEMBERED:
            known, new = {}, list(distinct)
        prepared = [input_text(one, self._spec) for one in new]
        encodings = self._tokenizer.encode_batch_fast(prepared, add_special_tokens=False) if new else []
        known.update((one, encoding.ids) for one, encoding in zip(new, encodings, strict=True))
        self._known = known
        return known

    def _whole(self, parts: chain[list[int]] | map[list[int]]) -> list[int]:
        return self._begin + list(chain.from_iterable(parts))[: self._room] + self._end


def suits(tokenizer: Tokenizer) -> bool:
    """Whether a text's tokens are those of its stretches between blanks, between one token before and one after."""
    return (
        isinstance(tokenizer.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and isinstance(tokenizer.model, models.WordPiece)
        and (tokenizer.normalizer is None or isinstance(tokenizer.normalizer, normalizers.BertNormalizer))
        and len(tokenizer.encode("").ids) == 2
        and not any(
            one.lstrip or one.rstrip or _BLANK in one.content for one in tokenizer.get_added_tokens_decoder().values()
        )
    )
