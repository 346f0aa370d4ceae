"""Early fusion and heads (`engine.models.network.FusionNetwork.fuse`) in 32-bit floats without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.models.linear_algebra import numpy_on_one_core
from engine.models.registry import EARLY
from engine.models.spec import HeadSpec, NetworkSpec
from engine.models.verdicts import calibrated

Floats = NDArray[np.float32]
Tensors = Mapping[str, NDArray[Any]]
Tables = dict[str, NDArray[np.float64]]
"""(n, L) calibrated probabilities per task."""

_NORM_EPSILON = 1e-5
_erf = np.frompyfunc(math.erf, 1, 1)


class Fusion:
    """From the vectors of text and screenshot to calibrated probabilities.

    `missing_text` and `missing_image` stand for a part that an item lacks, (Dt,) and (Di,).
    """

    def __init__(self, spec: NetworkSpec, tensors: Tensors, temperatures: Mapping[str, float]) -> None:
        self.missing_text: Floats = tensors["missing_text"]
        self.missing_image: Floats = tensors["missing_image"]
        self._spec, self._temperatures = spec, temperatures
        self._norms = [_pair(tensors, f"{part}_norm") for part in ("text", "image")]
        self._hidden = [_pair(tensors, f"fusion.{3 * at}") for at in range(len(spec.fusion.hidden))]
        self._heads = {head.task: _pair(tensors, _key(head, tensors)) for head in spec.heads}

    @staticmethod
    def knows(spec: NetworkSpec, tensors: Tensors) -> bool:
        """Whether this module can stand for a network's fusion and heads."""
        return spec.fusion.kind == EARLY and all(f"{_key(head, tensors)}.weight" in tensors for head in spec.heads)

    def tables(self, text: Floats, image: Floats) -> Tables:
        """Calibrated probabilities of all tasks from (n, Dt) and (n, Di) vectors."""
        parts = zip((text, image), self._norms, strict=True)
        values = np.concatenate([_normed(vectors, *norm) for vectors, norm in parts], axis=1)
        with numpy_on_one_core:
            for weight, bias in self._hidden:
                values = _gelu(values @ weight.T + bias)
            return {head.task: self._table(values, head) for head in self._spec.heads}

    def _table(self, values: Floats, head: HeadSpec) -> NDArray[np.float64]:
        weight, bias = self._heads[head.task]
        return calibrated(values @ weight.T + bias, head, self._temperatures.get(head.task, 1.0))


def _pair(tensors: Tensors, name: str) -> tuple[Floats, Floats]:
    """Weight and bias; empty ones for what a network without that part has none of."""
    none = np.empty(0, np.float32)
    return (tensors[f"{name}.weight"], tensors[f"{name}.bias"]) if f"{name}.weight" in tensors else (none, none)


def _key(head: HeadSpec, tensors: Tensors) -> str:
    """A head's name among the tensors: its task's, but for those that torch forbids."""
    plain = f"heads.{head.task}"
    return plain if f"{plain}.weight" in tensors else f"heads.task:{head.task.replace('.', ':')}"


def _normed(vectors: Floats, weight: Floats, bias: Floats) -> Floats:
    if not vectors.shape[1]:
        return vectors
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(_NORM_EPSILON))
    answer: Floats = centred / scale * weight + bias
    return answer


def _gelu(values: Floats) -> Floats:
    """Hendrycks and Gimpel 2016, equation 2."""
    below = (1 + _erf(values * math.sqrt(0.5)).astype(np.float32)) / 2
    answer: Floats = (values * below).astype(np.float32)
    return answer
