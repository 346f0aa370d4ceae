"""Token numbers from nothing and from an encoder's own vocabulary."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ModelUnavailableError
from engine.models.spec import NetworkSpec
from engine.models.text import prepare
from engine.models.tokenizer import LearnedTokens, TextTokenizer, load_tokenizer, tokenizer_for

TEXTS = ["a calm river and a stone bridge", "Καλημέρα, ωραία μέρα σήμερα", "cheap silver watches, buy now"] * 4
OFFLINE = {"HF_HUB_OFFLINE": "1"}


def test_training_twice_gives_the_same_tokens(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    again = tokenizer_for(spec, TEXTS)
    assert again is not None
    assert again.encode(["a silver river", "Καλημέρα"]) == tokenizer.encode(["a silver river", "Καλημέρα"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(texts=st.lists(st.text(), max_size=5))
def test_any_text_has_tokens_within_the_limits(tokenizer: TextTokenizer, texts: list[str]) -> None:
    ids = tokenizer.encode(texts)
    assert len(ids) == len(texts)
    assert all(1 <= len(tokens) <= 16 for tokens in ids)
    assert all(0 <= token < tokenizer.vocabulary for tokens in ids for token in tokens)


def test_masked_and_lowered_text_gives_the_same_tokens(tokenizer: TextTokenizer) -> None:
    shown, other = tokenizer.encode(["@anna says ΚΑΛΗΜΈΡΑ", "@bob says καλημερα"])
    assert shown == other


def test_an_absurdly_long_text_is_cut_first(tokenizer: TextTokenizer) -> None:
    assert len(tokenizer.encode(["word " * 1_000_000])[0]) == 16


def test_saved_byte_pairs_come_back(spec: NetworkSpec, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    back = load_tokenizer(tmp_path, spec)
    assert back is not None
    assert back.encode(["a stone, Ναι"]) == tokenizer.encode(["a stone, Ναι"])
    assert (back.vocabulary, back.pad) == (tokenizer.vocabulary, tokenizer.pad)


def test_an_encoders_tokenizer_is_saved_with_the_model(spec: NetworkSpec, encoder_folder: str, tmp_path: Path) -> None:
    spec = msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, backbone=encoder_folder))
    tokenizer = tokenizer_for(spec, [])
    assert tokenizer is not None
    tokenizer.save(tmp_path)
    back = load_tokenizer(tmp_path, spec)
    assert back is not None
    ids = back.encode(["A Calm river", "buy " * 50])
    assert ids == tokenizer.encode(["A Calm river", "buy " * 50])
    assert len(ids[0]) == 5  # [CLS] a calm river [SEP]
    assert len(ids[1]) == 16


def test_a_model_without_its_tokenizer_is_unavailable(spec: NetworkSpec, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path, spec)


def as_read(spec: NetworkSpec, backbone: str, **settings: int) -> NetworkSpec:
    return msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, backbone=backbone, **settings))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(raw=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_each_character_of_prepared_text_is_one_token(spec: NetworkSpec, raw: str) -> None:
    """So explanations and offsets of prepared text hold for tokens as they stand."""
    spec = as_read(spec, "char-cnn", max_tokens=512)
    tokenizer = tokenizer_for(spec, [raw, "other text"])
    assert isinstance(tokenizer, LearnedTokens)
    prepared = prepare(raw, spec.text)
    (ids,) = tokenizer.encode([raw])
    assert [tokenizer._tokenizer.id_to_token(number) for number in ids] == (list(prepared.text) or ["[PAD]"])
    assert len(prepared.starts) == len(prepared.text)


def test_characters_have_a_place_for_strangers_and_keep_their_numbers(spec: NetworkSpec, tmp_path: Path) -> None:
    spec = as_read(spec, "char-cnn", max_tokens=8)
    tokenizer = tokenizer_for(spec, ["aab\nb c"] * 3)
    assert tokenizer is not None
    assert tokenizer.vocabulary == 2 + len("ab c\n")
    (ids,) = tokenizer.encode(["caΩb\n and more"])
    assert len(ids) == 8
    assert ids[2] == 1  # no training text has an omega
    assert len({*ids[:2], *ids[3:5]}) == 4
    again = tokenizer_for(spec, ["aab\nb c"] * 3)
    assert again is not None
    assert again.encode(["caΩb\n and more"]) == [ids]
    tokenizer.save(tmp_path)
    back = load_tokenizer(tmp_path, spec)
    assert back is not None
    assert back.encode(["caΩb\n and more"]) == [ids]


def test_only_the_most_frequent_characters_are_learned(spec: NetworkSpec) -> None:
    spec = as_read(spec, "char-cnn", vocabulary=300)
    many = "".join(chr(0x4E00 + number) for number in range(600))
    tokenizer = tokenizer_for(spec, [many[:16], many, "frequent " * 9])
    assert tokenizer is not None
    assert tokenizer.vocabulary == 300


def test_a_small_bert_reads_byte_pairs_after_one_token_that_stands_for_the_text(spec: NetworkSpec) -> None:
    plain, begun = tokenizer_for(spec, TEXTS), tokenizer_for(as_read(spec, "bert-tiny"), TEXTS)
    assert isinstance(plain, LearnedTokens)
    assert isinstance(begun, LearnedTokens)
    for text in ("a silver river", "", "  ", "word " * 40):
        (without,), (ids,) = plain.encode([text]), begun.encode([text])
        assert begun._tokenizer.id_to_token(ids[0]) == "[CLS]"
        assert len(ids) == min(16, 1 + len(without) * (without != [plain.pad]))
