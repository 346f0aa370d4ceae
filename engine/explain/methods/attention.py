"""Attention rollout (Abnar and Zuidema 2020, section 3): where an encoder looks. For comparison; it is no explanation.

See Jain and Wallace 2019: other attention often gives the same answer. It has no sign and knows no label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.errors import InputError
from engine.explain.methods.parts import Parts, Values, Weights
from engine.explain.methods.pieces import token_shares
from engine.models.backbones import HuggingFaceEncoder
from engine.models.differentiable import Differentiable

ABOUT = (
    "Attention says where the text encoder looks, not what speaks for the label: it is no explanation. It has no sign "
    "and says nothing of the screenshot."
)


def rolled_out(parts: Parts, network: Differentiable) -> Weights:
    """The share of attention, in [0, 1], that the text's vector owes to each word; those of all tokens add up to 1.

    Raises:
        InputError: the text backbone has no attention.
    """
    encoder, spec = check_encoder(network), network.network.spec.text
    parts.check()
    located = network.locate(parts.question.model.text_of(parts.question.content))
    if located is None or parts.text is None:
        return Weights(text=np.zeros(0), samples=0)
    if not parts.moved_by(parts.text):
        return Weights(text=np.zeros(parts.text_features), samples=1)
    shares = token_shares(located, parts.places(), parts.text_features).double().numpy()
    layers = _layers(encoder, torch.tensor([located.ids], device=network.device))
    if not layers:
        raise _without_attention(spec.backbone)
    return Weights(text=rollout(layers, mean=spec.pooling == "mean") @ shares, samples=2, note=ABOUT)


def check_encoder(network: Differentiable) -> HuggingFaceEncoder:
    """Return the text backbone; raises `InputError` where it is none that has attention, whatever the item."""
    if network.encoder is None:
        raise _without_attention(network.network.spec.text.backbone)
    return network.encoder


def rollout(layers: Sequence[Values], *, mean: bool) -> Values:
    """(T,) shares from each layer's (T, T) attention: half of a layer's states is that, half is the states before.

    `mean` says that the text's vector is the mean over tokens, not the first one's.
    """
    flow = np.eye(len(layers[0]))
    for heads in layers:
        flow = (0.5 * heads + 0.5 * np.eye(len(heads))) @ flow
    looks: Values = flow.mean(axis=0) if mean else flow[0]
    return looks


def _layers(encoder: HuggingFaceEncoder, ids: Tensor) -> list[Values]:
    """Each layer's (T, T) attention, the mean of its heads; nothing for an encoder without any."""
    model = encoder.encoder
    usual = model.config._attn_implementation  # noqa: SLF001 - the only place where transformers keeps it
    model.set_attn_implementation("eager")  # the others never hold the weights
    try:
        with torch.inference_mode():
            found = model(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True).attentions
    finally:
        model.set_attn_implementation(usual)
    return [layer[0].double().mean(dim=0).cpu().numpy() for layer in found or ()]


def _without_attention(backbone: str) -> InputError:
    return InputError(
        f"The text backbone '{backbone}' has no attention; minilm, bert-tiny and Hugging Face's encoders have.",
        "Use --method ig, gradient, occlusion or lime.",
    )
