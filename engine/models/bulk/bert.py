"""A BERT-like text encoder in 8-bit integers as a graph, and texts packed side by side so that little is padded.

As `engine.models.int8_text`: weights are rounded per output channel, activations per token when they come (vector-wise
quantisation, Dettmers et al. 2022, section 3.1), so that no calibration is needed; the rest is in 32-bit floats.
Texts share rows (`engine.models.bulk.packing`). Where a text's vector is its first token's, the last layer is
calculated for the first tokens alone: they read the keys and values of all, and nothing reads the others' answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.models.bulk import runtime
from engine.models.bulk.packing import Floats, Form, Layout, Texts, packed
from engine.models.bulk.runtime import constant, in_integers, shape
from engine.models.bulk.shelf import Shelf
from engine.models.weights import Arrays
from engine.types import Struct

MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
ROW, SHORT_ROW = 128, 64
"""Tokens in a row, where no text may be longer, and in a row of texts that are not longer than this."""
ROWS = 2
"""Rows that one run takes, or short ones as long: a matrix product of 256 tokens is faster than two of 128."""
NARROW = 512
"""An encoder as wide as this reads 256 tokens in 10 to 20 ms; one of BERT-base's size takes 70."""
A_FIRST, A_MEAN = 8, 4
"""A row has room for one text of so many of its tokens, where a text's vector is its first token's or the mean of all:
the last layer is calculated for so many first tokens."""
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
    """Token numbers of texts to their (n, D) vectors. Texts have at most `limit` tokens and share rows as `rows` says.

    Short texts have a graph of their own where the encoder is narrow. The one for long texts is compiled then, for half
    a second, when the first of them comes.
    """

    def __init__(
        self, shape_: Shape, tensors: Arrays, *, limit: int, mean: bool, threads: int, brief: bool = False
    ) -> None:
        """With `brief` runs, for those who look between them whether somebody waits, a wide encoder takes one row, and
        a narrow one's graph for long texts is compiled in the background at once.
        """
        self._words, self._steps = _rounded_words(tensors)
        kinds = tensors["embeddings.token_type_embeddings.weight"][0]
        self._places = tensors["embeddings.position_embeddings.weight"][shape_.first :] + kinds
        self.features = self._words.shape[1]
        self._mean = mean
        self.forms = self._forms(limit, brief=brief)
        self._room: dict[Form, list[Floats]] = {form: [] for form in self.forms}
        graphs = {form: _Graph(shape_, tensors, form, self.features, mean=mean) for form in self.forms}
        self._graphs = {form: _Compiled(graph, threads) for form, graph in graphs.items()}
        self._graphs[self.forms[0]].run()
        if brief and len(self.forms) > 1:
            self._graphs[self.forms[1]].begin()

    def rows(self, lengths: Sequence[int]) -> list[tuple[Form, list[list[int]]]]:
        """Numbers of texts of so many tokens each, by the row that they share, and rows by the form of runs."""
        return packed(lengths, self.forms)

    def __call__(self, texts: Texts, form: Form, begun: Callable[[], object] | None = None) -> list[Floats]:
        """The (n, D) vectors of each row's texts, of at most as many rows as `form` has.

        `begun` is called where the graph begins, which leaves Python to other threads.
        """
        layout = Layout(texts, form)
        values, mask = self._embedded(layout), layout.mask()
        wanted = layout.shares() if self._mean else layout.firsts()
        run = self._graphs[form].run()
        if begun is not None:
            begun()
        answers = run(values, mask, wanted)
        found = [answers[at, : len(row)].copy() for at, row in enumerate(texts)]
        self._room[form].append(values)
        return found

    def _forms(self, limit: int, *, brief: bool) -> tuple[Form, ...]:
        """A wide encoder's second graph would take 100 MB or more, and attention is a smaller part of it."""
        longest, a_text = max(limit, ROW), A_MEAN if self._mean else A_FIRST
        if self.features > NARROW:
            return (Form(1 if brief else ROWS, longest, longest // a_text),)
        short = Form(ROWS * ROW // SHORT_ROW, SHORT_ROW, SHORT_ROW // a_text)
        return (short, Form(ROWS, longest, longest // a_text)) if limit > SHORT_ROW else (short,)

    def _embedded(self, layout: Layout) -> Floats:
        """(B, N, D); behind a row's texts stands what another run left there, which nobody reads."""
        form = layout.form
        try:
            values = self._room[form].pop()  # a list's pop and append are atomic
        except IndexError:
            values = np.zeros((form.rows, form.tokens, self.features), np.float32)
        for row, numbers in enumerate(layout.numbers):
            within = values[row, : len(numbers)]
            np.multiply(self._words[numbers], self._steps[numbers], out=within)
            within += self._places[layout.places(row)]
        return values


class _Compiled:
    """A graph that is compiled when it is first needed, by whichever thread needs it."""

    def __init__(self, graph: _Graph, threads: int) -> None:
        self._graph, self._threads, self._lock = graph, threads, Lock()
        self._run: runtime.Run | None = None

    def begin(self) -> None:
        """Read the weights now and compile in the background, which keeps nobody from working."""
        self._graph.build()
        Thread(target=self.run, name="compile").start()

    def run(self) -> runtime.Run:
        with self._lock:
            if self._run is None:
                self._run = self._graph.compiled(self._threads)
            return self._run


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
    """The encoder from (B, N, D) embeddings and a (B, 1, N, N) mask to (B, K, D) vectors of texts.

    Which those are, a third input says: with `mean` (B, K, N) shares of tokens in texts, else (B, K) first tokens.
    """

    def __init__(self, shape_: Shape, tensors: Arrays, form: Form, width: int, *, mean: bool) -> None:
        self._made = runtime.operations()
        self._shelf = Shelf()
        self._shape, self._tensors, self._form = shape_, tensors, form
        self._width, self._mean = width, mean
        self._nodes: tuple[Any, list[Any]] | None = None

    def build(self) -> tuple[Any, list[Any]]:
        """What it gives, and of what: embeddings, mask and third input. All weights are read after this."""
        if self._nodes is None:
            made, (rows, tokens, texts) = self._made, self._form
            values = made.parameter([rows, tokens, self._width], np.float32)
            mask = made.parameter([rows, 1, tokens, tokens], np.float32)
            if self._mean:
                wanted = made.parameter([rows, texts, tokens], np.float32)
            else:
                wanted = made.parameter([rows, texts], np.int32)
            self._nodes = self._answer(values, mask, wanted), [values, mask, wanted]
        return self._nodes

    def compiled(self, threads: int) -> runtime.Run:
        """Ready to be run."""
        ready = runtime.compiled(*self.build(), threads, self._shelf)
        self._nodes = None
        return ready

    def _answer(self, values: Any, mask: Any, wanted: Any) -> Any:
        values = self._normed(values, "embeddings.LayerNorm")
        last = self._shape.num_hidden_layers - 1
        for number in range(last):
            values = self._layer(values, values, mask, f"encoder.layer.{number}")
        name = f"encoder.layer.{last}"
        if self._mean:
            hidden = self._layer(values, values, mask, name)
            return self._made.matmul(wanted, hidden, transpose_a=False, transpose_b=False)
        return self._layer(values, self._chosen(values, wanted, 1), self._chosen(mask, wanted, 2), name)

    def _chosen(self, values: Any, wanted: Any, axis: int) -> Any:
        """What is wanted of each row."""
        return self._made.gather(values, wanted, self._made.constant(axis, np.int32), 1)

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
        together = shape(self._form.rows, -1, self._width)
        return made.reshape(made.transpose(looked, shape(0, 2, 1, 3)), together, special_zero=False)

    def _by_head(self, values: Any, wide: int) -> Any:
        """(B, n, D) to (B, heads, n, D / heads)."""
        split = shape(self._form.rows, -1, self._width // wide, wide)
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
