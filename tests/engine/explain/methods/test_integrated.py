from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients

from engine.explain.methods import explain_by
from engine.explain.methods.integrated import integrated

KINDS = [("cnn", "late"), ("bilstm", "late"), ("cross-stitch", "early"), ("bert-tiny", "early")]


def runs(whole: Any, samples: int | None) -> list[Any]:
    return list(integrated(whole, samples))


@pytest.mark.parametrize(("backbone", "fusion"), KINDS)
def test_all_weights_add_up_to_what_hiding_everything_changes(
    make_predictor: Any, masked: Any, item: Any, backbone: str, fusion: str
) -> None:
    """Completeness: Sundararajan, Taly and Yan 2017, proposition 1."""
    whole = masked(make_predictor(backbone, fusion), item)
    ends = whole(torch.stack([torch.ones(whole.features), torch.zeros(whole.features)])).detach().numpy()
    last = runs(whole, None)[-1]
    assert last.final
    assert last.note == ""
    assert abs(ends[0] - ends[1]) > 0.005
    difference = ends[0] - ends[1]
    assert last.image.sum() + last.text.sum() == pytest.approx(difference, abs=max(0.002, 0.02 * abs(difference)))


def test_words_have_captums_own_weights_of_their_tokens(
    make_predictor: Any, parts_of: Any, masked: Any, item: Any
) -> None:
    item = msgspec.structs.replace(item, capture=None)
    predictor = make_predictor("bert-tiny")
    network, parts, whole = predictor.loaded.network, parts_of(predictor, item), masked(predictor, item)
    located = predictor.loaded.tokenizer.locate(item.text)
    owner = [
        next((feature for feature, start, end in parts.places() if span[0] < end and start < span[1]), None)
        for span in located.spans
    ]
    ids = torch.tensor([located.ids])
    blank = torch.tensor(
        [[number if own is None else located.blank for number, own in zip(located.ids, owner, strict=True)]]
    )

    def probability(tokens: torch.Tensor) -> torch.Tensor:
        vectors = network.text(tokens, torch.ones_like(tokens, dtype=torch.bool))
        logits = network.fuse(vectors, network.missing_image.expand(len(tokens), -1))
        answers: torch.Tensor = (logits["toxicity"] / 1.7).softmax(1)[:, 0]
        return answers

    layer = network.text.encoder.get_input_embeddings()
    steps = LayerIntegratedGradients(probability, layer).attribute(ids, baselines=blank, n_steps=8)
    expected = np.zeros(parts.text_features)
    for own, weight in zip(owner, steps.sum(dim=(0, 2)).tolist(), strict=True):
        if own is not None:
            expected[own] += weight
    (found,) = runs(whole, 10)
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(found.text, expected, atol=0.001 * np.abs(expected).max())
    assert found.samples == 10


def test_superpixels_have_captums_own_weights_of_their_pixels(
    make_predictor: Any, parts_of: Any, masked: Any, item: Any
) -> None:
    item = msgspec.structs.replace(item, text="")
    predictor = make_predictor()
    parts, whole, network = parts_of(predictor, item), masked(predictor, item), predictor.loaded.network
    count = parts.image_features
    seen = parts.image.perturbed.inputs(np.ones((1, count), dtype=bool))
    hidden = parts.image.perturbed.inputs(np.zeros((1, count), dtype=bool))

    def probability(pixels: torch.Tensor) -> torch.Tensor:
        logits = network.fuse(network.missing_text.expand(len(pixels), -1), network.encode_image(pixels))
        answers: torch.Tensor = (logits["toxicity"] / 1.7).softmax(1)[:, 0]
        return answers

    slopes = IntegratedGradients(probability, multiply_by_inputs=False).attribute(seen, baselines=hidden, n_steps=8)
    changes = seen - parts.image.perturbed.inputs(~np.eye(count, dtype=bool))
    expected = (changes * slopes).sum(dim=(1, 2, 3)).detach().numpy()
    (found,) = runs(whole, 10)
    assert np.abs(expected).max() > 0.001
    np.testing.assert_allclose(found.image, expected, atol=1e-5)


class Formula:
    """A masked item of two superpixels and a word, given by a formula."""

    features, rows, note, moved = 3, 4, "", True

    def __init__(self, formula: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._formula = formula

    def __call__(self, shown: torch.Tensor) -> torch.Tensor:
        return self._formula(shown)

    def split(self, weights: Any) -> tuple[Any, Any]:
        return weights[..., :2], weights[..., 2:]


def test_the_integral_of_a_product_is_shared_equally() -> None:
    whole: Any = Formula(lambda shown: shown[:, 0] * shown[:, 1] + shown[:, 2] ** 3 / 4)
    (found,) = runs(whole, None)
    np.testing.assert_allclose(found.image, np.full(2, 0.5), atol=1e-6)
    np.testing.assert_allclose(found.text, np.full(1, 0.25), atol=1e-6)


def test_more_steps_are_taken_where_weights_do_not_add_up_and_a_rest_is_admitted() -> None:
    steep: Any = Formula(lambda shown: torch.sigmoid(100 * (shown.mean(dim=1) - 0.503)))
    previews = runs(steep, None)
    assert [one.final for one in previews] == [False] * (len(previews) - 1) + [True]
    assert previews[0].note.startswith("The weights add up to +")
    assert previews[0].note.endswith(" instead of +1.000.")
    (rough,) = runs(steep, 3)
    assert rough.note.startswith("The weights add up to +")
    assert previews[-1].note == ""
    assert previews[-1].image.sum() + previews[-1].text.sum() == pytest.approx(1, abs=0.02)


def test_there_is_no_standard_error_and_one_scale(make_predictor: Any, item: Any) -> None:
    found = explain_by("ig", make_predictor(), item, "toxicity", "toxic")
    assert {token.error for token in found.tokens} == {segment.error for segment in found.segments} == {None}
    weights = {
        "image": [segment.weight for segment in found.segments],
        "text": [token.weight for token in found.tokens],
    }
    total = {name: sum(abs(one) for one in own) for name, own in weights.items()}
    assert found.modality_share == pytest.approx({name: one / sum(total.values()) for name, one in total.items()})
    assert found.method == "ig"
    assert found.reliability == {}
