"""Choosing arithmetic with fewer bits, but only after it gave the same verdicts on real items."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.models.encoders import (
    Encoders,
    has_bf16,
    has_int8,
    with_bf16_image,
    with_bf16_text,
    with_int8_image,
)
from engine.models.registry import text_backbone
from engine.models.scorer import Scorer, Tables
from engine.models.spec import HeadSpec
from engine.models.verdicts import THRESHOLD

PROBE_ITEMS = 200
"""So many items are scored in full precision before anything faster is tried on the same items."""
LEAST_OF_A_PART = 32
"""A backbone keeps full precision if fewer probe items than this had something for it to read."""
AGREEMENT = 0.995
DIFFERENCE = 0.01
_CALIBRATION_ITEMS = 64

_log = logging.getLogger(__name__)


class Probe:
    """The first items of a job with their full-precision probabilities."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.squares: list[NDArray[np.uint8] | None] = []
        self._tables: list[Tables] = []

    @property
    def full(self) -> bool:
        """Whether there is enough to judge by."""
        return len(self.texts) >= PROBE_ITEMS

    @property
    def tables(self) -> Tables:
        """The full-precision probabilities of all items so far."""
        return _joined(self._tables)

    def add(self, texts: list[str], squares: list[NDArray[np.uint8] | None], tables: Tables) -> None:
        """Take in scored items."""
        self.texts += texts
        self.squares += squares
        self._tables.append(tables)


class Check:
    """Looks for the fastest encoders that this CPU has and whose verdicts agree with full precision on a full probe.

    Agreement: in every task at least 99.5 % of the answers are the same (one an item, or in a multi-label task a yes or
    no for each label) and probabilities differ by less than 0.01 on average. Works in steps, so that a reviewer's
    question between two of them does not wait for all of it.
    """

    def __init__(self, full: Scorer, probe: Probe) -> None:
        self._full = full
        self._probe = probe
        self._candidates = _candidates(full, probe)
        self._candidate: Encoders | None = None
        self._tables: list[Tables] = []
        self._done = 0

    def step(self, items: int) -> Encoders | None:
        """Score that many more items of the probe. None while it is undecided."""
        if self._candidate is None:
            self._candidate = next(self._candidates, self._full.encoders)
        if self._candidate is self._full.encoders:
            return self._candidate
        part = slice(self._done, self._done + items)
        self._tables.append(
            self._full.using(self._candidate).tables(self._probe.texts[part], self._probe.squares[part])
        )
        self._done += items
        return self._judged(self._candidate) if self._done >= len(self._probe.texts) else None

    def _judged(self, candidate: Encoders) -> Encoders | None:
        reference, found = self._probe.tables, _joined(self._tables)
        same = all(agrees(reference[head.task], found[head.task], head) for head in self._full.network.spec.heads)
        _log.info("%s %s on %d items", candidate.name, "agrees" if same else "does not agree", len(self._probe.texts))
        self._candidate, self._tables, self._done = None, [], 0
        return candidate if same else None


def agrees(reference: NDArray[np.float64], other: NDArray[np.float64], head: HeadSpec) -> bool:
    """Whether two (n, L) tables of probabilities say the same, as `Check` means it."""
    if head.multi:
        same = (reference >= THRESHOLD) == (other >= THRESHOLD)
    else:
        same = reference.argmax(axis=1) == other.argmax(axis=1)
    return bool(same.mean() >= AGREEMENT and np.abs(reference - other).mean() < DIFFERENCE)


def _candidates(full: Scorer, probe: Probe) -> Iterator[Encoders]:
    """Fastest first; each is built only when the ones before it failed."""
    if full.device.type != "cpu":
        return
    text = with_bf16_text(full.encoders, full.network) if _text_gains(full, probe) else full.encoders
    if _image_gains(full, probe):
        if has_int8():
            yield with_int8_image(text, full.network, full.normalised(_calibration(probe)))
        if has_bf16():
            yield with_bf16_image(text, full.network)
    if text is not full.encoders:
        yield text


def _joined(tables: list[Tables]) -> Tables:
    return {task: np.concatenate([part[task] for part in tables]) for task in tables[0]}


def _text_gains(full: Scorer, probe: Probe) -> bool:
    """Backbones that are trained here from nothing are too small to gain anything."""
    if not text_backbone(full.network.spec.text.backbone).encoder or not has_bf16():
        return False
    return sum(bool(text.strip()) for text in probe.texts) >= LEAST_OF_A_PART


def _image_gains(full: Scorer, probe: Probe) -> bool:
    return full.network.image is not None and len(_calibration(probe)) >= LEAST_OF_A_PART


def _calibration(probe: Probe) -> list[NDArray[np.uint8]]:
    """Screenshots spread over the probe."""
    seen = [square for square in probe.squares if square is not None]
    return seen[:: max(1, len(seen) // _CALIBRATION_ITEMS)][:_CALIBRATION_ITEMS]
