"""A BERT-like text encoder in 8-bit integers, for CPUs that multiply them fast.

Weights are rounded per output channel, activations per token when they come (vector-wise quantisation, Dettmers et al.
2022, section 3.1): a token's step follows its own largest value, so that an item's vector does not depend on the items
beside it and no calibration is needed. Normalisation and sums stay in 32-bit floats, attention is in bfloat16 where
the CPU multiplies that, and padding is left out of everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.models.processor import has_bf16
from engine.types import Struct

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
"""Architectures with the tensors and the order of operations of Devlin et al. 2019, section 3."""
LEAST_WIDTH = 256
"""Narrower encoders gain nothing."""
_MIDDLE = 128
"""The integer that stands for 0 where values go both ways."""
_AFTER_GELU = 24
"""The integer that stands for 0 after GELU, which never goes below -`_LEAST_GELU`: most steps are for what is above."""
_LEAST_GELU = 0.17


class EncoderShape(Struct, frozen=True, kw_only=True):
    """What the tensors do not tell of an encoder: `first` is the number of the first token's position."""

    heads: int
    layers: int
    epsilon: float
    first: int
    mean: bool


def shape_of(config: PretrainedConfig, *, mean: bool) -> EncoderShape | None:
    """The shape of an encoder that this module can run and that gains by it; None for any other."""
    plain = getattr(config, "hidden_act", "") == "gelu" and not getattr(config, "is_decoder", False)
    absolute = getattr(config, "position_embedding_type", "absolute") in {"absolute", None}
    if config.model_type not in MODEL_TYPES or not (plain and absolute) or config.hidden_size < LEAST_WIDTH:
        return None
    if not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return None
    return EncoderShape(
        heads=config.num_attention_heads,
        layers=config.num_hidden_layers,
        epsilon=config.layer_norm_eps,
        first=0 if config.model_type == "bert" else int(config.pad_token_id) + 1,
        mean=mean,
    )


class Int8Encoder:
    """(B, T) token numbers and their mask to (B, D) float vectors, like the encoder whose `tensors` it is made from."""

    @torch.inference_mode()
    def __init__(self, shape: EncoderShape, tensors: Mapping[str, Tensor]) -> None:
        self._shape = shape
        words = tensors["embeddings.word_embeddings.weight"]
        self._steps = words.abs().amax(dim=1, keepdim=True).clamp(min=1e-8).div_(127)
        self._words = words.div(self._steps).round_().to(torch.int8)
        kinds = tensors["embeddings.token_type_embeddings.weight"][0]
        self._positions = tensors["embeddings.position_embeddings.weight"][shape.first :] + kinds
        self._norm = _Norm(tensors, "embeddings.LayerNorm", shape.epsilon)
        self._layers = [_Layer(tensors, f"encoder.layer.{at}", shape) for at in range(shape.layers)]

    @torch.inference_mode()
    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The vectors; what padding holds never changes them."""
        written = mask.flatten().nonzero().squeeze(1)
        places = torch.arange(ids.shape[1]).expand_as(ids).reshape(-1)[written]
        words = ids.flatten()[written]
        values = self._norm(torch.addcmul(self._positions[places], self._words[words].float(), self._steps[words]))
        for layer in self._layers[:-1]:
            values = layer(values, written, mask)
        if not self._shape.mean:
            return self._layers[-1](values, written, mask, first_only=True)
        hidden = _spread(self._layers[-1](values, written, mask), written, mask)
        return (hidden * mask.unsqueeze(2)).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


class _Layer:
    def __init__(self, tensors: Mapping[str, Tensor], name: str, shape: EncoderShape) -> None:
        attention = f"{name}.attention"
        self._heads = shape.heads
        self._look = _Linear(tensors, *(f"{attention}.self.{part}" for part in ("query", "key", "value")))
        self._mix = _Linear(tensors, f"{attention}.output.dense")
        self._mixed = _Norm(tensors, f"{attention}.output.LayerNorm", shape.epsilon)
        self._widen = _Linear(tensors, f"{name}.intermediate.dense")
        self._narrow = _Linear(tensors, f"{name}.output.dense", after_gelu=True)
        self._done = _Norm(tensors, f"{name}.output.LayerNorm", shape.epsilon)

    def __call__(self, values: Tensor, written: Tensor, mask: Tensor, *, first_only: bool = False) -> Tensor:
        """(N, D) values of the written tokens to the next ones; (B, D) of the first ones alone with `first_only`."""
        looked = _spread(self._look(values), written, mask)
        query, key, value = looked.view(*mask.shape, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        if first_only:
            query, values = query[:, :, :1], _spread(values, written, mask)[:, 0]
        mixed = _attention(query, key, value, mask).transpose(1, 2).flatten(0, 1).flatten(1)
        if len(values) < len(mixed):
            mixed = mixed.index_select(0, written)
        values = self._mixed(self._mix(mixed).add_(values))
        wide = nn.functional.gelu(self._widen(values))
        return self._done(self._narrow(wide).add_(values))


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """(B, H, Q, D) values that each query reads of the keys that `mask`, (B, T), leaves.

    Short texts are many small products, which torch's own attention is slow at in 32-bit floats. Rounding queries and
    keys to bfloat16 costs less than the integers that they were multiplied from.
    """
    if not has_bf16():
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
    rows, width = query.shape[:3], query.shape[-1]
    query, key, value = (part.to(torch.bfloat16).flatten(0, 1) for part in (query, key, value))
    scores = torch.bmm(query, key.transpose(1, 2)).float().mul_(width**-0.5).view(*rows, -1)
    scores.masked_fill_(~mask[:, None, None], -torch.inf)
    return torch.bmm(scores.softmax(dim=-1).to(torch.bfloat16).flatten(0, 1), value).float().view(*rows, width)


class _Norm:
    def __init__(self, tensors: Mapping[str, Tensor], name: str, epsilon: float) -> None:
        self._weight, self._bias, self._epsilon = tensors[f"{name}.weight"], tensors[f"{name}.bias"], epsilon

    def __call__(self, values: Tensor) -> Tensor:
        return nn.functional.layer_norm(values, self._weight.shape, self._weight, self._bias, self._epsilon)


class _Linear:
    """(N, K) floats to (N, M) floats: one layer, or several that read the same values."""

    def __init__(self, tensors: Mapping[str, Tensor], *names: str, after_gelu: bool = False) -> None:
        weight = torch.cat([tensors[f"{name}.weight"] for name in names])
        self._bias = torch.cat([tensors[f"{name}.bias"] for name in names])
        self._scales = weight.abs().amax(dim=1).clamp(min=1e-8) / 127
        integers = weight.div_(self._scales.unsqueeze(1)).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(integers, None)
        self._zeros = torch.zeros(len(integers), dtype=torch.long)
        self._zero = _AFTER_GELU if after_gelu else _MIDDLE

    def __call__(self, values: Tensor) -> Tensor:
        steps = self._steps(values)
        integers = _bytes(torch.quantize_per_tensor(values * steps.reciprocal(), 1.0, self._zero, torch.quint8))
        answer: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(integers, 1.0, self._zero, self._packed, self._scales, self._zeros, None),
            *(1.0, 0, torch.float32, "none", [], ""),
        )
        return torch.addcmul(self._bias, answer, steps, out=answer)

    def _steps(self, values: Tensor) -> Tensor:
        """(N, 1): what one integer is worth in each row, so that no value falls outside."""
        high = values.amax(dim=1, keepdim=True)
        if self._zero == _AFTER_GELU:
            return high.div_(255 - _AFTER_GELU).clamp_(min=_LEAST_GELU / _AFTER_GELU)
        low = values.amin(dim=1, keepdim=True).neg_()
        return torch.maximum(high, low).div_(255 - _MIDDLE).clamp_(min=1e-8)


def _bytes(rounded: Tensor) -> Tensor:
    """The integers of a quantised tensor where they are; `int_repr` would copy them."""
    integers = torch.empty(0, dtype=torch.uint8)
    integers.set_(rounded.untyped_storage(), 0, rounded.shape, rounded.stride())
    return integers


def _spread(values: Tensor, written: Tensor, mask: Tensor) -> Tensor:
    """(N, D) values of written tokens to (B, T, D), those of a neighbour at padding."""
    if len(written) == mask.numel():
        return values.view(*mask.shape, -1)
    nearest = mask.flatten().cumsum(0).sub_(1).clamp_(min=0)
    return values.index_select(0, nearest).view(*mask.shape, -1)
