"""Which items train, which validate and which test: by group, stratified, and stable from run to run."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.types import Struct, TrainingItem

TRAIN, VAL, TEST = "train", "val", "test"
SPLITS = (TRAIN, VAL, TEST)
MINIMUM_TRAIN = 0.5
_Floats = NDArray[np.float64]


class Splits(Struct, frozen=True, kw_only=True):
    """Every item's split by id, and the groups whose items came in on several sides and were moved to train.

    Groups are those of `engine.similarity.grouped`: an author's items and near-duplicates.
    """

    of: dict[str, str]
    moved: tuple[str, ...] = ()

    def pick(self, items: Sequence[TrainingItem], split: str) -> list[TrainingItem]:
        """Return the items of one split, in their order."""
        return [item for item in items if self.of[item.content.id] == split]

    def counts(self) -> dict[str, int]:
        """Return how many items each split has."""
        sides = list(self.of.values())
        return {split: sides.count(split) for split in SPLITS}


def assign_splits(items: Sequence[TrainingItem], *, val: float = 0.15, test: float = 0.15, seed: int = 0) -> Splits:
    """Put every group of items on one side, keeping the sides' sizes and label shares near what is asked.

    A group that already has a side keeps it, so that what a model was once tested on never trains a later one. A group
    that came in on several sides goes to train: its held-out items would measure nothing. The other groups are placed
    one by one, largest first, where the chi-squared distance between the wanted and the actual label counts grows
    least: the greedy rule of iterative stratification (Sechidis et al. 2011, section 3) over whole groups. At least
    half of what is new trains, so that an import without a test side does not swallow the reviewers' next answers.
    Depends on the items and the seed only, not on their order.
    """
    groups = _groups(items)
    sides, moved = _fixed_sides(items)
    order = _order(groups, set(sides), seed)
    columns = _columns(items)
    weights = {name: _label_counts(members, columns) for name, members in groups.items()}
    fixed = np.zeros((len(SPLITS), len(columns)))
    for name, side in sides.items():
        fixed[SPLITS.index(side)] += weights[name]
    new = np.sum([weights[name] for name in order], axis=0) if order else np.zeros(len(columns))
    wanted = _wanted(np.array((1 - val - test, val, test)), fixed, new)
    placed = np.zeros_like(fixed)
    for name in order:
        best = _cheapest(weights[name], placed, wanted)
        placed[best] += weights[name]
        sides[name] = SPLITS[best]
    return Splits(of={item.content.id: sides[item.group] for item in items}, moved=moved)


def _wanted(shares: _Floats, fixed: _Floats, new: _Floats) -> _Floats:
    """Return how much of `new` (C,) each side should get (3, C): what it lacks, at least half to train."""
    lacking = np.clip(np.outer(shares, fixed.sum(axis=0) + new) - fixed, 0, None)
    share = 0.9 * lacking / np.maximum(lacking.sum(axis=0), 1e-9) + 0.1 * shares[:, None]
    train = np.maximum(share[0], MINIMUM_TRAIN)
    held_out = share[1:] * (1 - train) / np.maximum(share[1:].sum(axis=0), 1e-9)
    wanted: _Floats = np.vstack([train, held_out]) * np.maximum(new, 1e-6)
    return wanted


def _groups(items: Sequence[TrainingItem]) -> dict[str, list[TrainingItem]]:
    groups: defaultdict[str, list[TrainingItem]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    return dict(groups)


def _fixed_sides(items: Sequence[TrainingItem]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the side of every group that has one, and the groups that had several."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        if item.split in SPLITS:
            seen[item.group].add(item.split)
    moved = tuple(sorted(name for name, sides in seen.items() if len(sides) > 1))
    return {name: TRAIN if len(sides) > 1 else min(sides) for name, sides in seen.items()}, moved


def _columns(items: Sequence[TrainingItem]) -> dict[tuple[str, str], int]:
    """Number what is to be balanced: the items themselves (the empty task), then every answer to every task."""
    answers = {(task, label) for item in items for task, labels in item.labels.items() for label in labels}
    return {answer: place for place, answer in enumerate([("", ""), *sorted(answers)])}


def _label_counts(members: Sequence[TrainingItem], columns: Mapping[tuple[str, str], int]) -> _Floats:
    counts = np.zeros(len(columns))
    counts[0] = len(members)
    for item in members:
        for task, labels in item.labels.items():
            for label in labels:
                counts[columns[task, label]] += 1
    return counts


def _order(groups: Mapping[str, Sequence[TrainingItem]], fixed: set[str], seed: int) -> list[str]:
    """Return the groups to place, largest first, equal ones shuffled by the seed."""

    def shuffled(name: str) -> str:
        return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()

    return sorted(set(groups) - fixed, key=lambda name: (-len(groups[name]), shuffled(name)))


def _cheapest(weight: _Floats, placed: _Floats, wanted: _Floats) -> int:
    """Return the side where adding the group raises the sum of (placed - wanted)² / wanted least."""
    possible = wanted[:, 0] > 1e-9
    rise = np.full(len(SPLITS), np.inf)
    gap = placed[possible] - wanted[possible]
    rise[possible] = ((2 * gap * weight + weight**2) / wanted[possible]).sum(axis=1)
    return int(rise.argmin())
