"""An item's words as features of an explanation: a word is hidden by deleting it from the raw text, as LIME does."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from itertools import chain

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.explain.designs import MOST_LISTED, Design, listed, thinned
from engine.explain.model import Question, Values
from engine.explain.sampling import Answer, in_batches
from engine.explain.surrogate import Masks
from engine.explain.words import words_of
from engine.models.encoders import BF16, FP32, INT8
from engine.models.registry import CNN, MINILM, text_backbone
from engine.models.spec import TextSpec
from engine.models.text import fields_of
from engine.types import TokenWeight

GPU_BATCH, CNN_BATCH = 128, 32
"""How many texts are encoded before the next look at whether somebody else waits."""
TOKENS = {INT8: (500, 240), BF16: (300, 96), FP32: (150, 48)}
"""So many tokens a core of MiniLM, and of an encoder of BERT-base's size: 80 ms or so at most."""
PACKED = (1000, 250)
"""The same where texts share rows (`engine.models.packed_text`): a run of the encoder of BERT-base's size takes 256."""
TOKENS_OF_A_WORD, SPECIAL_TOKENS = 1.5, 2
FIRST_OF_ENCODER, FIRST = 20, 64
"""Samples before the first map, which is not to wait for an encoder."""
SECOND = 130
"""Samples before the second map: before, few words are told from chance, and a map takes its time, too. From 130 on the
five strongest words are as close to those that `lime` names after 5,000 samples as those after its 1,000 are: with
MiniLM on 120 posts of about 40 tokens 0.903 of them against 0.904 (0.893 with 104).
"""
ROOM = 12
"""Where texts fill runs of the encoder, so many more at most are asked about on average than must be."""
MOST_FEATURES = 64
"""Neighbouring words of a text with more different ones than this are weighed together."""


class _Place(msgspec.Struct, frozen=True):
    """A word's offsets in its field and in the raw text, and which feature it is."""

    field: str
    start: int
    end: int
    text: str
    at: int
    feature: int


class TextPart:
    """The words of one item. All occurrences of a word are one feature, hidden together, as in `lime_text`.

    In a text of more than `MOST_FEATURES` different words a feature is a stretch of `together` neighbouring words
    (the last one may be shorter); `together` is 1 otherwise.
    """

    def __init__(self, question: Question, image_vector: Tensor) -> None:
        self._question = question
        self._image_vector = image_vector
        self._raw = question.model.text_of(question.content)
        self._whole: Tensor | None = None
        self._places = _places(question, self._raw)
        self.features = 1 + max((place.feature for place in self._places), default=-1)
        self.together = 1
        if self.features > MOST_FEATURES:
            self.together = -(-len(self._places) // MOST_FEATURES)
            self._places = [
                msgspec.structs.replace(place, feature=number // self.together)
                for number, place in enumerate(self._places)
            ]
            self.features = self._places[-1].feature + 1
        self._pieces = _pieces(self._places, self._raw)
        self._features_of_words = [place.feature for place in self._places]

    @property
    def first(self) -> int:
        """Samples before the first map."""
        return FIRST_OF_ENCODER if _encoder(self._question) else FIRST

    @property
    def second(self) -> int:
        """Samples before the second map, at least."""
        return SECOND - ROOM if self._question.model.packs_texts else SECOND

    def design(self, samples: int, seed: int) -> Design:
        """Which words to hide together, at most `samples` times."""
        if self.features <= MOST_LISTED:
            return listed(self.features)
        return _thinned(samples, self.features, seed)

    @property
    def cut(self) -> bool:
        """Whether the model reads only the beginning of the whole text."""
        return not self._question.model.reads_all(self._raw)

    def without(self, kept: npt.NDArray[np.bool_]) -> str:
        """The raw text with only the features that `kept` keeps, (features,)."""
        return "".join(piece for piece, feature in self._pieces if feature < 0 or kept[feature])

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in small batches of similar length."""
        kept = masks[:, self._features_of_words].sum(axis=1)
        order = np.argsort(kept, kind="stable")
        if self._question.model.packs_texts:
            tokens = _tokens(kept[order], self._question)
            started = _tokens(np.array([len(self._places)]), self._question).sum() if self._whole is None else 0.0
            batch = np.cumsum(tokens) + started
            yield from _split(order, batch // (_share(PACKED, self._question) * torch.get_num_threads()))
            return
        fits, start = _batch_size(self._question), 0
        while start < len(order):
            end = start + 1
            while end < len(order) and end - start < fits(int(kept[order[end]])):
                end += 1
            yield order[start:end]
            start = end

    def answers(self, masks: Masks, stops: Sequence[int]) -> Generator[Answer, None, None]:
        """The vectors of the rows before the first stop, and where texts share rows of the encoder of those before each
        other one and of as many more as fill its runs.
        """
        if not self._question.model.packs_texts:
            yield from in_batches(self, masks[: stops[0]])
            return
        whole = [self._raw] if self._whole is None else []
        texts, start = chain(whole, map(self.without, masks)), 0
        with closing(
            self._question.model.text_vectors_in_turn(texts, [stop + len(whole) for stop in stops])
        ) as in_turn:
            for found in in_turn:
                if found is None:
                    yield None
                    continue
                own = 0
                if self._whole is None:
                    self._whole, own = found[:1], 1
                yield np.arange(start, start + len(found) - own), found[own:]
                start += len(found) - own

    def vectors(self, masks: Masks) -> Tensor:
        """What the text backbone gives of every row, (n, Dt)."""
        texts = [self.without(row) for row in masks]
        if self._whole is not None:
            return self._question.model.text_vectors(texts)
        vectors = self._question.model.text_vectors([self._raw, *texts])
        self._whole = vectors[:1]
        return vectors[1:]

    def whole(self) -> Tensor:
        """What the text backbone gives of the whole text, (1, Dt), which came with the first rows if any were asked."""
        if self._whole is None:
            self._whole = self._question.model.text_vectors([self._raw])
        return self._whole

    def answer(self, vectors: Tensor) -> Values:
        """The explained label's probability, (n,), for (n, Dt) vectors, the screenshot being as it is."""
        return self._question.answer(vectors, self._image_vector)

    def tokens(self, weights: Sequence[float], errors: Sequence[float]) -> tuple[TokenWeight, ...]:
        """Every word with the weight of its feature and its error, in reading order."""
        return tuple(
            TokenWeight(
                field=place.field,
                start=place.start,
                end=place.end,
                text=place.text,
                weight=weights[place.feature],
                error=errors[place.feature],
                group=place.feature if self.together > 1 else None,
            )
            for place in self._places
        )


@lru_cache(maxsize=32)
def _thinned(samples: int, features: int, seed: int) -> Design:
    """Texts of as many words are asked about in the same way."""
    return thinned(samples, features, np.random.RandomState(seed))


def _places(question: Question, raw: str) -> list[_Place]:
    """The words in reading order; the same words are the same feature."""
    features: dict[str, int] = {}
    return [
        _Place(
            span.field,
            word.start,
            word.end,
            word.text,
            span.start + word.start,
            features.setdefault(word.text, len(features)),
        )
        for span in fields_of(question.content)
        for word in words_of(raw[span.start : span.end])
    ]


def _pieces(places: Sequence[_Place], raw: str) -> list[tuple[str, int]]:
    """The raw text in pieces with their feature (-1 between words)."""
    pieces: list[tuple[str, int]] = []
    position = 0
    for place in places:
        pieces += [(raw[position : place.at], -1), (place.text, place.feature)]
        position = place.at + len(place.text)
    return [*pieces, (raw[position:], -1)]


def _batch_size(question: Question) -> Callable[[int], int]:
    """How many texts of at most so many words make a batch."""
    name = question.model.device_name
    if name.startswith("CUDA") or not _encoder(question):
        size = GPU_BATCH if name.startswith("CUDA") else CNN_BATCH
        return lambda _words: size
    arithmetic = next((one for one in (INT8, BF16) if name.endswith((f"{one} text", f", {one}"))), FP32)
    tokens = _share(TOKENS[arithmetic], question) * torch.get_num_threads()
    return lambda words: max(1, int(tokens / _tokens(np.array(words), question)))


def _tokens(words: npt.NDArray[np.int_], question: Question) -> npt.NDArray[np.float64]:
    """About so many tokens texts of so many words have."""
    most = question.model.card.network.get("text", {}).get("max_tokens", TextSpec().max_tokens)
    found: npt.NDArray[np.float64] = np.minimum(most, TOKENS_OF_A_WORD * words + SPECIAL_TOKENS)
    return found


def _share(tokens: tuple[int, int], question: Question) -> int:
    return tokens[0 if _backbone(question) == MINILM else 1]


def _split(order: npt.NDArray[np.intp], batch: npt.NDArray[np.float64]) -> Iterator[npt.NDArray[np.intp]]:
    """`order` in parts of equal numbers in `batch`, which grow."""
    yield from np.split(order, np.flatnonzero(np.diff(batch)) + 1)


def _encoder(question: Question) -> bool:
    return text_backbone(_backbone(question)).encoder


def _backbone(question: Question) -> str:
    name: str = question.model.card.network.get("text", {}).get("backbone", CNN)
    return name
