"""A BERT-like text encoder in 8-bit integers as a graph, and texts packed side by side so that little is padded.

As `engine.models.int8_text`: weights are rounded per output channel, activations per token when they come (vector-wise
quantisation, Dettmers et al. 2022, section 3.1), so that no calibration is needed; the rest is in 32-bit floats.
Packing (Krell et al. 2021, "Efficient sequence packing without cross-contamination"): several texts share a row of
fixed length, and a mask keeps each from reading the others. Where a text's vector is its first token's, the last layer
is calculated for the first tokens alone: they read the keys and values of all, and nothing reads the others' answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.models.bulk import runtime
from engine.models.bulk.runtime import constant, in_integers, shape
from engine.models.bulk.shelf import Shelf
from engine.models.weights import Arrays
from engine.types import Struct

MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
ROW = 128
"""Tokens in a row, where no text may be longer."""
AT_ONCE = 2
"""Rows that one call takes: a matrix product of 256 tokens is faster than two of 128, attention is not."""
NARROW = 512
"""An encoder as wide as this reads 256 tokens in 10 to 20 ms; one of BERT-base's size takes 70."""
FIRSTS = 16
"""Texts that share a row at most where a text's vector is its first token's: so many last answers a row has."""
Floats = NDArray[np.float32]
_ROWS_AT_ONCE = 2048
_WIDEST = 1536
"""Wider layers are calculated in parts, so that what passes between two operations stays in a core's cache."""
_GELU_LOW = 0.17
"""GELU is never below the negative of this: shifted by it, its integers need no sign."""
_GELU_EDGE = 4.0
"""Beyond this GELU is 0 or what comes in, to within 0.0002."""
_GELU_SLOPE = (
    0.397870285, -0.0645544145, 0.0087636892, -0.000812186938, 4.77638268e-05, -1.5888241e-06, 2.25881501e-08,
)  # fmt: skip
"""(Φ(x) - 1/2) / x by powers of x²: the polynomial that is nearest to GELU up to the edge, and exact at the edge."""


class Shape(Struct, frozen=True, kw_only=True):
    """What the tensors do not tell of an encoder, by the names that its config.json has for it."""

    model_type: str
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float
    hidden_act: str
    pad_token_id: int = 0
    is_decoder: bool = False
    position_embedding_type: str | None = None

    @property
    def known(self) -> bool:
        """Whether this module can run it."""
        absolute = self.position_embedding_type in {"absolute", None}
        return self.model_type in MODEL_TYPES and self.hidden_act == "gelu" and not self.is_decoder and absolute

    @property
    def first(self) -> int:
        """The number of the first token's position."""
        return 0 if self.model_type == "bert" else self.pad_token_id + 1


def read_shape(config: Path) -> Shape | None:
    """The shape that a config.json describes; None where it describes no encoder that can be run here."""
    try:
        found = msgspec.json.decode(config.read_bytes(), type=Shape)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if found.known else None


class Encoder:
    """Token numbers of texts to their (n, D) vectors. Texts have at most `limit` tokens.

    Texts share rows as `packed` says: of `row` tokens, at most `most` texts in each.
    """

    def __init__(
        self, shape_: Shape, tensors: Arrays, *, limit: int, mean: bool, threads: int, brief: bool = False
    ) -> None:
        """With `brief` calls, for those who look between them whether somebody waits, a wide encoder takes one row."""
        self._mean = mean
        self._words, self._steps = _rounded_words(tensors)
        kinds = tensors["embeddings.token_type_embeddings.weight"][0]
        self._places = tensors["embeddings.position_embeddings.weight"][shape_.first :] + kinds
        self.row = max(limit, ROW)
        self.features = self._words.shape[1]
        self.at_once = 1 if brief and self.features > NARROW else AT_ONCE
        self.most = self.row if mean else FIRSTS
        graph = _Graph(shape_, tensors, (self.at_once, self.row, self.features), None if mean else FIRSTS)
        self._run = graph.compiled(threads)

    def __call__(self, texts: Sequence[Sequence[Sequence[int]]]) -> list[Floats]:
        """The (n, D) vectors of each row's texts, of at most `at_once` rows (`packed`)."""
        values = np.zeros((self.at_once, self.row, self.features), np.float32)
        masks = np.zeros((self.at_once, 1, self.row, self.row), np.float32)
        firsts = np.zeros((self.at_once, self.most), np.int32)
        for at, row in enumerate(texts):
            lengths = [len(tokens) for tokens in row]
            numbers = np.concatenate([np.asarray(tokens, np.int64) for tokens in row])
            places = np.concatenate([np.arange(length) for length in lengths])
            within = values[at, : len(numbers)]
            np.multiply(self._words[numbers], self._steps[numbers], out=within)
            within += self._places[places]
            masks[at, 0] = _apart([*lengths, self.row - len(numbers)])
            firsts[at, : len(row)] = np.cumsum([0, *lengths[:-1]])
        if not self._mean:
            answers = self._run(values, masks, firsts)
            return [answers[at, : len(row)].copy() for at, row in enumerate(texts)]
        hidden = self._run(values, masks)
        return [_means(hidden[at], firsts[at, : len(row)], row) for at, row in enumerate(texts)]


def packed(lengths: Sequence[int], row: int, most: int) -> list[list[int]]:
    """Numbers of texts by the row that they share, the longest first into the fullest row with room for it.

    No row has more than `row` tokens or `most` texts.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for text in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        fitting = [at for at, left in enumerate(room) if left >= lengths[text] and len(rows[at]) < most]
        at = min(fitting, key=room.__getitem__, default=len(rows))
        if at == len(rows):
            rows.append([])
            room.append(row)
        rows[at].append(text)
        room[at] -= lengths[text]
    return rows


def _means(hidden: Floats, starts: NDArray[np.int32], row: Sequence[Sequence[int]]) -> Floats:
    lengths = np.array([len(tokens) for tokens in row])
    sums = np.add.reduceat(hidden[: lengths.sum()], starts, axis=0)
    means: Floats = (sums / lengths[:, None]).astype(np.float32)
    return means


def _apart(lengths: Sequence[int]) -> Floats:
    """(N, N): 0 where a token may read another one, minus infinity where that belongs to another text."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return np.where(owner[:, None] == owner, np.float32(0), np.float32(-np.inf))


def _rounded_words(tensors: Arrays) -> tuple[NDArray[np.int8], Floats]:
    """Word embeddings as integers and a step for each word; read in parts, for they are the largest tensor."""
    name = "embeddings.word_embeddings.weight"
    words, width = tensors.shape(name)
    integers, steps = np.empty((words, width), np.int8), np.empty((words, 1), np.float32)
    for start in range(0, words, _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, words))
        integers[part], steps[part] = rounded(tensors.rows(name, part))
    return integers, steps


def rounded(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A weight as integers, and what one is worth along the first axis, in a shape that goes with the weight's."""
    rest = tuple(range(1, weight.ndim))
    steps: Floats = np.maximum(np.abs(weight).max(axis=rest, keepdims=True), np.float32(1e-8)) / np.float32(127)
    return np.rint(weight / steps).astype(np.int8), steps


def fixed(values: Any, low: float, high: float) -> Any:
    """Values as the runtime recognises 8-bit integers: 256 steps from `low` to `high`."""
    made = runtime.operations()
    ends = constant(low), constant(high)
    return made.fake_quantize(values, *ends, *ends, 256)


def gelu(values: Any) -> Any:
    """GELU (Hendrycks and Gimpel 2016, equation 2) to within 0.0002, which is far less than rounding takes away."""
    made = runtime.operations()
    near = made.clamp(values, -_GELU_EDGE, _GELU_EDGE)
    squares = made.multiply(near, near)
    slope = constant(_GELU_SLOPE[-1])
    for factor in reversed(_GELU_SLOPE[:-1]):
        slope = made.add(made.multiply(slope, squares), constant(factor))
    return made.multiply(values, made.add(made.multiply(near, slope), constant(0.5)))


class _Graph:
    """The encoder from (B, N, D) embeddings and a (B, 1, N, N) mask to (B, N, D) hidden states.

    With `wanted`, from (B, K) numbers of tokens in each row also, to (B, K, D) hidden states of these alone.
    """

    def __init__(self, shape_: Shape, tensors: Arrays, size: tuple[int, int, int], wanted: int | None) -> None:
        made = self._made = runtime.operations()
        self._shelf = Shelf()
        self._shape, self._tensors = shape_, tensors
        self._at_once, row, self._width = size
        self._values = made.parameter(list(size), np.float32)
        self._mask = made.parameter([self._at_once, 1, row, row], np.float32)
        self._wanted = made.parameter([self._at_once, wanted], np.int32) if wanted is not None else None

    def compiled(self, threads: int) -> runtime.Run:
        values, last = self._normed(self._values, "embeddings.LayerNorm"), self._shape.num_hidden_layers - 1
        for number in range(last):
            values = self._layer(values, values, self._mask, f"encoder.layer.{number}")
        inputs, asking, mask = [self._values, self._mask], values, self._mask
        if self._wanted is not None:
            inputs.append(self._wanted)
            asking, mask = self._chosen(values, 1), self._chosen(mask, 2)
        answer = self._layer(values, asking, mask, f"encoder.layer.{last}")
        return runtime.compiled(answer, inputs, threads, self._shelf)

    def _chosen(self, values: Any, axis: int) -> Any:
        """What is wanted of each row."""
        return self._made.gather(values, self._wanted, self._made.constant(axis, np.int32), 1)

    def _layer(self, values: Any, asking: Any, mask: Any, name: str) -> Any:
        """What a layer makes of the tokens `asking`, which read all `values` but those that `mask` forbids."""
        made, attention = self._made, f"{name}.attention"
        mixed = self._linear(self._attended(values, asking, mask, f"{attention}.self"), f"{attention}.output.dense")
        answer = self._normed(made.add(mixed, asking), f"{attention}.output.LayerNorm")
        return self._normed(made.add(self._widened(answer, name), answer), f"{name}.output.LayerNorm")

    def _attended(self, values: Any, asking: Any, mask: Any, name: str) -> Any:
        made, wide = self._made, self._width // self._shape.num_attention_heads
        read = self._per_token(values)
        asked = read if asking is values else self._per_token(asking)
        query = self._by_head(self._product(*asked, f"{name}.query", wide**-0.5), wide)
        key, value = (self._by_head(self._product(*read, f"{name}.{part}"), wide) for part in ("key", "value"))
        likeness = made.matmul(query, key, transpose_a=False, transpose_b=True)
        shares = made.softmax(made.add(likeness, mask), -1)
        looked = made.matmul(shares, value, transpose_a=False, transpose_b=False)
        together = shape(self._at_once, -1, self._width)
        return made.reshape(made.transpose(looked, shape(0, 2, 1, 3)), together, special_zero=False)

    def _by_head(self, values: Any, wide: int) -> Any:
        """(B, n, D) to (B, heads, n, D / heads)."""
        split = shape(self._at_once, -1, self._width // wide, wide)
        return self._made.transpose(self._made.reshape(values, split, special_zero=False), shape(0, 2, 1, 3))

    def _widened(self, values: Any, name: str) -> Any:
        """The feed-forward part: wider, GELU, and as wide as before."""
        wide, narrow = (
            (self._tensors[f"{name}.{part}.dense.weight"], self._tensors[f"{name}.{part}.dense.bias"])
            for part in ("intermediate", "output")
        )
        rounded_values = self._per_token(values)
        answer = constant(narrow[1][None])
        for part in np.array_split(np.arange(len(wide[0])), -(-len(wide[0]) // _WIDEST)):
            half = self._scaled(*rounded_values, rounded(wide[0][part]), wide[1][part])
            answer = self._made.add(answer, self._after_gelu(gelu(half), narrow[0][:, part]))
        return answer

    def _linear(self, values: Any, name: str) -> Any:
        return self._product(*self._per_token(values), name)

    def _per_token(self, values: Any) -> tuple[Any, Any]:
        """Values between -1 and 1 in steps of 1/127, and what 1 is worth of each token."""
        made, last = self._made, shape(-1)
        highest, lowest = (reduce(values, last, keep_dims=True) for reduce in (made.reduce_max, made.reduce_min))
        steps = made.maximum(made.maximum(highest, made.negative(lowest)), constant(1e-8))
        return fixed(made.divide(values, steps), -128 / 127, 1.0), steps

    def _product(self, integers: Any, steps: Any, name: str, gain: float = 1.0) -> Any:
        (weight, scales), factor = rounded(self._tensors[f"{name}.weight"]), np.float32(gain)
        return self._scaled(integers, steps, (weight, scales * factor), self._tensors[f"{name}.bias"] * factor)

    def _after_gelu(self, values: Any, weight: Floats) -> Any:
        """What a weight makes of values that are rounded to 0 to 255; the bias takes off what shifting them adds."""
        made = self._made
        integers, scales = rounded(weight)
        shifted = made.add(values, constant(_GELU_LOW))
        highest = made.reduce_max(shifted, shape(-1), keep_dims=True)
        steps = made.multiply(made.maximum(highest, constant(1e-6)), constant(1 / 255))
        added = (integers.sum(axis=1, dtype=np.int64) * scales[:, 0] * np.float32(_GELU_LOW)).astype(np.float32)
        return self._scaled(fixed(made.divide(shifted, steps), 0.0, 255.0), steps, (integers, scales), -added)

    def _scaled(self, integers: Any, steps: Any, weight: tuple[NDArray[np.int8], Floats], bias: Floats) -> Any:
        made = self._made
        product = made.matmul(integers, in_integers(*weight, self._shelf), transpose_a=False, transpose_b=True)
        return made.add(made.multiply(product, steps), constant(bias[None]))

    def _normed(self, values: Any, name: str) -> Any:
        made, last = self._made, shape(-1)
        scaled = made.mvn(values, last, True, self._shape.layer_norm_eps, "inside_sqrt")
        weight, bias = (constant(self._tensors[f"{name}.{part}"][None]) for part in ("weight", "bias"))
        return made.add(made.multiply(scaled, weight), bias)
