"""Tokens of versions of one text that are put together, beside those of the tokenizer itself."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from engine.models import text as texts_module
from engine.models.pieces import FEWEST, Pieces, suits
from engine.models.spec import TextSpec
from engine.models.text import input_text

LIMIT = 12
SPEC = TextSpec(max_tokens=LIMIT)
ALPHABET = "abσΣςéß\u0301 \n\t\u00a0\u200d@.,'-_/#1w:😀👍🏽❤\ufe0f🇬🇷漢か"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ALPHABET, *(f"##{one}" for one in ALPHABET), "user", "http", "ab"]


def made(**settings_: bool) -> Tokenizer:
    numbers = {token: at for at, token in enumerate(dict.fromkeys(VOCABULARY))}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**settings_)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.enable_truncation(LIMIT)
    return tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return made()


words = st.text(ALPHABET, max_size=5) | st.sampled_from(["@ab", "http://ab", "www.a", "[SEP]", "ΑΣ", "👍🏽", "ab"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(words=st.lists(words, min_size=1, max_size=8), data=st.data())
def test_versions_have_the_very_tokens_of_the_tokenizer(
    tokenizer: Tokenizer, words: list[str], data: st.DataObject
) -> None:
    kept = data.draw(
        st.lists(st.lists(st.booleans(), min_size=len(words), max_size=len(words)), min_size=9, max_size=9)
    )
    versions = [" ".join(word if keep else "" for word, keep in zip(words, row, strict=True)) for row in kept] * 4
    found = Pieces(tokenizer, SPEC, LIMIT).encode(versions)
    assert found is not None
    prepared = [input_text(version, SPEC) for version in versions]
    assert found == [one.ids for one in tokenizer.encode_batch(prepared)]


@pytest.mark.parametrize(
    "versions",
    [["ab ab ab"] * (FEWEST - 1), [f"{one} b a" for one in ALPHABET], ["ab İ ab"] * 40, ["ab " * 40 * LIMIT] * 40],
    ids=["few", "different", "another way to small letters", "cut first"],
)
def test_where_that_is_slower_or_not_the_same_every_text_is_read(tokenizer: Tokenizer, versions: list[str]) -> None:
    assert Pieces(tokenizer, SPEC, LIMIT).encode(versions) is None


def test_only_a_tokenizer_that_splits_at_blanks_suits(tokenizer: Tokenizer) -> None:
    assert suits(tokenizer)
    others = [made() for _ in range(4)]
    others[0].pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # a blank belongs to the word after it
    others[1].normalizer = normalizers.Sequence([normalizers.Replace(" ", "a")])
    others[2].post_processor = None
    others[3].add_tokens(["a b"])
    assert not any(map(suits, others))


def test_no_emoji_has_a_blank_in_it() -> None:
    assert " " not in texts_module._EMOJI_PARTS
