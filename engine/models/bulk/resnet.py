"""A ResNet in 8-bit integers as a graph that reads screenshots as bytes.

As `engine.models.int8`: static quantisation with the ranges of its calibration (Jacob et al. 2018, section 2), batch
normalisation folded into the convolutions. What makes ImageNet's mean 0 and its deviation 1 is folded into the first
one, so that a picture's bytes are its integers and nothing is rounded there. Its border is filled with the mean colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.models.bulk import runtime
from engine.models.bulk.bert import fixed, rounded
from engine.models.bulk.runtime import constant, in_integers, shape
from engine.models.bulk.shelf import Shelf
from engine.models.proof import Ranges
from engine.models.spec import DEVIATION, MEAN

AT_ONCE = 4
"""Screenshots that one call takes: few enough for a core's caches."""
Floats = NDArray[np.float32]
Tensors = Mapping[str, Floats]
_NORM_EPSILON = 1e-5
_BORDER = 3
_FILL = tuple(round(255 * value) for value in MEAN)


class _Folded(NamedTuple):
    """A convolution with its normalisation folded in."""

    weight: Floats
    bias: Floats
    stride: int
    rectified: bool


class _Block(NamedTuple):
    path: list[_Folded]
    shortcut: _Folded | None


class Resnet:
    """Screenshots of (S, S, 3) bytes to their (n, D) vectors, at most `AT_ONCE` of them."""

    def __init__(self, tensors: Tensors, ranges: Ranges, *, size: int, threads: int) -> None:
        made = runtime.operations()
        side = size + 2 * _BORDER
        self._shape = AT_ONCE, side, side, len(_FILL)
        self._free: list[NDArray[np.uint8]] = []
        pixels = made.parameter(list(self._shape), np.uint8)
        stem, blocks = _stem(tensors), list(_blocks(tensors))
        graph = _Graph(blocks, ranges)
        values = graph.whole(made.convert(made.transpose(pixels, shape(0, 3, 1, 2)), "f32"), stem)
        self._run = runtime.compiled(values, [pixels], threads, graph.shelf)

    def __call__(self, squares: Sequence[NDArray[np.uint8]]) -> Floats:
        """The vectors."""
        pixels = self._room()
        inner = slice(_BORDER, -_BORDER)
        for at, square in enumerate(squares):
            pixels[at, inner, inner] = square
        answer: Floats = self._run(pixels)[: len(squares)].copy()
        self._free.append(pixels)
        return answer

    def _room(self) -> NDArray[np.uint8]:
        """Pixels whose border is filled; what is inside may be there from another call."""
        try:
            return self._free.pop()  # a list's pop and append are atomic
        except IndexError:
            return np.full(self._shape, _FILL, np.uint8)


class _Graph:
    """The graph, with what calibration found of each part of it."""

    def __init__(self, blocks: list[_Block], ranges: Ranges) -> None:
        self._made = runtime.operations()
        self.shelf = Shelf()
        self._blocks = blocks
        convolutions = 1 + sum(len(block.path) + (block.shortcut is not None) for block in blocks)
        if len(ranges) != 1 + convolutions + len(blocks):
            raise ValueError(f"{len(ranges)} ranges do not belong to {convolutions} convolutions")
        self._of_convolutions = iter(ranges[1 : 1 + convolutions])
        self._of_blocks = iter(ranges[1 + convolutions :])

    def whole(self, values: Any, stem: _Folded) -> Any:
        made = self._made
        first = self._rounded(self._convolved(fixed(values, 0.0, 255.0), stem, padded=False), stem)
        values = made.max_pool(first, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
        for block in self._blocks[:-1]:
            values = self._rounded_sum(self._block(values, block))
        values = self._block(values, self._blocks[-1])  # only its mean is taken: not rounding it costs nothing
        return made.reduce_mean(values, shape(2, 3), keep_dims=False)

    def _block(self, values: Any, block: _Block) -> Any:
        beside = values
        for convolution in block.path[:-1]:
            values = self._rounded(self._convolved(values, convolution), convolution)
        next(self._of_convolutions)  # the last of the path is added to what is beside it before anything is rounded
        values = self._convolved(values, block.path[-1])
        if block.shortcut is not None:
            beside = self._rounded(self._convolved(beside, block.shortcut), block.shortcut)
        return self._made.relu(self._made.add(values, beside))

    def _rounded_sum(self, values: Any) -> Any:
        return fixed(values, 0.0, max(next(self._of_blocks)[1], 1e-6))

    def _rounded(self, values: Any, convolution: _Folded) -> Any:
        low, high = next(self._of_convolutions)
        if convolution.rectified:
            return fixed(values, 0.0, max(high, 1e-6))
        most = max(-low, high, 1e-6)
        return fixed(values, -most * 128 / 127, most)

    def _convolved(self, values: Any, convolution: _Folded, *, padded: bool = True) -> Any:
        made = self._made
        around = [convolution.weight.shape[-1] // 2 * padded] * 2
        strides = [convolution.stride] * 2
        weight = in_integers(*rounded(convolution.weight), self.shelf)
        product = made.convolution(values, weight, strides, around, around, [1, 1])
        answer = made.add(product, constant(convolution.bias.reshape(1, -1, 1, 1)))
        return made.relu(answer) if convolution.rectified else answer


def _stem(tensors: Tensors) -> _Folded:
    """The first convolution, over bytes in place of normalised pixels."""
    folded = _folded(tensors, "conv1", "bn1", 2, rectified=True)
    deviation, mean = (255 * np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (DEVIATION, MEAN))
    integers, steps = rounded(folded.weight / deviation)
    weight = integers * steps  # as it will be, so that the mean colour gives exactly what 0 gave
    bias = folded.bias - (weight * mean).sum(axis=(1, 2, 3))
    return folded._replace(weight=weight, bias=bias)


def _folded(tensors: Tensors, conv: str, norm: str, stride: int, *, rectified: bool) -> _Folded:
    gain = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + np.float32(_NORM_EPSILON))
    bias = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * gain
    return _Folded(tensors[f"{conv}.weight"] * gain.reshape(-1, 1, 1, 1), bias, stride, rectified)


def _blocks(tensors: Tensors) -> Iterator[_Block]:
    """Blocks by the names of torchvision's ResNets; layers after the first begin by halving the picture."""
    for layer in range(1, 5):
        at = 0
        while f"layer{layer}.{at}.conv1.weight" in tensors:
            yield _block_of(tensors, f"layer{layer}.{at}", 2 if layer > 1 and at == 0 else 1)
            at += 1


def _block_of(tensors: Tensors, name: str, stride: int) -> _Block:
    count = 3 if f"{name}.conv3.weight" in tensors else 2
    strides = [stride, 1] if count == 2 else [1, stride, 1]
    path = [
        _folded(tensors, f"{name}.conv{at}", f"{name}.bn{at}", strides[at - 1], rectified=at < count)
        for at in range(1, count + 1)
    ]
    beside = f"{name}.downsample"
    if f"{beside}.0.weight" not in tensors:
        return _Block(path, None)
    return _Block(path, _folded(tensors, f"{beside}.0", f"{beside}.1", stride, rectified=False))
