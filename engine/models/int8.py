"""A ResNet in 8-bit integers, for CPUs that multiply them fast.

Post-training static quantisation (Jacob et al. 2018, section 2): weights per output channel, activations per tensor
from their range over calibration items, batch normalisation folded into the convolutions before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

_CALIBRATION_BATCH = 16


@dataclass
class _Range:
    """The range of a tensor over calibration, and the 8-bit scale that covers it. Zero is always exact."""

    low: float = 0.0
    high: float = 0.0

    def see(self, values: Tensor) -> Tensor:
        """Widen the range to these values, and hand them on."""
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        return values

    @property
    def scale(self) -> float:
        """The step between two neighbouring integers."""
        return max((self.high - self.low) / 255, 1e-8)

    @property
    def zero(self) -> int:
        """The integer that stands for 0."""
        return round(-self.low / self.scale)


@dataclass
class _Convolution:
    """A convolution with its normalisation folded in, in floats until `pack` turns it into integers."""

    folded: nn.Conv2d
    rectified: bool
    output: _Range = field(default_factory=_Range)
    packed: torch.ScriptObject | None = None

    def observe(self, values: Tensor) -> Tensor:
        """The answer in floats; its range is taken note of."""
        values = self.folded(values)
        return self.output.see(torch.relu(values) if self.rectified else values)

    def pack(self) -> None:
        """Turn the weights into integers."""
        weight = self.folded.weight.detach()
        scales = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-8).double() / 127
        integers = torch.quantize_per_channel(
            weight, scales, torch.zeros(len(weight), dtype=torch.long), 0, torch.qint8
        )
        conv = self.folded
        self.packed = torch.ops.quantized.conv2d_prepack(
            integers, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups
        )

    def __call__(self, values: Tensor) -> Tensor:
        run = torch.ops.quantized.conv2d_relu if self.rectified else torch.ops.quantized.conv2d
        answer: Tensor = run(values, self.packed, self.output.scale, self.output.zero)
        return answer


@dataclass
class _Block:
    """A residual block: convolutions one after the other, a short cut beside them, their rectified sum."""

    path: list[_Convolution]
    shortcut: _Convolution | None
    output: _Range = field(default_factory=_Range)

    def observe(self, values: Tensor) -> Tensor:
        """The answer in floats; all ranges are taken note of."""
        beside = self.shortcut.observe(values) if self.shortcut else values
        for convolution in self.path:
            values = convolution.observe(values)
        return self.output.see(torch.relu(values + beside))

    def __call__(self, values: Tensor) -> Tensor:
        beside = self.shortcut(values) if self.shortcut else values
        for convolution in self.path:
            values = convolution(values)
        answer: Tensor = torch.ops.quantized.add_relu(values, beside, self.output.scale, self.output.zero)
        return answer


class Int8ResNet:
    """Normalised pixels (B, 3, S, S) to float vectors (B, D), like the ResNet that it is made from."""

    @torch.inference_mode()
    def __init__(self, network: ResNet, calibration: Tensor) -> None:
        self._input = _Range()
        self._stem = _Convolution(fuse_conv_bn_eval(network.conv1, network.bn1), rectified=True)
        self._pool = network.maxpool
        self._blocks = [_block(part) for layer in _layers(network) for part in layer]
        for start in range(0, len(calibration), _CALIBRATION_BATCH):
            self._observe(calibration[start : start + _CALIBRATION_BATCH])
        for convolution in self._convolutions():
            convolution.pack()

    def __call__(self, pixels: Tensor) -> Tensor:
        """The vectors of normalised pixels."""
        values = torch.quantize_per_tensor(pixels, self._input.scale, self._input.zero, torch.quint8)
        values = self._pool(self._stem(values))
        for block in self._blocks:
            values = block(values)
        return values.dequantize().mean(dim=(2, 3))

    def _observe(self, pixels: Tensor) -> None:
        values = self._pool(self._stem.observe(self._input.see(pixels)))
        for block in self._blocks:
            values = block.observe(values)

    def _convolutions(self) -> list[_Convolution]:
        blocks = [one for block in self._blocks for one in (*block.path, block.shortcut) if one is not None]
        return [self._stem, *blocks]


def _layers(network: ResNet) -> list[nn.Sequential]:
    return [network.layer1, network.layer2, network.layer3, network.layer4]


def _block(block: BasicBlock | Bottleneck) -> _Block:
    pairs = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
    if isinstance(block, Bottleneck):
        pairs.append((block.conv3, block.bn3))
    last = len(pairs) - 1
    path = [_Convolution(fuse_conv_bn_eval(*pair), rectified=at < last) for at, pair in enumerate(pairs)]
    shortcut = _Convolution(fuse_conv_bn_eval(*block.downsample), rectified=False) if block.downsample else None
    return _Block(path, shortcut)
