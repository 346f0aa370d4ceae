"""The two backbones of a network, ready to score in a chosen arithmetic.

Only backbones are ever run in fewer bits; fusion and heads are cheap and stay in 32-bit floats.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import Bottleneck, ResNet

from engine.models.int8 import Int8ResNet
from engine.models.network import FusionNetwork, TextBatch

Vectors = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Encoders:
    """`text` and `image` turn batches (pixels are normalised) into float32 vectors; their names say how."""

    text: Callable[[TextBatch], Tensor]
    image: Vectors
    text_name: str
    image_name: str

    @property
    def name(self) -> str:
        """How they calculate, such as "fp32" or "int8 image, bf16 text"."""
        if self.text_name == self.image_name:
            return self.text_name
        return f"{self.image_name} image, {self.text_name} text"


@cache
def cpu_features() -> frozenset[str]:
    """The CPU's instruction sets by the names that Linux gives them; empty where they cannot be told."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), ":")
    return frozenset(flags.partition(":")[2].split())


def has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 itself, so that it pays."""
    return bool(cpu_features() & {"avx512_bf16", "amx_bf16"})


def has_int8() -> bool:
    """Whether the CPU multiplies 8-bit integers straight into 32 bits, so that it pays and nothing overflows."""
    return bool(cpu_features() & {"avx512_vnni", "avx_vnni"})


def full_precision(network: FusionNetwork) -> Encoders:
    """32-bit floats on the CPU, bfloat16 autocast on a GPU. Normalisation layers are folded into convolutions."""
    folded = _folded(network.image) if isinstance(network.image, ResNet) else network.image
    on_gpu = network.scale.is_cuda

    def text(batch: TextBatch) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
            return network.encode_text(batch).float()

    def image(pixels: Tensor) -> Tensor:
        assert folded is not None, "a network that reads no screenshots has no image vectors"
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
            vectors: Tensor = folded(pixels)
            return vectors.float()

    name = "bf16" if on_gpu else "fp32"
    return Encoders(text, image, name, name)


def with_bf16_text(encoders: Encoders, network: FusionNetwork) -> Encoders:
    """The same, with the text encoder's weights and activations in bfloat16."""
    assert network.text is not None
    rounded = copy.deepcopy(network.text).to(torch.bfloat16)
    missing = network.missing_text.detach()

    def text(batch: TextBatch) -> Tensor:
        vectors: Tensor = rounded(batch.ids, batch.mask).float()
        return torch.where(batch.present.unsqueeze(1), vectors, missing)

    return Encoders(text, encoders.image, "bf16", encoders.image_name)


def with_bf16_image(encoders: Encoders, network: FusionNetwork) -> Encoders:
    """The same, with the ResNet's weights and activations in bfloat16."""
    rounded = _folded(_resnet(network)).to(torch.bfloat16)

    def image(pixels: Tensor) -> Tensor:
        vectors: Tensor = rounded(pixels.to(torch.bfloat16))
        return vectors.float()

    return Encoders(encoders.text, image, encoders.text_name, "bf16")


def with_int8_image(encoders: Encoders, network: FusionNetwork, calibration: Tensor) -> Encoders:
    """The same, with the ResNet in 8-bit integers, its scales taken from normalised `calibration` pixels."""
    return Encoders(encoders.text, Int8ResNet(_resnet(network), calibration), encoders.text_name, "int8")


def _resnet(network: FusionNetwork) -> ResNet:
    assert isinstance(network.image, ResNet)
    return network.image


def _folded(network: ResNet) -> ResNet:
    """A copy with every batch normalisation folded into the convolution before it, channels last in memory."""
    network = copy.deepcopy(network)
    network.conv1, network.bn1 = fuse_conv_bn_eval(network.conv1, network.bn1), nn.Identity()
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in layer:
            block.conv1, block.bn1 = fuse_conv_bn_eval(block.conv1, block.bn1), nn.Identity()
            block.conv2, block.bn2 = fuse_conv_bn_eval(block.conv2, block.bn2), nn.Identity()
            if isinstance(block, Bottleneck):
                block.conv3, block.bn3 = fuse_conv_bn_eval(block.conv3, block.bn3), nn.Identity()
            if block.downsample is not None:
                block.downsample = fuse_conv_bn_eval(*block.downsample)
    return network.to(memory_format=torch.channels_last)
