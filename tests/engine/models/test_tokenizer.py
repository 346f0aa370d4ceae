"""Token numbers from nothing and from an encoder's own vocabulary."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ModelUnavailableError
from engine.models.spec import NetworkSpec
from engine.models.tokenizer import TextTokenizer, load_tokenizer, tokenizer_for

OFFLINE = {"HF_HUB_OFFLINE": "1"}


def test_training_twice_gives_the_same_tokens(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    again = tokenizer_for(
        spec, ["a calm river and a stone bridge", "Καλημέρα, ωραία μέρα σήμερα", "cheap silver watches, buy now"] * 4
    )
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
