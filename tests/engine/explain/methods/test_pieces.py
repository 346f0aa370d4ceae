"""From tokens to words as people see them, in every script."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.explain.methods.pieces import token_shares
from engine.explain.words import words_of
from engine.models.located import Located
from engine.models.spec import HeadSpec, NetworkSpec, TextSpec
from engine.models.text import prepared_text
from engine.models.tokenizer import TextTokenizer, tokenizer_for

TEXTS = [
    "Καλημέρα, ωραία μέρα σήμερα",
    "Café naïve, e\u0301te\u0301 à l'hôtel",
    "party 🎉🎉 tonight 👩‍👩‍👧 👍🏽 🇬🇷 end",
    "hey @some_one see https://example.org/a?b=c, ok @a@b",
    "שלום עולם, glorp טוב",
    "مَرْحَبًا بالعالم الجميل",
    "İstanbul'da ΣΊΣΥΦΟΣ ﬁne ﬀ",
    "日本語のテスト one ไทยๆ",
    "#hash_tag 12.50€ 3:45pm don't-stop",
]


def tokenizer(backbone: str, **settings: Any) -> TextTokenizer:
    spec = NetworkSpec(
        heads=(HeadSpec(task="t", labels=("a", "b")),),
        text=TextSpec(backbone=backbone, max_tokens=200, vocabulary=500, **settings),
    )
    found = tokenizer_for(spec, TEXTS)
    assert found is not None
    return found


@pytest.mark.parametrize("backbone", ["cnn", "char-cnn", "bert-tiny", "encoder"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("emoji", ["words", "keep"])
def test_every_word_has_tokens_of_its_own(backbone: str, text: str, emoji: str, encoder_folder: str) -> None:
    made = tokenizer(encoder_folder if backbone == "encoder" else backbone, emoji=emoji)
    located = made.locate(text)
    words = list(words_of(text))
    shares = token_shares(located, [(at, word.start, word.end) for at, word in enumerate(words)], len(words)).numpy()
    assert list(located.ids) == made.encode([text])[0]
    assert ((shares > 0).sum(axis=0) > 0).all()
    whole = shares[shares.sum(axis=1) > 0]
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-6)
    for row, span in zip(shares, located.spans, strict=True):
        for word, share in zip(words, row, strict=True):
            assert (share > 0) == (span[0] < word.end and word.start < span[1])


@pytest.mark.parametrize("text", TEXTS)
def test_a_words_characters_are_those_of_its_tokens(text: str) -> None:
    """One token is one character of prepared text here, so that what a word's tokens say can be read."""
    spec = TextSpec(backbone="char-cnn", max_tokens=200, vocabulary=500)
    made: Any = tokenizer("char-cnn")
    located = made.locate(text)
    prepared = prepared_text(text, spec)
    words = list(words_of(text))
    shares = token_shares(located, [(at, word.start, word.end) for at, word in enumerate(words)], len(words)).numpy()
    for at, word in enumerate(words):
        read = "".join(prepared[token] for token in np.flatnonzero(shares[:, at]))
        if word.text in {"@a", "b"}:  # two words for people, one handle for the model
            assert read == "@user"
        else:  # the last letter of a word is a sigma of its own, but not in a text with a dotted capital I
            assert read.replace("ς", "σ").split() == prepared_text(word.text, spec).replace("ς", "σ").split()


def test_a_token_of_two_words_is_divided_by_characters() -> None:
    located = Located(ids=(7, 8, 9), spans=((0, 0), (0, 6), (7, 9)), blank=0, limit=9)
    shares = token_shares(located, [(0, 0, 2), (1, 2, 6), (0, 7, 8)], 2)
    assert shares.tolist() == [[0, 0], pytest.approx([2 / 6, 4 / 6]), [1, 0]]


def test_a_text_without_words_has_no_shares() -> None:
    located = Located(ids=(7,), spans=((0, 1),), blank=0, limit=9)
    assert token_shares(located, [], 0).shape == (1, 0)
