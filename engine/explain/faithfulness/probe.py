"""One item's words and superpixels, hidden just as an explanation hides them, and what the model says of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch

from engine.errors import CancelledError
from engine.explain.faithfulness.erasure import Masks, Values
from engine.explain.image_part import ImagePart
from engine.explain.model import ExplainableModel, Question
from engine.explain.perturbed import Perturbed
from engine.explain.sampling import Telling, asked
from engine.explain.screenshot import seen
from engine.explain.text_part import TextPart
from engine.types import Explanation, ItemContent


class Side(Protocol):
    """The words or the superpixels of one item."""

    features: int

    def ask(self, masks: Masks) -> Values:
        """The explained label's probability, (n,), for masks (n, features), True where a feature is kept."""

    def weights(self, explanation: Explanation) -> Values | None:
        """What an explanation gives the features, (features,); None where it says nothing of this side."""


class Probe:
    """An item and a label to ask about. `words` or `superpixels` are None where there are fewer than two to compare.

    Raises:
        NotFoundError: the model has no such task or label.
        InputError: the screenshot cannot be read any more.
        CancelledError: from `ask`, when `cancelled` said so; it is asked every 100 ms or so.
    """

    def __init__(
        self, model: ExplainableModel, content: ItemContent, task: str, label: str, cancelled: Callable[[], bool]
    ) -> None:
        question = Question.ask(model, content, task, label)
        pixels = seen(model, content)
        text_vector = model.text_vectors([model.text_of(content)])
        image_vector = (
            model.missing_image[None] if pixels is None else model.image_vectors(torch.from_numpy(pixels)[None])
        )
        text = TextPart(question, image_vector)
        self.words: Side | None = _Words(text, cancelled) if text.features > 1 else None
        self.superpixels: Side | None = None
        if pixels is not None:
            image = ImagePart(question, Perturbed(question, pixels), text_vector)
            if image.features > 1:
                self.superpixels = _Superpixels(image, cancelled)


class _Words:
    """Distinct words; all occurrences of one are hidden together."""

    def __init__(self, part: TextPart, cancelled: Callable[[], bool]) -> None:
        self._part, self._cancelled = part, cancelled
        self.features = part.features
        numbers = range(self.features)
        self._feature = {(token.field, token.start): int(token.weight) for token in part.tokens(numbers, numbers)}

    def ask(self, masks: Masks) -> Values:
        return _answers(self._part, masks, self._cancelled)

    def weights(self, explanation: Explanation) -> Values | None:
        """The mean over a word's occurrences, which are one feature."""
        found = [
            (self._feature[token.field, token.start], token.weight)
            for token in explanation.tokens
            if (token.field, token.start) in self._feature
        ]
        return _means(found, self.features)


class _Superpixels:
    """Superpixels that look different when they are hidden."""

    def __init__(self, part: ImagePart, cancelled: Callable[[], bool]) -> None:
        self._part, self._cancelled = part, cancelled
        self.features = part.features
        self._feature: Mapping[int, int] = {segment: number for number, segment in enumerate(part.visible)}

    def ask(self, masks: Masks) -> Values:
        return _answers(self._part, masks, self._cancelled)

    def weights(self, explanation: Explanation) -> Values | None:
        found = [
            (self._feature[segment.id], segment.weight)
            for segment in explanation.segments
            if segment.id in self._feature
        ]
        return _means(found, self.features)


def _answers(part: Telling, masks: Masks, cancelled: Callable[[], bool]) -> Values:
    """Every distinct row once."""

    def check() -> None:
        if cancelled():
            raise CancelledError

    distinct, which = np.unique(masks, axis=0, return_inverse=True)
    return asked(part, distinct, check)[which.reshape(-1)]


def _means(found: list[tuple[int, float]], features: int) -> Values | None:
    if not found:
        return None
    numbers, weights = np.array([number for number, _ in found]), np.array([weight for _, weight in found])
    counts = np.maximum(np.bincount(numbers, minlength=features), 1)
    means: Values = np.bincount(numbers, weights, minlength=features) / counts
    return means
