"""An item's words as features of an explanation: a word is hidden by deleting it from the raw text, as LIME does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from torch import Tensor

from engine.explain.model import Question, Values
from engine.explain.surrogate import Masks, text_masks
from engine.explain.words import words_of
from engine.models.registry import text_backbone
from engine.models.text import fields_of
from engine.types import TokenWeight

ENCODER_BATCH, CNN_BATCH, GPU_BATCH = 4, 32, 128
"""How many texts are encoded before the next look at whether somebody else waits: 50 ms or so."""


class _Place(msgspec.Struct, frozen=True):
    """A word's offsets in its field, and which feature it is."""

    field: str
    start: int
    end: int
    text: str
    feature: int


class TextPart:
    """The words of one item. All occurrences of a word are one feature, hidden together, as in `lime_text`."""

    def __init__(self, question: Question, image_vector: Tensor) -> None:
        self._question = question
        self._image_vector = image_vector
        raw = question.model.text_of(question.content)
        self._places, self._pieces = _split(question, raw)
        self.features = 1 + max((place.feature for place in self._places), default=-1)

    def masks(self, samples: int, seed: int) -> Masks:
        """The design, (samples, features)."""
        return text_masks(samples, self.features, np.random.RandomState(seed))

    def without(self, kept: npt.NDArray[np.bool_]) -> str:
        """The raw text with only the features that `kept` keeps, (features,)."""
        return "".join(piece for piece, feature in self._pieces if feature < 0 or kept[feature])

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in small batches of similar length."""
        order = np.argsort(masks.sum(axis=1), kind="stable")
        step = _batch_size(self._question)
        return (order[start : start + step] for start in range(0, len(order), step))

    def probabilities(self, masks: Masks) -> Values:
        """The explained label's probability for every row, the screenshot being as it is."""
        vectors = self._question.model.text_vectors([self.without(row) for row in masks])
        return self._question.answer(vectors, self._image_vector)

    def tokens(self, weights: Sequence[float]) -> tuple[TokenWeight, ...]:
        """Every word with the weight of its feature, in reading order."""
        return tuple(
            TokenWeight(
                field=place.field, start=place.start, end=place.end, text=place.text, weight=weights[place.feature]
            )
            for place in self._places
        )


def _split(question: Question, raw: str) -> tuple[list[_Place], list[tuple[str, int]]]:
    """The words' places, and the raw text in pieces with their feature (-1 between words)."""
    features: dict[str, int] = {}
    places: list[_Place] = []
    pieces: list[tuple[str, int]] = []
    position = 0
    for span in fields_of(question.content):
        for word in words_of(raw[span.start : span.end]):
            feature = features.setdefault(word.text, len(features))
            places.append(_Place(span.field, word.start, word.end, word.text, feature))
            pieces += [(raw[position : span.start + word.start], -1), (word.text, feature)]
            position = span.start + word.end
    return places, [*pieces, (raw[position:], -1)]


def _batch_size(question: Question) -> int:
    if question.model.device_name.startswith("CUDA"):
        return GPU_BATCH
    backbone = question.model.card.network.get("text", {}).get("backbone", "cnn")
    return ENCODER_BATCH if text_backbone(backbone).encoder else CNN_BATCH
