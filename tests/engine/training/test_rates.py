"""Which weight learns how fast."""

from __future__ import annotations

from typing import cast

import pytest
from torch import nn
from transformers import AlbertConfig, BertConfig

from engine.errors import ModelUnavailableError
from engine.models.backbones import blank_encoder, image_backbone
from engine.models.network import FusionNetwork
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec
from engine.training.loop import make_optimizer
from engine.training.recipe import TrainingRecipe

HEADS = (HeadSpec(task="t", labels=("a", "b")),)
BERT = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8)


def network(text: str = "some/encoder", weights: str = "scratch", freeze: int = 0) -> FusionNetwork:
    spec = NetworkSpec(
        heads=HEADS, text=TextSpec(backbone=text, freeze_layers=freeze), image=ImageSpec(weights=weights)
    )
    image, features = image_backbone(spec.image, pretrained=False)
    return FusionNetwork(spec, blank_encoder(BERT, spec.text), image, (8, features))


def rates(made: FusionNetwork, settings: TrainingRecipe) -> dict[str, float]:
    """The peak learning rate of each weight by its name."""
    names = {id(weight): name for name, weight in made.named_parameters()}
    groups = make_optimizer(made, settings).param_groups
    return {names[id(weight)]: group["base"] for group in groups for weight in group["params"]}


def of(part: str, found: dict[str, float]) -> set[float]:
    return {rate for name, rate in found.items() if part in name}


def test_backbones_that_came_with_weights_go_slower() -> None:
    settings = TrainingRecipe(learning_rate=1.0, backbone_rate=0.25)
    both = rates(network(weights="imagenet"), settings)
    assert (of("text.encoder", both), of("image.", both), of("heads", both)) == ({0.25}, {0.25}, {1.0})
    scratch = rates(network(), settings)
    assert (of("text.encoder", scratch), of("image.", scratch), of("missing", scratch)) == ({0.25}, {1.0}, {1.0})
    assert of("text.encoder", rates(network("bert-tiny"), settings)) == {1.0}


def test_each_layer_goes_slower_than_the_one_after_it() -> None:
    found = rates(network(), TrainingRecipe(learning_rate=1.0, backbone_rate=0.5, layer_decay=0.5))
    assert of("layer.2", {k: v for k, v in found.items() if "text" in k}) == {0.5}
    assert of("text.encoder.encoder.layer.1", found) == {0.25}
    assert of("text.encoder.encoder.layer.0", found) == {0.125}
    assert of("text.encoder.embeddings", found) == {0.0625}
    assert of("image.", found) == of("heads", found) == {1.0}
    assert len(found) == len(list(network().parameters()))


def test_frozen_layers_do_not_learn_whatever_their_rate() -> None:
    found = rates(network(freeze=2), TrainingRecipe(learning_rate=1.0, layer_decay=0.5))
    assert {name.split(".")[4] for name in found if "text.encoder.encoder" in name} == {"2"}
    assert not of("embeddings", found)


def test_layers_that_share_their_weights_cannot_differ() -> None:
    spec = NetworkSpec(heads=HEADS, text=TextSpec(backbone="some/albert"), image=ImageSpec(backbone="none"))
    config = AlbertConfig(
        vocab_size=20, embedding_size=8, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8
    )
    shared = FusionNetwork(spec, cast("nn.Module", blank_encoder(config, spec.text)), None, (8, 0))
    with pytest.raises(ModelUnavailableError, match="cannot be told apart") as caught:
        make_optimizer(shared, TrainingRecipe(layer_decay=0.9))
    assert "layer_decay" in caught.value.way_out
