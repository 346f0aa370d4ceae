"""Loading a model straight into the arithmetic that was once checked on it, without its floats in memory."""

from __future__ import annotations

from pathlib import Path

from engine.models import checkpoint, proof
from engine.models.bulk import bert, loading, runtime
from engine.models.checkpoint import WEIGHTS, Checkpoint
from engine.models.encoders import (
    BF16,
    INT8,
    Encoders,
    full_precision,
    let_go,
    with_bf16_image,
    with_bf16_text,
    with_int8_image,
    with_int8_text,
    with_packed_image,
    with_packed_text,
)
from engine.models.int8 import Int8ResNet
from engine.models.int8_text import shape_of
from engine.models.memory import give_back
from engine.models.weights import Arrays, Weights


def load(folder: Path) -> tuple[Checkpoint, Encoders] | None:
    """The model in `folder` on the CPU, its backbones in fewer bits; None where nothing proves that it may be so.

    Raises:
        ModelUnavailableError: as `checkpoint.load`.
    """
    found = proof.read(folder, checkpoint.read_card(folder))
    if found is None:
        return None
    packed = _packs(folder) if found.text == INT8 else None
    ways = {"text": found.text, "image": found.image}
    loaded = checkpoint.load(folder, without=[part for part, way in ways.items() if way == INT8])
    encoders = _encoders(loaded, found, packed)
    give_back()
    return loaded, encoders


def _packs(folder: Path) -> bert.Encoder | None:
    """The text encoder of bulk scoring, where a proof of its own holds; it is the faster one."""
    if not runtime.usable() or proof.read(folder, checkpoint.read_card(folder), proof.BULK) is None:
        return None
    return loading.text_encoder(folder)


def _encoders(loaded: Checkpoint, found: proof.Proof, packed: bert.Encoder | None) -> Encoders:
    network, source = loaded.network, loaded.source
    assert source is not None
    encoders = full_precision(network)
    if packed is not None:
        encoders = with_packed_text(encoders, network, packed)
    elif found.text == INT8:
        spec = network.spec
        shape = shape_of(checkpoint.encoder_config(source, spec), mean=spec.text.pooling == "mean")
        assert shape is not None, "the proof is bound to the architecture"
        encoders = with_int8_text(encoders, network, shape, Weights(source / WEIGHTS, "text.encoder."))
    elif found.text == BF16:
        encoders = with_bf16_text(encoders, network)
    if found.image == INT8 and runtime.usable():
        packed_image = loading.resnet_of(Arrays(source / WEIGHTS, "image."), found.ranges, network.spec)
        encoders = with_packed_image(encoders, packed_image, found.ranges)
    elif found.image == INT8:
        resnet = Int8ResNet(Weights(source / WEIGHTS, "image."), found.ranges)
        encoders = with_int8_image(encoders, network, resnet)
    elif found.image == BF16:
        encoders = with_bf16_image(encoders, network)
    let_go(network, encoders)
    return encoders
