"""Scores of hidden tokens against formulas written out by hand."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from engine.training.device import Device
from engine.training.pretraining.corpus import tokenized
from engine.training.pretraining.encoder import Encoder, new_encoder
from engine.training.pretraining.scores import HeldOut
from engine.training.pretraining.settings import PretrainingSettings

CPU = Device(torch.device("cpu"), half=False)


@pytest.fixture
def encoder(texts: list[str], settings: PretrainingSettings) -> Encoder:
    torch.manual_seed(0)
    return new_encoder(texts, settings)


def test_the_unigram_row_is_the_smoothed_frequency_of_each_token(
    encoder: Encoder, texts: list[str], settings: PretrainingSettings
) -> None:
    train, held = (tokenized(part, encoder.tokenizer, 16) for part in (texts[6:], texts[:6]))
    held_out = HeldOut(held, encoder.vocabulary, 1, settings)
    found = held_out.unigram(train, encoder.vocabulary)
    counts = Counter(token for row in range(len(train)) for token in train[row].tolist() if token > 4)
    total = sum(counts.values()) + len(encoder.tokenizer) - 5
    targets = torch.cat([batch.targets for batch in held_out._batches]).tolist()
    assert found.n == len(targets)
    assert found.loss == pytest.approx(-sum(math.log((counts[one] + 1) / total) for one in targets) / len(targets))
    commonest = counts.most_common(1)[0][0]
    assert found.accuracy == pytest.approx(targets.count(commonest) / len(targets))


def test_the_head_sees_hidden_places_only_and_says_what_the_whole_model_says(
    encoder: Encoder, texts: list[str], settings: PretrainingSettings
) -> None:
    held_out = HeldOut(tokenized(texts[:6], encoder.tokenizer, 16), encoder.vocabulary, 1, settings)
    found = held_out.score(encoder, CPU, check=lambda: None)
    loss, hits = 0.0, 0
    with torch.inference_mode():
        for batch in held_out._batches:
            logits = encoder.model(input_ids=batch.ids, attention_mask=batch.attention.long()).logits[batch.chosen]
            torch.testing.assert_close(encoder.predictions(batch), logits)
            loss += float(torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum"))
            hits += int((logits.argmax(1) == batch.targets).sum())
    assert found.loss == pytest.approx(loss / found.n, rel=1e-5)
    assert found.accuracy == hits / found.n
    assert found.perplexity == pytest.approx(math.exp(loss / found.n), rel=1e-4)


def test_a_new_head_begins_with_the_frequencies(
    encoder: Encoder, texts: list[str], settings: PretrainingSettings
) -> None:
    pieces = tokenized(texts, encoder.tokenizer, 16)
    held_out = HeldOut(tokenized(texts[:6], encoder.tokenizer, 16), encoder.vocabulary, 1, settings)
    before = held_out.score(encoder, CPU, check=lambda: None)
    encoder.expect(pieces)
    after = held_out.score(encoder, CPU, check=lambda: None)
    unigram = held_out.unigram(pieces, encoder.vocabulary)
    assert after.loss < before.loss
    assert after.loss == pytest.approx(unigram.loss, abs=0.1)


def test_few_held_out_texts_are_hidden_several_times(
    encoder: Encoder, texts: list[str], settings: PretrainingSettings
) -> None:
    one = HeldOut(tokenized(texts[:1], encoder.tokenizer, 16), encoder.vocabulary, 1, settings)
    assert len(one._batches) == 10
    assert len({tuple(batch.chosen.flatten().tolist()) for batch in one._batches}) > 3
