"""Choosing arithmetic with fewer bits, but only after it gave the same verdicts on real items."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models import likeness
from engine.models.backbones import HuggingFaceEncoder
from engine.models.bulk import runtime
from engine.models.bulk.loading import resnet_of
from engine.models.encoders import (
    BF16,
    FP32,
    INT8,
    Encoders,
    int8_shape,
    with_bf16_image,
    with_bf16_text,
    with_int8_image,
    with_int8_text,
    with_packed_image,
)
from engine.models.int8 import Calibration, Int8ResNet
from engine.models.likeness import Likeness, alike
from engine.models.processor import has_bf16, has_int8
from engine.models.proof import Ranges
from engine.models.registry import text_backbone
from engine.models.scorer import Scorer

LEAST_OF_A_PART = 32
"""A backbone keeps full precision if fewer probe items than this had something for it to read."""
_CALIBRATION_ITEMS, _CALIBRATED_AT_ONCE = 64, 4
_CHECKED_BESIDE = 8
"""Calibrating with so many in floats takes as long as checking these in integers."""

_log = logging.getLogger(__name__)


class Probe:
    """The first items of a job with what full precision says of them.

    Where they are fewer than it takes, `whole` of them are followed by versions of them, and must agree by themselves.
    """

    def __init__(self, whole: int | None = None) -> None:
        self.whole = whole
        self.texts: list[str] = []
        self.kinds: list[str] = []
        self.squares: list[NDArray[np.uint8] | None] = []
        self._text: list[Tensor] = []
        self._image: list[Tensor] = []

    @property
    def full(self) -> bool:
        """Whether there is enough to judge by."""
        return len(self.texts) >= likeness.PROBE_ITEMS

    @property
    def vectors(self) -> tuple[Tensor, Tensor]:
        """The full-precision (n, Dt) and (n, Di) vectors of all items so far."""
        return torch.cat(self._text), torch.cat(self._image)

    def add(
        self, texts: list[str], kinds: list[str], squares: list[NDArray[np.uint8] | None], text: Tensor, image: Tensor
    ) -> None:
        """Take in items with their vectors."""
        self.texts += texts
        self.kinds += kinds
        self.squares += squares
        self._text.append(text)
        self._image.append(image)


@dataclass(frozen=True)
class Choice:
    """The encoders that a check came to, and how alike their answers on so many `items` were, per task.

    Those of full precision where nothing faster is there or gives the same verdicts: that is kept, too, so that it is
    not looked for again every time. `items` is 0 where a backbone had too few to read: others may tell more.
    """

    encoders: Encoders
    items: int
    likeness: dict[str, Likeness]

    @property
    def ways(self) -> tuple[str, str]:
        """The names of the arithmetics of text and image."""
        return self.encoders.text_name, self.encoders.image_name

    @property
    def ranges(self) -> Ranges:
        """What the image encoder's calibration found; nothing where it had none."""
        return self.encoders.ranges


class Check:
    """Looks for the fastest encoders that this CPU has and whose verdicts agree with full precision on a full probe.

    Agreement: in every task at least 99.5 % of the answers are the same (one an item that the task applies to, or in a
    multi-label task a yes or no for each label) and probabilities differ by less than 0.01 on average. Works
    in steps, so that a reviewer's question between two of them does not wait for all of it. Each backbone looks at the
    probe once in each arithmetic, whatever it is then paired with. `reference` is what full precision says.
    """

    def __init__(self, full: Scorer, probe: Probe) -> None:
        self._full = full
        self._probe = probe
        self._pairs = _pairs(full, probe)
        self._making: dict[tuple[str, str], Iterator[Encoders | None]] = {}
        self._made: dict[tuple[str, str], Encoders] = {}
        text, image = probe.vectors
        self._seen: dict[tuple[str, str], list[Tensor]] = {("text", FP32): [text], ("image", FP32): [image]}
        self.reference = full.tables_of(text, image)

    def step(self, items: int) -> Choice | None:
        """Look at that many more items of the probe in one arithmetic. None while it is undecided."""
        while self._pairs:
            parts = _named(self._pairs[0])
            unseen = [one for one in parts if not self._complete(*one)]
            for part, way in unseen:
                if self._make(part, way, items):
                    self._look(part, way, items)
            if not all(self._complete(*one) for one in parts):
                return None
            choice = self._judged(*self._pairs[0])
            if choice is not None:
                return choice
            self._pairs.pop(0)
            if unseen:
                return None
        same = {head.task: Likeness(1.0, 0.0) for head in self._full.network.spec.heads}
        return Choice(
            self._full.encoders, len(self._probe.texts) if _reads_enough(self._full, self._probe) else 0, same
        )

    def _complete(self, part: str, way: str) -> bool:
        return sum(map(len, self._seen.get((part, way), []))) >= len(self._probe.texts)

    def _look(self, part: str, way: str, items: int) -> None:
        seen = self._seen.setdefault((part, way), [])
        start = sum(map(len, seen))
        at = slice(start, start + items)
        scorer = self._full.using(self._encoders(part, way))
        if part == "text":
            seen.append(scorer.text_vectors(self._probe.texts[at]))
        else:
            seen.append(scorer.square_vectors(self._probe.squares[at]))

    def _encoders(self, part: str, way: str) -> Encoders:
        """Full precision but for one part, once that is made."""
        return self._full.encoders if way == FP32 else self._made[part, way]

    def _make(self, part: str, way: str, items: int) -> bool:
        """Go on with the encoders that have one part in fewer bits, for as long as to look at so many items; return
        whether they are there.
        """
        if way == FP32 or (part, way) in self._made:
            return True
        steps = self._making.setdefault((part, way), _making(part, way, self._full, self._probe))
        for made in islice(steps, max(1, items // _CHECKED_BESIDE)):
            if made is not None:
                self._made[part, way] = made
                return True
        return False

    def _judged(self, text: str, image: str) -> Choice | None:
        found = self._full.tables_of(torch.cat(self._seen["text", text]), torch.cat(self._seen["image", image]))
        heads, kinds = self._full.network.spec.heads, self._probe.kinds
        alikeness = {head.task: alike(self.reference[head.task], found[head.task], head, kinds) for head in heads}
        own = slice(self._probe.whole)
        on_items = [alike(self.reference[one.task][own], found[one.task][own], one, kinds[own]) for one in heads]
        one, other = self._encoders("text", text), self._encoders("image", image)
        encoders = replace(
            one, image=other.image, image_name=other.image_name, squares=other.squares, ranges=other.ranges
        )
        same = all(one.enough for one in [*alikeness.values(), *on_items])
        _log.info("%s %s on %d items", encoders.name, "agrees" if same else "does not agree", len(self._probe.texts))
        return Choice(encoders, len(self._probe.texts), alikeness) if same else None


def _named(pair: tuple[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("text", pair[0]), ("image", pair[1])


def _making(part: str, way: str, full: Scorer, probe: Probe) -> Iterator[Encoders | None]:
    """Full precision but for one part, at the end; None after each small step that leads there."""
    network = full.network
    if (part, way) == ("image", INT8):
        yield from _making_int8_image(full, probe)
    elif (part, way) == ("text", INT8):
        shape = int8_shape(network)
        assert shape is not None
        assert isinstance(network.text, HuggingFaceEncoder)
        yield with_int8_text(full.encoders, network, shape, network.text.encoder.state_dict())
    elif part == "text":
        yield with_bf16_text(full.encoders, network)
    else:
        yield with_bf16_image(full.encoders, network)


def _making_int8_image(full: Scorer, probe: Probe) -> Iterator[Encoders | None]:
    network = full.network
    assert network.image is not None
    tensors, squares = network.image.state_dict(), _calibration(probe)
    calibration = Calibration(tensors)
    for start in range(0, len(squares), _CALIBRATED_AT_ONCE):
        calibration.see(full.normalised(squares[start : start + _CALIBRATED_AT_ONCE]))
        yield None
    ranges = calibration.ranges
    if not runtime.usable():
        yield with_int8_image(full.encoders, network, Int8ResNet(tensors, ranges))
        return
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    yield with_packed_image(full.encoders, resnet_of(arrays, ranges, network.spec), ranges)


def _pairs(full: Scorer, probe: Probe) -> list[tuple[str, str]]:
    """The arithmetic of both parts, fastest pairs first, without the one that is full precision in both."""
    if full.device.type != "cpu":
        return []
    texts, images = [*_text_ways(full, probe), FP32], [*_image_ways(full, probe), FP32]
    pairs = sorted(product(texts, images), key=lambda pair: texts.index(pair[0]) + images.index(pair[1]))
    return [pair for pair in pairs if pair != (FP32, FP32)]


def _text_ways(full: Scorer, probe: Probe) -> Iterator[str]:
    """Backbones that are trained here from nothing are too small to gain anything."""
    if not _has_encoder(full) or not _reads_texts(probe):
        return
    if has_int8() and int8_shape(full.network) is not None:
        yield INT8
    if has_bf16():
        yield BF16


def _image_ways(full: Scorer, probe: Probe) -> Iterator[str]:
    if full.network.image is None or not _sees_screenshots(probe):
        return
    if has_int8():
        yield INT8
    if has_bf16():
        yield BF16


def _reads_enough(full: Scorer, probe: Probe) -> bool:
    texts = not _has_encoder(full) or _reads_texts(probe)
    return texts and (full.network.image is None or _sees_screenshots(probe))


def _has_encoder(full: Scorer) -> bool:
    return text_backbone(full.network.spec.text.backbone).encoder


def _reads_texts(probe: Probe) -> bool:
    return sum(bool(text.strip()) for text in probe.texts[: probe.whole]) >= LEAST_OF_A_PART


def _sees_screenshots(probe: Probe) -> bool:
    return sum(square is not None for square in probe.squares[: probe.whole]) >= LEAST_OF_A_PART


def _calibration(probe: Probe) -> list[NDArray[np.uint8]]:
    """Screenshots spread over the probe."""
    seen = [square for square in probe.squares if square is not None]
    return seen[:: max(1, len(seen) // _CALIBRATION_ITEMS)][:_CALIBRATION_ITEMS]
