"""A Hugging Face encoder's own tokenizer, from the file of the tokenizers library, without transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from engine.models.spec import TextSpec
from engine.models.text import input_text
from engine.types import Struct

_FILE, _SETTINGS = "tokenizer.json", "tokenizer_config.json"


class _Settings(Struct, frozen=True, kw_only=True):
    model_max_length: float = 1e30


class EncoderTokens:
    """Turns raw model text into token numbers as `engine.models.tokenizer.EncoderTokens` does."""

    def __init__(self, tokenizer: Tokenizer, spec: TextSpec, limit: int, pad: int) -> None:
        self._tokenizer, self._spec, self.limit, self._pad = tokenizer, spec, limit, pad
        tokenizer.no_padding()
        tokenizer.enable_truncation(limit)

    @classmethod
    def load(cls, folder: Path, spec: TextSpec, pad: int) -> EncoderTokens | None:
        """The tokenizer in an encoder's folder, whose digests have been checked; None for one written in Python."""
        try:
            text = (folder / _FILE).read_text(encoding="utf-8")
            settings = msgspec.json.decode((folder / _SETTINGS).read_bytes(), type=_Settings)
        except (OSError, UnicodeDecodeError, msgspec.DecodeError):
            return None
        return cls(Tokenizer.from_str(text), spec, int(min(spec.max_tokens, settings.model_max_length)), pad)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of raw texts, special tokens included, no padding; `pad` where nothing is left of a text."""
        found = self._tokenizer.encode_batch_fast([input_text(text, self._spec) for text in texts])
        return [encoding.ids or [self._pad] for encoding in found]
