from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from engine.errors import CancelledError, ModelUnavailableError
from engine.explain.methods.masked import CPU_TOKENS, MOST_ROWS, MaskedItem
from engine.explain.methods.parts import Parts
from engine.explain.model import Question
from engine.explain.sampling import asked
from engine.models.batches import text_batch
from engine.models.differentiable import Differentiable
from engine.models.encoders import INT8, let_go
from engine.models.network import Batch, ImageBatch

KINDS = [("cnn", "early"), ("char-cnn", "late"), ("bilstm", "early"), ("cross-stitch", "early"), ("bert-tiny", "late")]


@pytest.mark.parametrize(("backbone", "fusion"), KINDS)
@pytest.mark.parametrize(("task", "label"), [("toxicity", "non-toxic"), ("reason", "smoking")])
def test_everything_shown_is_what_the_model_says(
    make_predictor: Any, masked: Any, item: Any, backbone: str, fusion: str, task: str, label: str
) -> None:
    predictor = make_predictor(backbone, fusion)
    verdict = next(one for one in predictor.predict([item]) if one.task == task)
    whole = masked(predictor, item, task, label)
    assert whole(torch.ones(1, whole.features)).item() == pytest.approx(verdict.probabilities[label], abs=1e-5)


def test_gradients_are_finite_differences(make_predictor: Any, masked: Any, item: Any) -> None:
    whole = masked(make_predictor("bert-tiny"), item)
    at = torch.full((1, whole.features), 0.6)
    found = whole.gradients(at)[0].numpy()
    step = 0.002
    moved = torch.eye(whole.features) * step
    with torch.no_grad():
        differences = ((whole(at + moved) - whole(at - moved)) / (2 * step)).numpy()
    assert np.abs(found).max() > 0.01
    assert np.corrcoef(found, differences)[0, 1] > 0.999
    np.testing.assert_allclose(found, differences, atol=0.15 * np.abs(found).max())  # ReLUs have kinks


def test_a_hidden_superpixel_is_hidden_as_lime_hides_it(
    make_predictor: Any, parts_of: Any, masked: Any, item: Any
) -> None:
    predictor = make_predictor()
    parts, whole = parts_of(predictor, item), masked(predictor, item)
    assert parts.image_features >= 2
    shown = torch.ones(parts.image_features, whole.features)
    shown[:, : parts.image_features] -= torch.eye(parts.image_features)
    masks = ~np.eye(parts.image_features, dtype=bool)
    np.testing.assert_allclose(whole(shown).detach().numpy(), asked(parts.image, masks, lambda: None), atol=1e-5)


@pytest.mark.parametrize("backbone", ["cnn", "encoder"])
def test_a_hidden_word_is_its_tokens_replaced_by_one_that_says_nothing(
    make_predictor: Any, parts_of: Any, masked: Any, item: Any, backbone: str, encoder_folder: str
) -> None:
    predictor = make_predictor(encoder_folder if backbone == "encoder" else backbone)
    network, tokenizer = predictor.loaded.network, predictor.loaded.tokenizer
    parts, whole = parts_of(predictor, item), masked(predictor, item)
    located = tokenizer.locate(item.text)
    feature, start, end = parts.places()[2]
    assert item.text[start:end] == "watches"
    ids = [
        located.blank if start <= span[0] < span[1] <= end else number
        for number, span in zip(located.ids, located.spans, strict=True)
    ]
    assert 0 < sum(one != other for one, other in zip(ids, located.ids, strict=True)) < len(ids)
    pixels = ImageBatch(pixels=torch.from_numpy(parts.pixels)[None], present=torch.tensor([True]))
    with torch.no_grad():
        logits = network(Batch(text=text_batch([ids], [True], tokenizer.pad), image=pixels))["toxicity"]
    shown = torch.ones(1, whole.features)
    shown[0, parts.image_features + feature] = 0
    assert whole(shown).item() == pytest.approx(float((logits / 1.7).softmax(1)[0, 0]), abs=1e-5)


@pytest.mark.parametrize(("backbone", "image"), [("none", "resnet18"), ("cnn", "none")])
def test_what_a_network_does_not_read_has_no_gradient(
    make_predictor: Any, parts_of: Any, masked: Any, item: Any, backbone: str, image: str
) -> None:
    predictor = make_predictor(backbone, image=image)
    parts, whole = parts_of(predictor, item), masked(predictor, item)
    gradients = whole.gradients(torch.ones(1, whole.features))[0]
    assert gradients[: parts.image_features].any() == (image != "none")
    assert gradients[parts.image_features :].any() == (backbone != "none")


@pytest.mark.parametrize("missing", [{"text": ""}, {"text": "!!!"}, {"capture": None}])
@pytest.mark.parametrize("fusion", ["early", "late"])
def test_missing_parts_are_missing(
    make_predictor: Any, masked: Any, item: Any, missing: dict[str, Any], fusion: str
) -> None:
    predictor, less = make_predictor(fusion=fusion), msgspec.structs.replace(item, **missing)
    whole = masked(predictor, less)
    verdict = predictor.predict([less])[0]
    shown = torch.ones(1, whole.features)
    assert whole(shown).item() == pytest.approx(verdict.probabilities["toxic"], abs=1e-5)
    assert whole.gradients(shown).any()


def test_floats_that_were_let_go_are_read_again(make_predictor: Any, masked: Any, save: Any, item: Any) -> None:
    predictor = save(make_predictor("bert-tiny"))
    network = predictor.loaded.network
    whole = masked(predictor, item)
    at = torch.full((1, whole.features), 0.5)
    gradients = whole.gradients(at)
    let_go(network, dataclasses.replace(predictor._scorer.encoders, text_name=INT8, image_name=INT8))
    assert network.image is None
    again = Differentiable.of(predictor.loaded, torch.device("cpu"))
    parts = Parts(Question.ask(predictor, item, "toxicity", "toxic"), "ig", 0, None)
    torch.testing.assert_close(MaskedItem(parts, again).gradients(at), gradients)
    with pytest.raises(ModelUnavailableError, match="were let go"):
        Differentiable.of(dataclasses.replace(predictor.loaded, source=None), torch.device("cpu"))


def test_a_frozen_predictor_scores_as_before(make_predictor: Any, masked: Any, item: Any) -> None:
    predictor = make_predictor("bilstm")
    before = predictor.predict([item])
    whole = masked(predictor, item)
    whole.gradients(torch.ones(1, whole.features))
    assert predictor.predict([item]) == before
    assert all(weight.grad is None for weight in predictor.loaded.network.parameters())


def test_large_inputs_pass_a_few_at_a_time(
    make_predictor: Any, masked: Any, item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = masked(make_predictor(), item)
    assert whole.rows == MOST_ROWS
    monkeypatch.setattr(whole._text, "ids", torch.zeros(CPU_TOKENS // 5, dtype=torch.long))
    assert whole.rows == 5
    monkeypatch.setattr(whole._text, "ids", torch.zeros(2 * CPU_TOKENS, dtype=torch.long))
    assert whole.rows == 1
    monkeypatch.undo()
    network = whole._network.network
    for size, rows in ((224, 4), (448, 1), (1000, 1)):
        image = msgspec.structs.replace(network.spec.image, size=size)
        monkeypatch.setattr(network, "spec", msgspec.structs.replace(network.spec, image=image))
        assert whole.rows == rows


def test_what_the_model_does_not_read_is_counted(make_predictor: Any, masked: Any, item: Any) -> None:
    long = msgspec.structs.replace(item, text=" ".join(f"word{number}" for number in range(2000)))
    whole = masked(make_predictor(), long)
    found = re.fullmatch(r"The model reads 24 tokens, so the last (\d+) words weigh nothing.", whole.note)
    assert found is not None
    assert 1976 <= int(found[1]) < 2000
    assert not whole.gradients(torch.ones(1, whole.features))[0, -50:].any()
    assert masked(make_predictor(), item).note == ""


def test_cancelling_stops_between_batches(make_predictor: Any, item: Any) -> None:
    predictor, asked = make_predictor(), False
    parts = Parts(Question.ask(predictor, item, "toxicity", "toxic"), "ig", 0, lambda: asked)
    whole = MaskedItem(parts, predictor.differentiable())
    whole(torch.ones(1, whole.features))
    asked = True
    with pytest.raises(CancelledError):
        whole(torch.ones(1, whole.features))


@pytest.mark.parametrize(("backbone", "fusion"), KINDS)
def test_who_asks_to_stop_is_heard_at_every_layer(
    make_predictor: Any, masked: Any, item: Any, backbone: str, fusion: str
) -> None:
    predictor = make_predictor(backbone, fusion)
    network, whole = predictor.differentiable(), masked(predictor, item)
    at = torch.full((1, whole.features), 0.6)
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == stop:
            raise CancelledError

    stop = -1
    usual = whole.gradients(at)
    with network.watched(look):
        torch.testing.assert_close(whole.gradients(at), usual)
    forward, layers = _counted(network, lambda: whole(at)), len(looks)
    assert layers >= 1.8 * forward > 40  # not quite twice: gradients do not go back through what was not masked
    for stop in (1, forward - 1, forward + 1, layers):
        looks.clear()
        with pytest.raises(CancelledError), network.watched(look):
            whole.gradients(at)
        assert len(looks) == stop
    torch.testing.assert_close(whole.gradients(at), usual)
    assert len(looks) == stop  # nobody looks any more


def _counted(network: Differentiable, work: Callable[[], object]) -> int:
    looks: list[None] = []
    with network.watched(lambda: looks.append(None)), torch.no_grad():
        work()
    return len(looks)
