"""LIME for an item's words and screenshot together: previews first, then better ones, then the final explanation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch

from engine.errors import CancelledError
from engine.explain.image_part import ImagePart
from engine.explain.model import ExplainableModel, Question
from engine.explain.notes import note
from engine.explain.sampling import Sampler
from engine.explain.surrogate import IMAGE_KERNEL_WIDTH, TEXT_KERNEL_WIDTH
from engine.explain.text_part import TextPart
from engine.types import Explanation, ItemContent

STAGES = ((64, 48), (256, 128), (256, 256))
"""Samples of the words and of the screenshot after which an explanation is shown; the last is final."""


def explain(
    model: ExplainableModel,
    content: ItemContent,
    task: str,
    label: str,
    *,
    seed: int = 0,
    emit: Callable[[Explanation], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Explanation:
    """The final explanation of why `model` gives `label` its probability; previews and it go to `emit`.

    One seed gives one answer (as long as the model computes in the same arithmetic). Weights of words and superpixels
    are on one scale, the change of the label's probability.

    Raises:
        NotFoundError: the model has no such task or label.
        CancelledError: `cancelled` said so; it is asked every 100 ms or so.
    """
    last: Explanation | None = None
    for step in explain_steps(model, content, task, label, seed=seed):
        if cancelled is not None and cancelled():
            raise CancelledError
        last = step or last
        if step is not None and emit is not None:
            emit(step)
    assert last is not None
    return last


def explain_steps(
    model: ExplainableModel, content: ItemContent, task: str, label: str, *, seed: int = 0
) -> Iterator[Explanation | None]:
    """Explain in steps of 100 ms or so: None after each, an `Explanation` where there is a better one, the final last.

    Whoever runs the steps may do something else between them, or stop.

    Raises:
        NotFoundError: the model has no such task or label.
    """
    lime = _Lime(Question.ask(model, content, task, label), seed)
    stages = STAGES if lime.image is not None else STAGES[:2]
    for number, (words, superpixels) in enumerate(stages, start=1):
        for sampler, samples in ((lime.text_sampler, words), (lime.image_sampler, superpixels)):
            if sampler is not None:
                yield from sampler.extend(samples)
        final = number == len(stages) or lime.unmoved
        yield lime.explanation(final=final)
        if final:
            return


class _Lime:
    """The two parts of one item and the answers collected about them."""

    def __init__(self, question: Question, seed: int) -> None:
        self._started = time.perf_counter()
        self._question, self._seed = question, seed
        model = question.model
        pixels = model.pixels(question.content)
        text_vector = model.text_vectors([model.text_of(question.content)])
        image_vector = (
            model.missing_image[None] if pixels is None else model.image_vectors(torch.from_numpy(pixels)[None])
        )
        model.remember(question.content, pixels, text_vector, image_vector)
        self._probability = float(question.answer(text_vector, image_vector)[0])
        text = TextPart(question, image_vector)
        self.text = text if text.features else None
        self.image = None if pixels is None else ImagePart(question, pixels, text_vector)
        words, superpixels = STAGES[-1]
        self.text_sampler = Sampler(text, words, seed) if text.features else None
        visible = self.image is not None and self.image.features
        self.image_sampler = Sampler(self.image, superpixels, seed) if self.image is not None and visible else None

    @property
    def unmoved(self) -> bool:
        """Whether nothing that was hidden so far moved the probability."""
        return all(sampler is None or sampler.unmoved for sampler in (self.text_sampler, self.image_sampler))

    def explanation(self, *, final: bool) -> Explanation:
        """What is known so far."""
        words = self.text_sampler.surrogate(TEXT_KERNEL_WIDTH) if self.text_sampler else None
        superpixels = self.image_sampler.surrogate(IMAGE_KERNEL_WIDTH) if self.image_sampler else None
        nothing = (0.0,)
        return Explanation(
            item=self._question.content.id,
            task=self._question.task,
            label=self._question.label,
            model=self._question.model.card.id,
            probability=self._probability,
            tokens=self.text.tokens(words.weights if words else nothing * self.text.features) if self.text else (),
            segments=self.image.segments(superpixels.weights if superpixels else nothing * self.image.features)
            if self.image
            else (),
            segment_map=self.image.segment_map() if self.image else None,
            samples=sum(sampler.samples for sampler in (self.text_sampler, self.image_sampler) if sampler),
            seed=self._seed,
            image_fit=superpixels.fit if superpixels else None,
            text_fit=words.fit if words else None,
            final=final,
            note=note(self.text, words, self.image, superpixels),
            seconds=time.perf_counter() - self._started,
        )
