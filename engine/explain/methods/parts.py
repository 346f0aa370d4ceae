"""An item's superpixels and words, the same ones as LIME's, and the explanation that weights of them make."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace

from engine.errors import CancelledError
from engine.explain.halves import UNMOVED
from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.notes import VANISHED, grouped, nothing
from engine.explain.perturbed import Perturbed
from engine.explain.screenshot import seen
from engine.explain.shares import modality_share, region_shares
from engine.explain.text_part import TextPart
from engine.explain.waiting import Result, watched
from engine.models.text import fields_of
from engine.types import Explanation, Segment, TokenWeight

Values = npt.NDArray[np.float64]
IMAGE, TEXT = "image", "text"


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """A weight per feature of each part, (features,); None for a part of which a method does not speak.

    `errors` holds standard errors in the same way, where a method has them. `shared_scale` says that both parts'
    weights are changes of the same probability, so that they may be compared. `vanished` says that weights of zero do
    not mean that the verdict depends on nothing.
    """

    image: Values | None = None
    text: Values | None = None
    errors: dict[str, Values] = {}
    reliability: dict[str, float] = {}
    shared_scale: bool = False
    samples: int = 0
    note: str = ""
    final: bool = True
    vanished: bool = False


class Parts:
    """The parts of one item, None where there is nothing to see or to read, and how the whole item is judged.

    Raises:
        InputError: the screenshot cannot be read any more.
        CancelledError: `cancelled` said so.
    """

    def __init__(self, question: Question, method: str, seed: int, cancelled: Callable[[], bool] | None) -> None:
        self._started = time.perf_counter()
        self._method, self._seed, self._cancelled = method, seed, cancelled
        self.question = question
        model, content = question.model, question.content
        self.pixels = pixels = self.beside(partial(seen, model, content))
        text_vector = model.text_vectors([model.text_of(content)])
        image_vector = (
            model.missing_image[None] if pixels is None else model.image_vectors(torch.from_numpy(pixels)[None])
        )
        model.remember(content, pixels, text_vector, image_vector)
        self.probability = float(question.answer(text_vector, image_vector)[0])
        text = TextPart(question, image_vector)
        self.text = text if text.features else None
        self.check()
        self.image = None
        if pixels is not None:
            self.image = ImagePart(question, self.beside(partial(Perturbed, question, pixels)), text_vector)

    @property
    def image_features(self) -> int:
        """How many superpixels look different when they are hidden."""
        return self.image.features if self.image is not None else 0

    @property
    def text_features(self) -> int:
        """How many different words there are."""
        return self.text.features if self.text is not None else 0

    def places(self) -> list[tuple[int, int, int]]:
        """Each word's feature, start and end in the raw text that the model reads, in reading order."""
        if self.text is None:
            return []
        starts = {span.field: span.start for span in fields_of(self.question.content)}
        return [
            (int(word.weight), starts[word.field] + word.start, starts[word.field] + word.end)
            for word in self.text.tokens(range(self.text.features), range(self.text.features))
        ]

    def moved_by(self, part: ImagePart | TextPart | None) -> bool:
        """Whether it makes a difference to hide all of a part."""
        if part is None or not part.features:
            return False
        without = part.answer(part.vectors(np.zeros((1, part.features), dtype=bool)))
        return bool(abs(self.probability - without[0]) >= UNMOVED)

    def beside(self, work: Callable[[], Result]) -> Result:
        """Do some work that takes long in one go; raises `CancelledError` as `check` does, while it goes on."""
        return watched(work, self.check)

    def check(self) -> None:
        """Raise `CancelledError` where somebody asked for that."""
        if self._cancelled is not None and self._cancelled():
            raise CancelledError

    def explanation(self, weights: Weights) -> Explanation:
        """The explanation that these weights make."""
        question, weights = self.question, _without_rounding(weights)
        segments = self._segments(weights)
        shown = self.image if weights.image is not None else None
        return Explanation(
            item=question.content.id,
            task=question.task,
            label=question.label,
            model=question.model.card.id,
            probability=self.probability,
            tokens=self._tokens(weights),
            segments=segments,
            segment_map=shown.segment_map() if shown is not None else None,
            method=self._method,
            samples=weights.samples,
            seed=self._seed,
            final=weights.final,
            note=" ".join(filter(None, (self._nothing(weights), self._grouped(weights), weights.note))),
            seconds=time.perf_counter() - self._started,
            reliability=weights.reliability,
            modality_share=_modality_share(weights) if self.image is not None and self.text is not None else {},
            region_share=region_shares(question.content, shown, segments),
        )

    def _tokens(self, weights: Weights) -> tuple[TokenWeight, ...]:
        if self.text is None or weights.text is None:
            return ()
        errors = weights.errors.get(TEXT)
        tokens = self.text.tokens(weights.text.tolist(), _or_zeros(errors, weights.text))
        return tokens if errors is not None else tuple(replace(token, error=None) for token in tokens)

    def _segments(self, weights: Weights) -> tuple[Segment, ...]:
        if self.image is None or weights.image is None:
            return ()
        errors = weights.errors.get(IMAGE)
        segments = self.image.segments(weights.image.tolist(), _or_zeros(errors, weights.image))
        return segments if errors is not None else tuple(replace(one, error=None) for one in segments)

    def _grouped(self, weights: Weights) -> str:
        return grouped(self.text) if self.text is not None and weights.text is not None else ""

    def _nothing(self, weights: Weights) -> str:
        if weights.vanished and not any(np.any(own) for own in (weights.image, weights.text) if own is not None):
            return VANISHED
        return nothing(
            self.text,
            self.image,
            words=_state(self.text, weights.text),
            screenshot=_state(self.image, weights.image),
        )


def _state(part: TextPart | ImagePart | None, weights: Values | None) -> bool | None:
    """Whether a part moves the verdict; None where it cannot, or the method does not speak of it."""
    return None if part is None or not part.features or weights is None else bool(np.any(weights))


def _or_zeros(errors: Values | None, weights: Values) -> list[float]:
    found: list[float] = (np.zeros_like(weights) if errors is None else errors).tolist()
    return found


def _without_rounding(weights: Weights) -> Weights:
    """Exact weights that are no more than differences of rounding between batches are zero."""
    kept = {
        part: np.where(np.abs(found) < UNMOVED, 0.0, found)
        for part, found in ((IMAGE, weights.image), (TEXT, weights.text))
        if found is not None
    }
    return replace(weights, **kept)


def _modality_share(weights: Weights) -> dict[str, float]:
    if not weights.shared_scale or weights.image is None or weights.text is None:
        return {}
    return modality_share(
        (weights.image.tolist(), _known(weights.errors.get(IMAGE))),
        (weights.text.tolist(), _known(weights.errors.get(TEXT))),
    )


def _known(errors: Values | None) -> list[float] | None:
    return None if errors is None else errors.tolist()
