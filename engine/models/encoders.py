"""The two backbones of a network, ready to score in a chosen arithmetic.

Only backbones are ever run in fewer bits; fusion and heads are cheap and stay in 32-bit floats.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.models.backbones import HuggingFaceEncoder
from engine.models.bulk import bert
from engine.models.bulk.resnet import Resnet
from engine.models.int8 import Int8ResNet
from engine.models.int8_text import EncoderShape, Int8Encoder, shape_of
from engine.models.network import FusionNetwork, TextBatch
from engine.models.packed_image import PackedImage
from engine.models.packed_text import PackedText
from engine.models.proof import Ranges

Vectors = Callable[[Tensor], Tensor]
FP32, BF16, INT8 = "fp32", "bf16", "int8"


@dataclass(frozen=True)
class Encoders:
    """`text` and `image` turn batches, (B, 3, S, S) pixels in [0, 1], into float32 vectors; their names say how.

    `packed` is there where texts that are read together need not be padded to one length.
    `squares` is there where screenshots of (S, S, 3) bytes need not become floats, a few at a time on one core.
    `ranges` are what the calibration of `image` found, nothing where it had none.
    """

    text: Callable[[TextBatch], Tensor]
    image: Vectors
    text_name: str
    image_name: str
    packed: PackedText | None = None
    squares: Callable[[Sequence[NDArray[np.uint8]]], Tensor] | None = None
    ranges: Ranges = ()

    @property
    def name(self) -> str:
        """How they calculate, such as "fp32" or "int8 image, bf16 text"."""
        if self.text_name == self.image_name:
            return self.text_name
        return f"{self.image_name} image, {self.text_name} text"


def full_precision(network: FusionNetwork) -> Encoders:
    """32-bit floats on the CPU, bfloat16 autocast on a GPU. Normalisation layers are folded into convolutions."""
    folded = _folded(network.image) if network.image is not None else None
    on_gpu = network.scale.is_cuda
    encode: Callable[[TextBatch], Tensor] = network.encode_text
    if isinstance(network.text, HuggingFaceEncoder):  # held here, so that work under way outlives `let_go`
        encode = _or_missing(network.text, network)

    def text(batch: TextBatch) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
            return encode(batch).float()

    def image(pixels: Tensor) -> Tensor:
        assert folded is not None, "a network that reads no screenshots has no image vectors"
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
            vectors: Tensor = folded(network.normalised(pixels))
            return vectors.float()

    name = BF16 if on_gpu else FP32
    return Encoders(text, image, name, name)


def with_bf16_text(encoders: Encoders, network: FusionNetwork) -> Encoders:
    """The same, with the text encoder's weights and activations in bfloat16."""
    assert network.text is not None
    rounded = copy.deepcopy(network.text).to(torch.bfloat16)
    return replace(encoders, text=_or_missing(rounded, network), text_name=BF16)


def with_int8_text(
    encoders: Encoders, network: FusionNetwork, shape: EncoderShape, tensors: Mapping[str, Tensor]
) -> Encoders:
    """The same, with the text encoder in 8-bit integers, made from the `tensors` of the one in floats."""
    return replace(encoders, text=_or_missing(Int8Encoder(shape, tensors), network), text_name=INT8)


def with_packed_text(encoders: Encoders, network: FusionNetwork, encoder: bert.Encoder) -> Encoders:
    """The same, with the text encoder in 8-bit integers as bulk scoring runs it."""
    packed = PackedText(encoder)
    return replace(encoders, text=_or_missing(packed, network), text_name=INT8, packed=packed)


def with_bf16_image(encoders: Encoders, network: FusionNetwork) -> Encoders:
    """The same, with the ResNet's weights and activations in bfloat16."""
    assert network.image is not None
    rounded = _folded(network.image).to(torch.bfloat16)

    def image(pixels: Tensor) -> Tensor:
        vectors: Tensor = rounded(network.normalised(pixels).to(torch.bfloat16))
        return vectors.float()

    return replace(encoders, image=image, image_name=BF16)


def with_int8_image(encoders: Encoders, network: FusionNetwork, resnet: Int8ResNet) -> Encoders:
    """The same, with the ResNet in 8-bit integers."""
    return replace(
        encoders, image=lambda pixels: resnet(network.normalised(pixels)), image_name=INT8, ranges=resnet.ranges
    )


def with_packed_image(encoders: Encoders, resnet: Resnet, ranges: Ranges) -> Encoders:
    """The same, with the ResNet in 8-bit integers, made with these `ranges`, as bulk scoring runs it."""
    packed = PackedImage(resnet)
    return replace(encoders, image=packed, image_name=INT8, squares=packed.squares, ranges=ranges)


def int8_shape(network: FusionNetwork) -> EncoderShape | None:
    """What 8-bit integers need to know of the text encoder; None where they cannot stand for it."""
    if not isinstance(network.text, HuggingFaceEncoder):
        return None
    return shape_of(network.text.encoder.config, mean=network.spec.text.pooling == "mean")


def let_go(network: FusionNetwork, encoders: Encoders) -> None:
    """Free the backbones in floats that `encoders` in fewer bits stand for."""
    if encoders.text_name != FP32:
        network.text = None
    if encoders.image_name != FP32:
        network.image = None


def _or_missing(text: Callable[[Tensor, Tensor], Tensor], network: FusionNetwork) -> Callable[[TextBatch], Tensor]:
    missing = network.missing_text.detach()

    def vectors(batch: TextBatch) -> Tensor:
        found = text(batch.ids, batch.mask).float()
        return torch.where(batch.present.unsqueeze(1), found, missing)

    return vectors


def _folded(network: nn.Module) -> nn.Module:
    """A copy with every batch normalisation folded into the convolution before it, channels last in memory."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, part in list(module.named_children()):
            norm = name.replace("conv", "bn")
            if isinstance(part, nn.Conv2d) and norm != name:
                after = module.get_submodule(norm)
                assert isinstance(after, nn.BatchNorm2d)
                setattr(module, name, fuse_conv_bn_eval(part, after))
                setattr(module, norm, nn.Identity())
            elif name == "downsample":
                assert isinstance(part, nn.Sequential)
                module.downsample = fuse_conv_bn_eval(*part)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
