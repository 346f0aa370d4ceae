"""Splitting texts and cutting them into pieces."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.errors import TrainingError
from engine.training.pretraining.corpus import Corpus, keep_corpus, kept_corpus, split_texts, tokenized
from engine.training.pretraining.encoder import new_encoder
from engine.training.pretraining.settings import PretrainingSettings


def test_equal_texts_never_sit_on_both_sides(texts: list[str], settings: PretrainingSettings) -> None:
    found = split_texts([*texts, *texts, *(text.upper() for text in texts)], settings)
    assert not set(found.train) & set(found.held_out)
    assert found.counts.read == 180
    assert found.counts.distinct == 60 == found.counts.train + found.counts.held_out
    assert found.counts.held_out == 6


def test_the_split_depends_on_texts_and_seed_not_on_their_order(
    texts: list[str], settings: PretrainingSettings
) -> None:
    other = split_texts(texts[::-1], settings)
    assert set(other.held_out) == set(split_texts(texts, settings).held_out)
    reseeded = split_texts(texts, msgspec.structs.replace(settings, seed=1))
    assert set(reseeded.held_out) != set(other.held_out)
    assert reseeded.fingerprint == split_texts(texts, settings).fingerprint
    assert split_texts([*texts, "one more"], settings).fingerprint != reseeded.fingerprint


def test_too_few_texts_are_said_in_words(settings: PretrainingSettings) -> None:
    with pytest.raises(TrainingError, match=r"at least 20 different texts, and there is 1 text"):
        split_texts(["hello", "Hello", " "], settings)
    with pytest.raises(TrainingError, match=r"there are 19 different texts"):
        split_texts([f"text {n}" for n in range(19)], settings)


def test_a_long_text_becomes_several_pieces_and_no_token_is_lost(
    texts: list[str], settings: PretrainingSettings
) -> None:
    tokenizer = new_encoder(texts, settings).tokenizer
    long = " ".join(texts[:5])
    pieces = tokenized(["short", long], tokenizer, 16)
    assert max(pieces.lengths) == 16
    assert len(pieces) > 3
    bare = [token for row in range(1, len(pieces)) for token in pieces[row][1:-1].tolist()]
    assert bare == tokenizer(long, add_special_tokens=False)["input_ids"]
    assert all((pieces[row][0], pieces[row][-1]) == (0, 2) for row in range(len(pieces)))


def test_padding_and_keeping(texts: list[str], settings: PretrainingSettings, tmp_path: Path) -> None:
    tokenizer = new_encoder(texts, settings).tokenizer
    corpus = Corpus(tokenized(texts, tokenizer, 16), tokenized(texts[:3], tokenizer, 16))
    keep_corpus(tmp_path / "c", corpus)
    kept = kept_corpus(tmp_path / "c")
    assert [kept.train[row].tolist() for row in range(len(kept.train))] == [
        corpus.train[row].tolist() for row in range(len(corpus.train))
    ]
    ids, mask = kept.held_out.padded([2, 0], pad=1)
    longest = max(len(kept.held_out[2]), len(kept.held_out[0]))
    assert ids.shape == mask.shape
    assert longest <= ids.shape[1] <= max(longest, min(-longest % 8 + longest, int(kept.held_out.lengths.max())))
    assert np.array_equal(ids[1][mask[1]], kept.held_out[0])
    assert (ids[~mask] == 1).all()
