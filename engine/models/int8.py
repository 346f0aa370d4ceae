"""A ResNet in 8-bit integers, for CPUs that multiply them fast.

Post-training static quantisation (Jacob et al. 2018, section 2): weights per output channel, activations per tensor
from their range over calibration items, batch normalisation folded into the convolutions before. It is made from
tensors by torchvision's names, so that neither a network in floats nor torchvision needs to be in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.models.proof import Ranges

_NORM_EPSILON = 1e-5


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

    weight: Tensor | None
    bias: Tensor
    stride: int
    rectified: bool
    output: _Range = field(default_factory=_Range)
    packed: torch.ScriptObject | None = None

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], conv: str, norm: str, stride: int, *, rectified: bool) -> _Convolution:
        """The convolution named `conv` with the normalisation named `norm`."""
        gain = tensors[f"{norm}.weight"] * torch.rsqrt(tensors[f"{norm}.running_var"] + _NORM_EPSILON)
        bias = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * gain
        return cls((tensors[f"{conv}.weight"] * gain.view(-1, 1, 1, 1)), bias, stride, rectified)

    def observe(self, values: Tensor) -> Tensor:
        """The answer in floats; its range is taken note of."""
        assert self.weight is not None
        values = nn.functional.conv2d(values, self.weight, self.bias, self.stride, self.weight.shape[-1] // 2)
        return self.output.see(torch.relu(values) if self.rectified else values)

    def pack(self) -> None:
        """Turn the weights into integers; the floats are let go."""
        assert self.weight is not None
        weight, around = self.weight, self.weight.shape[-1] // 2
        scales = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-8).double() / 127
        integers = torch.quantize_per_channel(
            weight, scales, torch.zeros(len(weight), dtype=torch.long), 0, torch.qint8
        )
        self.packed = torch.ops.quantized.conv2d_prepack(
            integers, self.bias, [self.stride] * 2, [around] * 2, [1, 1], 1
        )
        self.weight = None

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


class _Layers:
    """A ResNet's convolutions and blocks, and the range of everything that passes between them."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.input = _Range()
        self.stem = _Convolution.of(tensors, "conv1", "bn1", 2, rectified=True)
        self.blocks = list(_blocks(tensors))

    @property
    def convolutions(self) -> list[_Convolution]:
        blocks = [one for block in self.blocks for one in (*block.path, block.shortcut) if one is not None]
        return [self.stem, *blocks]

    @property
    def ranges(self) -> Sequence[_Range]:
        """In the order in which data passes them, those of blocks at the end."""
        convolutions = [convolution.output for convolution in self.convolutions]
        return [self.input, *convolutions, *(block.output for block in self.blocks)]


class Calibration:
    """Takes note of how far everything reaches in a ResNet of these `tensors`, a few screenshots at a time."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._layers = _Layers(tensors)

    @torch.inference_mode()
    def see(self, pixels: Tensor) -> None:
        """Look at normalised pixels, (B, 3, S, S)."""
        values = _pooled(self._layers.stem.observe(self._layers.input.see(pixels)))
        for block in self._layers.blocks:
            values = block.observe(values)

    @property
    def ranges(self) -> Ranges:
        """What was found, to make the network in integers with."""
        return tuple((one.low, one.high) for one in self._layers.ranges)


class Int8ResNet:
    """Normalised pixels (B, 3, S, S) to float vectors (B, D), like the ResNet whose `tensors` it is made from.

    `ranges` are what a `Calibration` of the same weights found.
    """

    @torch.inference_mode()
    def __init__(self, tensors: Mapping[str, Tensor], ranges: Ranges) -> None:
        self.ranges = ranges
        self._layers = _Layers(tensors)
        for one, (low, high) in zip(self._layers.ranges, ranges, strict=True):
            one.low, one.high = low, high
        for convolution in self._layers.convolutions:
            convolution.pack()

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """The vectors of normalised pixels."""
        layers = self._layers
        values = torch.quantize_per_tensor(pixels, layers.input.scale, layers.input.zero, torch.quint8)
        values = _pooled(layers.stem(values))
        for block in layers.blocks:
            values = block(values)
        return values.dequantize().mean(dim=(2, 3))


def _pooled(values: Tensor) -> Tensor:
    return nn.functional.max_pool2d(values, kernel_size=3, stride=2, padding=1)


def _blocks(tensors: Mapping[str, Tensor]) -> Iterator[_Block]:
    """Blocks by the names of torchvision's ResNets; layers after the first begin by halving the picture."""
    for layer in range(1, 5):
        at = 0
        while f"layer{layer}.{at}.conv1.weight" in tensors:
            yield _block(tensors, f"layer{layer}.{at}", 2 if layer > 1 and at == 0 else 1)
            at += 1


def _block(tensors: Mapping[str, Tensor], name: str, stride: int) -> _Block:
    count = 3 if f"{name}.conv3.weight" in tensors else 2
    strides = [stride, 1] if count == 2 else [1, stride, 1]
    path = [
        _Convolution.of(tensors, f"{name}.conv{at}", f"{name}.bn{at}", strides[at - 1], rectified=at < count)
        for at in range(1, count + 1)
    ]
    beside = f"{name}.downsample"
    if f"{beside}.0.weight" not in tensors:
        return _Block(path, None)
    return _Block(path, _Convolution.of(tensors, f"{beside}.0", f"{beside}.1", stride, rectified=False))
