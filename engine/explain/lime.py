"""LIME for an item's words and screenshot together: a first map at once, then better ones until they are stable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import closing
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.errors import CancelledError, InputError
from engine.explain.designs import check_seed
from engine.explain.image_part import ImagePart
from engine.explain.joint import Answers, Evidence, as_it_is, contexts_of
from engine.explain.model import ExplainableModel, Question
from engine.explain.notes import as_a_whole, note
from engine.explain.perturbed import Page, Perturbed, page_of
from engine.explain.projection import PER_WORD
from engine.explain.sampling import Sampler
from engine.explain.screenshot import seen
from engine.explain.shares import modality_share, region_shares
from engine.explain.surrogate import IMAGE_KERNEL_WIDTH, TEXT_KERNEL_WIDTH, Surrogate
from engine.explain.text_part import TextPart
from engine.explain.waiting import begun, beside
from engine.models.images import in_bytes
from engine.models.workers import one_core, waited
from engine.types import Explanation, ItemContent, Segment

STEP_IMAGE, STEP_TEXT = 32, 44
"""Further samples of a part before the next map."""
MOST_IMAGE, MOST_TEXT = 256, 384
"""Samples of each part after which the explanation is final, stable or not."""
UNMOVED_SAMPLES = 64
"""Nothing is said to make no difference after fewer."""
FEWEST = 16
STABLE_IMAGE, STABLE_TEXT = 0.999, 0.75
"""The explanation is final when the weights of another seed are expected to correlate this well with these: then the
five strongest words are as close to those that `lime` names after 5,000 samples as those after its 1,000 are, and
nearly all superpixels, also those that hardly weigh, come in the same order. Errors of words are on the safe side, most
so where a probability is nearly 0 or 1: what their halves agree on counts as well, which is on the safe side, too. On
twelve posts two seeds' weights of words that were final correlated 0.96 on average, and 0.82 at least.
"""


def explain(
    model: ExplainableModel,
    content: ItemContent,
    task: str,
    label: str,
    *,
    seed: int = 0,
    samples: int | None = None,
    emit: Callable[[Explanation], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Explanation:
    """The final explanation of why `model` gives `label` its probability; previews and it go to `emit`.

    One seed gives one answer (as long as the model computes in the same arithmetic). Weights of words and superpixels
    are on one scale, the change of the label's probability while some of everything else is hidden too. `samples` of
    each part are taken, or as many as it needs to be stable.

    Raises:
        NotFoundError: the model has no such task or label.
        InputError: `samples` are too few, `seed` is none, or the screenshot cannot be read any more.
        CancelledError: `cancelled` said so; it is asked every 100 ms or so.
    """
    last: Explanation | None = None
    with closing(explain_steps(model, content, task, label, seed=seed, samples=samples)) as steps:
        for step in steps:
            if cancelled is not None and cancelled():
                raise CancelledError
            last = step or last
            if step is not None and emit is not None:
                emit(step)
    assert last is not None
    return last


def explain_steps(
    model: ExplainableModel, content: ItemContent, task: str, label: str, *, seed: int = 0, samples: int | None = None
) -> Generator[Explanation | None, None, None]:
    """Explain in steps of 100 ms or so: None after each, an `Explanation` where there is a better one, the final last.

    Whoever runs the steps may do something else between them, or stop.

    Raises:
        NotFoundError: the model has no such task or label.
        InputError: `samples` are too few, `seed` is none, or the screenshot cannot be read any more.
    """
    check_seed(seed)
    if samples is not None and samples < FEWEST:
        raise InputError(f"{samples} samples tell nothing.", f"Take at least {FEWEST}.")
    with closing(_Lime(Question.ask(model, content, task, label), seed)) as lime:
        yield from lime.take_apart(samples)
        while True:
            yield from lime.look()
            final = lime.settled
            yield lime.explanation(final=final)
            if final:
                return


class _Side:
    """One part of the item, with what is known of it."""

    def __init__(
        self, question: Question, part: TextPart | ImagePart, seed: int, samples: int | None, *, alone: bool = False
    ) -> None:
        """`alone` says that nobody else wants the cores while this part's backbone is asked."""
        text = isinstance(part, TextPart)
        self.width = TEXT_KERNEL_WIDTH if text else IMAGE_KERNEL_WIDTH
        self.sampler = Sampler(part, part.design(samples or (MOST_TEXT if text else MOST_IMAGE), seed))
        self.answers = Answers(question, self.sampler, self.width, text=text)
        self.evidence = Evidence(surrogate=None)
        self._first = part.first
        self._second, self._step = (part.second, STEP_TEXT) if isinstance(part, TextPart) else (0, STEP_IMAGE)
        # Before, pairs of words are not looked at, and halves of the answers are too small to say how well they agree.
        self._fewest = max(PER_WORD * part.features, self._second) if text else 0
        self._enough = (STABLE_TEXT if text else STABLE_IMAGE) if samples is None else None
        self._ahead = (samples or self._second) if alone else 0
        self._all = 0 if text else len(self.sampler.design.masks)

    @property
    def surrogate(self) -> Surrogate | None:
        """None where hiding things makes no difference."""
        return self.evidence.surrogate

    @property
    def reliability(self) -> float | None:
        """How well halves of the samples agree."""
        return self.evidence.reliability

    @property
    def settled(self) -> bool:
        """Whether more samples would tell nothing new."""
        if self.sampler.samples >= len(self.sampler.design.masks):
            return True
        if self.surrogate is None:
            return self.sampler.samples >= UNMOVED_SAMPLES
        if self._enough is None or self.sampler.samples < self._fewest:
            return False
        return self._alike >= self._enough

    @property
    def _alike(self) -> float:
        """The correlation to be expected with another seed's weights; of words, what halves tell counts as well."""
        assert self.surrogate is not None
        told = likeness(self.surrogate)
        if self.reliability is None or not self._second or self.sampler.samples < self._second:
            return told
        return max(told, doubled(self.reliability))

    def extend(self) -> Iterator[None]:
        """Ask the backbone about the next rows: past the usual, ever more at a time, for a map of many takes long."""
        if self.sampler.samples == 0:
            whole = self.sampler.design.complete
            yield from self.sampler.extend(len(self.sampler.design.masks) if whole else self._first, self._ahead)
        elif not self.settled:
            further = max(self._step, (self.sampler.samples - MOST_TEXT) // 2)
            yield from self.sampler.extend(max(self._second, self.sampler.samples + further), self._all)


def likeness(surrogate: Surrogate) -> float:
    """The correlation to be expected between these weights and those of another seed, from their errors: the share of
    the weights' variance that is not noise.
    """
    variance = float(np.var(surrogate.weights))
    noise = float(np.mean(np.square(surrogate.errors)))
    return 1 - noise / variance if variance > noise else 0.0


def doubled(reliability: float) -> float:
    """The correlation to be expected of two wholes whose halves correlate so (Spearman 1910, "Correlation calculated
    from faulty data"; Brown 1910, "Some experimental results in the correlation of mental abilities").
    """
    return 2 * reliability / (1 + reliability) if reliability > 0 else 0.0


class _Lime:
    """The two parts of one item and the answers collected about them."""

    def __init__(self, question: Question, seed: int) -> None:
        self._started = time.perf_counter()
        self._question, self._seed = question, seed
        self._probability = math.nan
        self._without: dict[str, float] = {}
        self._text: TextPart | None = None
        self._image: ImagePart | None = None
        self._words: _Side | None = None
        self._superpixels: _Side | None = None

    def take_apart(self, samples: int | None) -> Iterator[None]:
        """Look at the whole item and find its words and superpixels."""
        question, model = self._question, self._question.model
        page = begun(partial(page_of, question.content)) if self._shows else None
        pixels = yield from beside(partial(seen, model, question.content))
        cutting = begun(partial(self._perturbed, pixels, page)) if pixels is not None and page is not None else None
        image_vector = model.missing_image[None] if pixels is None else (yield from self._seen(pixels))
        text = yield from beside(partial(TextPart, question, image_vector))
        if text.features:
            self._text, self._words = text, _Side(question, text, self._seed, samples, alone=pixels is None)
            yield from self._words.extend()
        text_vector = text.whole()
        model.remember(question.content, pixels, text_vector, image_vector)
        with one_core():  # the others may be at work on the words
            self._probability = float(question.answer(text_vector, image_vector)[0])
            self._without = self._one_missing(text_vector, image_vector)
        self._whole = as_it_is(text_vector), as_it_is(image_vector)
        yield
        if cutting is not None:
            self._image = ImagePart(question, (yield from waited(cutting)), text_vector)
            if self._image.features:
                self._superpixels = _Side(question, self._image, self._seed, samples)
        yield

    def _one_missing(self, text: Tensor, image: Tensor) -> dict[str, float]:
        """The label's probability without the screenshot ("image") and without the words ("text"), where there are."""
        model = self._question.model
        there = {"image": self._shows, "text": self._text is not None}
        pairs = {
            "image": (text, model.missing_image[None].to(image)),
            "text": (model.missing_text[None].to(text), image),
        }
        return {part: float(self._question.answer(*pairs[part])[0]) for part in there if there[part]}

    @property
    def _shows(self) -> bool:
        """Whether there is a screenshot, and a network for it."""
        return self._question.content.capture is not None and bool(len(self._question.model.missing_image))

    def _perturbed(self, pixels: npt.NDArray[np.float32], page: Future[Page]) -> Perturbed:
        """For a thread of its own, which may wait for the one that reads the page."""
        return Perturbed(self._question, pixels, page=page.result())

    def _seen(self, pixels: npt.NDArray[np.float32]) -> Generator[None, None, Tensor]:
        """What the image backbone gives of the whole screenshot, (1, Di)."""
        model = self._question.model
        if not model.packs_images:
            return model.image_vectors(torch.from_numpy(pixels)[None])
        square = in_bytes(pixels.transpose(1, 2, 0))
        with closing(model.square_vectors_in_turn([lambda: [square]])) as in_turn:
            while (found := next(in_turn)) is None:
                yield
        return found

    def close(self) -> None:
        """Ask about nothing any more."""
        for side in (self._words, self._superpixels):
            if side is not None:
                side.sampler.close()

    @property
    def settled(self) -> bool:
        """Whether more samples would tell nothing new."""
        return all(side is None or side.settled for side in (self._words, self._superpixels))

    def look(self) -> Iterator[None]:
        """Ask about some more versions of what is not settled."""
        words, superpixels = self._words, self._superpixels
        for side in (words, superpixels):
            if side is not None and side.answers.samples == side.sampler.samples:
                yield from side.extend()
        for side, other, whole in ((words, superpixels, self._whole[1]), (superpixels, words, self._whole[0])):
            if side is not None:
                contexts = whole if other is None else contexts_of(other.sampler, other.width)
                yield from side.answers.extend(contexts)
                side.evidence = side.answers.evidence()

    def explanation(self, *, final: bool) -> Explanation:
        """What is known so far."""
        words = self._words.surrogate if self._words else None
        superpixels = self._superpixels.surrogate if self._superpixels else None
        sides = {"image": self._superpixels, "text": self._words}
        segments = self._segments(superpixels)
        segment_map = self._image.segment_map() if self._image else None
        return Explanation(
            item=self._question.content.id,
            task=self._question.task,
            label=self._question.label,
            model=self._question.model.card.id,
            probability=self._probability,
            tokens=self._text.tokens(*_columns(words, self._text.features)) if self._text else (),
            segments=segments,
            segment_map=segment_map,
            samples=sum(side.sampler.samples for side in sides.values() if side),
            seed=self._seed,
            image_fit=superpixels.fit if superpixels else None,
            text_fit=words.fit if words else None,
            final=final,
            note=note(
                self._text, words, self._image, superpixels, final=final, wholes=self._wholes(superpixels, words)
            ),
            seconds=time.perf_counter() - self._started,
            reliability={
                name: value for name, side in sides.items() if side and (value := side.reliability) is not None
            },
            modality_share=self._modality_share(superpixels, words),
            region_share=region_shares(self._question.content, self._image, segments),
        )

    def _wholes(self, superpixels: Surrogate | None, words: Surrogate | None) -> dict[str, str]:
        """What is to be said of parts that count as a whole."""
        weights = {"image": superpixels, "text": words}
        found = {
            part: as_a_whole(
                part,
                self._probability,
                without,
                sum(own.weights) if (own := weights[part]) is not None else 0.0,
                one_colour=part == "image" and self._image is not None and not self._image.features,
            )
            for part, without in self._without.items()
        }
        return {part: sentence for part, sentence in found.items() if sentence}

    def _modality_share(self, superpixels: Surrogate | None, words: Surrogate | None) -> dict[str, float]:
        if self._image is None or self._text is None or not self._image.features:
            return {}  # what could not be asked about has no share that is known
        return modality_share(_columns(superpixels, self._image.features), _columns(words, self._text.features))

    def _segments(self, superpixels: Surrogate | None) -> tuple[Segment, ...]:
        if self._image is None:
            return ()
        return self._image.segments(*_columns(superpixels, self._image.features))


def _columns(surrogate: Surrogate | None, features: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Weights and errors; zeros where nothing makes a difference."""
    if surrogate is None:
        return (0.0,) * features, (0.0,) * features
    return surrogate.weights, surrogate.errors
