"""How fast each weight learns, as a factor of the recipe's learning rate."""

from __future__ import annotations

from engine.models.backbones import HuggingFaceEncoder, depths
from engine.models.network import FusionNetwork
from engine.models.registry import SCRATCH, text_backbone
from engine.training.recipe import TrainingRecipe


def relative_rates(network: FusionNetwork, settings: TrainingRecipe) -> dict[int, float]:
    """Return factors in (0, 1] by the weight's `id`; a weight that is not in it has factor 1.

    A backbone that came with pretrained weights learns at `backbone_rate`, because large steps would wipe out what it
    knows; one that began with random weights at the full rate, like the heads. Within a Hugging Face encoder each layer
    learns `layer_decay` times as fast as the one after it (discriminative fine-tuning: Howard and Ruder 2018, section
    3.2, where the factor is 1 / 2.6), the embeddings slowest of all; what comes after the last layer as fast as it.
    """
    text, image = network.text, network.image
    factors: dict[int, float] = {}
    if image is not None and network.spec.image.weights != SCRATCH:
        factors |= {id(weight): settings.backbone_rate for weight in image.parameters()}
    if text is not None and text_backbone(network.spec.text.backbone).pretrained:
        factors |= {id(weight): settings.backbone_rate for weight in text.parameters()}
    if isinstance(text, HuggingFaceEncoder) and settings.layer_decay < 1:
        for weight, depth in depths(text.encoder).items():
            factors[weight] = factors.get(weight, 1.0) * settings.layer_decay**depth
    return factors
