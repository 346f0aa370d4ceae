"""What an explanation needs of a model (`engine.models.predictor.Predictor` is one), and the question put to it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from engine.errors import ModelUnavailableError, NotFoundError, did_you_mean
from engine.types import ItemContent, ModelCard

Values = npt.NDArray[np.float64]


class ExplainableModel(Protocol):
    """A fusion model whose encoders and heads run one by one, so that masking one part never reruns the other.

    `missing_text` (Dt,) and `missing_image` (Di,) stand for a part that is not there.
    """

    card: ModelCard
    missing_text: Tensor
    missing_image: Tensor

    @property
    def packs_images(self) -> bool:
        """Whether each core looks at a few screenshots at a time (`engine.models.packed_image`)."""

    @property
    def device_name(self) -> str:
        """Where it runs, in words; starts with "CUDA" on a GPU."""

    @property
    def packs_texts(self) -> bool:
        """Whether texts share rows of the text encoder, so that little is padded."""

    def text_of(self, content: ItemContent) -> str:
        """The raw text that the model reads; empty where the item has none."""

    def reads_all(self, text: str) -> bool:
        """Whether the model reads a raw text to its last word, not only the beginning of it."""

    def pixels(self, content: ItemContent) -> npt.NDArray[np.float32] | None:
        """The screenshot at the model's size, (3, S, S) in [0, 1], or None where there is none that can be used."""

    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """(n, Dt) for n raw texts; a blank one counts as missing."""

    def text_vectors_in_turn(self, texts: Iterable[str], stops: Sequence[int]) -> Generator[Tensor | None, None, None]:
        """The `text_vectors` of the first `stops[0]` texts, then those up to `stops[1]`, and so on; of some more where
        they take no more time. None comes now and then, while the encoder goes on in the background.
        """

    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(n, Di) for (n, 3, S, S) float in [0, 1]."""

    def square_vectors_in_turn(
        self, parts: Iterable[Callable[[], Sequence[npt.NDArray[np.uint8]]]]
    ) -> Generator[Tensor | None, None, None]:
        """(n, Di) for the n screenshots of (S, S, 3) bytes that each part makes, part by part, None now and then; the
        network goes on with the next ones in the background until this is closed. For models that pack images.
        """

    def probabilities(self, task: str, text: Tensor, image: Tensor) -> Values:
        """(n, labels), calibrated."""

    def crossed(self, task: str, text: Tensor, image: Tensor) -> Values:
        """(T, I, labels), calibrated, for each of T texts' vectors beside each of I screenshots'."""

    def remember(
        self, content: ItemContent, pixels: npt.NDArray[np.float32] | None, text: Tensor, image: Tensor
    ) -> None:
        """Take note of the vectors, (1, Dt) and (1, Di), of the whole item, so that nobody computes them again."""


@dataclass(frozen=True)
class Question:
    """Why does `model` give `label` of `task` its probability for `content`?"""

    model: ExplainableModel
    content: ItemContent
    task: str
    label: str
    column: int

    @classmethod
    def ask(cls, model: ExplainableModel, content: ItemContent, task: str, label: str) -> Question:
        """Raise `NotFoundError` where the model does not answer that task or knows no such label."""
        labels = model.card.tasks.get(task)
        if labels is None:
            raise NotFoundError(
                f"Model '{model.card.id}' does not answer a task '{task}'.", did_you_mean(task, model.card.tasks)
            )
        if label not in labels:
            raise NotFoundError(
                f"Model '{model.card.id}' has no label '{label}' in task '{task}'.", did_you_mean(label, labels)
            )
        return cls(model, content, task, label, labels.index(label))

    def answer(self, text: Tensor, image: Tensor) -> Values:
        """The label's probability, (n,), for n vectors of one part and n or 1 of the other.

        Raises:
            ModelUnavailableError: the model answers with something that is no number.
        """
        rows = max(len(text), len(image))
        text, image = text.expand(rows, -1), image.expand(rows, -1)
        return self._own(self.model.probabilities(self.task, text, image))

    def crossed(self, text: Tensor, image: Tensor) -> Values:
        """The label's probability, (T, I), for each of T texts' vectors beside each of I screenshots'.

        Raises:
            ModelUnavailableError: as for `answer`.
        """
        return self._own(self.model.crossed(self.task, text, image))

    def _own(self, answers: Values) -> Values:
        answer: Values = answers[..., self.column]
        if not np.isfinite(answer).all():
            raise ModelUnavailableError(
                f"Model '{self.model.card.id}' gives no number for '{self.label}' where it should give a probability.",
                "Its training went wrong: go back to an earlier model, or train another one.",
            )
        return answer
