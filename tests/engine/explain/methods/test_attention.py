from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import InputError
from engine.explain.methods import METHODS, check_model, explain_by
from engine.explain.methods.attention import rollout
from engine.explain.methods.pieces import token_shares


def test_rollout_by_hand() -> None:
    first, second = np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[0.2, 0.8], [0.6, 0.4]])
    flow = np.array([[0.6, 0.4], [0.3, 0.7]]) @ np.array([[0.75, 0.25], [0.0, 1.0]])
    np.testing.assert_allclose(rollout([first, second], mean=False), flow[0])
    np.testing.assert_allclose(rollout([first, second], mean=True), flow.mean(axis=0))


def test_words_have_the_attention_of_their_tokens(make_predictor: Any, parts_of: Any, item: Any) -> None:
    """One layer, so that rollout is half of the first token's attention, worked out from the weights here."""
    predictor = make_predictor("bert-tiny")
    encoder, located = predictor.loaded.network.text.encoder, predictor.loaded.tokenizer.locate(item.text)
    with torch.no_grad():
        states = encoder.embeddings(input_ids=torch.tensor([located.ids]))[0]
        own = encoder.encoder.layer[0].attention.self
        heads = (own.query(states) @ own.key(states).T / np.sqrt(own.attention_head_size)).softmax(dim=1)
    shares = token_shares(located, parts_of(predictor, item).places(), 6).numpy()
    assert own.num_attention_heads == 1
    expected = (0.5 * heads[0].numpy()) @ shares
    found = explain_by("attention", predictor, item, "toxicity", "toxic")
    np.testing.assert_allclose([token.weight for token in found.tokens], expected, atol=1e-5)
    assert 0 < sum(expected) < 0.5
    assert "it is no explanation" in found.note
    assert found.segments == ()
    assert encoder.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("backbone", ["cnn", "bilstm"])
def test_which_backbones_have_attention_is_said(make_predictor: Any, item: Any, backbone: str) -> None:
    with pytest.raises(InputError, match=f"'{backbone}' has no attention; minilm, bert-tiny"):
        explain_by("attention", make_predictor(backbone), item, "toxicity", "toxic")
    with pytest.raises(InputError, match="has no attention"):
        check_model("attention", make_predictor(backbone))


def test_every_method_is_told_apart_by_the_model_alone(make_predictor: Any) -> None:
    def possible(predictor: Any) -> set[str]:
        found = set()
        for method in METHODS:
            with contextlib.suppress(InputError):
                check_model(method, predictor)
                found.add(method)
        return found

    assert possible(make_predictor("bert-tiny")) == set(METHODS)
    assert possible(make_predictor("cnn")) == set(METHODS) - {"attention"}
    assert possible(make_predictor("bert-tiny", image="none")) == set(METHODS) - {"gradcam"}
