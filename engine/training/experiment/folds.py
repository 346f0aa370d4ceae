"""Which items train, which stop the training and which are measured: the data's own split, or grouped k-fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from engine.errors import InputError
from engine.training.device import derived_seed
from engine.training.splits import TEST, TRAIN, VAL, Splits, assign_splits
from engine.types import TrainingItem

FIXED = "fixed"


@dataclass(frozen=True)
class Fold:
    """One way to divide a data set. No item is on both sides.

    `train` is all that a row may learn from, `test` what it is measured on. `stop` is given where the data has a split
    for stopping and calibrating of its own; else `sides` takes it out of `train`.
    """

    name: str
    train: tuple[TrainingItem, ...]
    test: tuple[TrainingItem, ...]
    stop: tuple[TrainingItem, ...] = ()

    def sides(self, share: float, seed: int) -> tuple[list[TrainingItem], Splits]:
        """Return what a network may see and which of it trains and which validates (`share` of `train`, by groups)."""
        if self.stop:
            of = {item.content.id: TRAIN for item in self.train} | {item.content.id: VAL for item in self.stop}
            return [*self.train, *self.stop], Splits(of=of)
        free = [msgspec.structs.replace(item, split="") for item in self.train]
        return list(self.train), assign_splits(free, val=share, test=0.0, seed=seed)


def fixed_fold(items: Sequence[TrainingItem]) -> Fold:
    """Return the split that the data came with.

    With train, val and test: val stops the training, test is measured. With two of them, the later one is measured.

    Raises:
        InputError: the data has no such split.
    """
    sides = {split: tuple(item for item in items if item.split == split) for split in (TRAIN, VAL, TEST)}
    if not sides[TRAIN] or not (sides[VAL] or sides[TEST]):
        raise InputError(
            "The data has no fixed split: no item is marked train, or none val or test.", "Use --folds 5 instead."
        )
    if sides[VAL] and sides[TEST]:
        return Fold(FIXED, sides[TRAIN], sides[TEST], stop=sides[VAL])
    return Fold(FIXED, sides[TRAIN], sides[TEST] or sides[VAL])


def grouped_folds(items: Sequence[TrainingItem], folds: int, seed: int) -> list[Fold]:
    """Return k folds over all items, stratified by label, no group on both sides.

    Raises:
        InputError: there are fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [item.group for item in items]
    if len(set(groups)) < folds:
        raise InputError(
            f"{len(set(groups))} groups (authors or texts) are too few for {folds} folds.", "Ask for fewer folds."
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=derived_seed(seed, "folds") % 2**32)
    found: list[Fold] = []
    for number, (train, test) in enumerate(splitter.split(np.zeros(len(items)), strata(items, folds), groups), start=1):
        sides = [tuple(items[row] for row in rows) for rows in (train, test)]
        found.append(Fold(f"{number}-of-{folds}", sides[0], sides[1]))
    return found


def relatives(fold: Fold, items: Sequence[TrainingItem]) -> int:
    """Return how many measured items have one of their group on the training side; `items` name the groups."""
    groups = {item.content.id: item.group for item in items}
    known = {groups[item.content.id] for item in (*fold.train, *fold.stop)}
    return sum(groups[item.content.id] in known for item in fold.test)


def strata(items: Sequence[TrainingItem], folds: int) -> list[str]:
    """Return what the folds should have equal shares of: each item's first task and its answer to it.

    Answers of fewer items than folds cannot be shared out; they count as the most frequent one.
    """
    found = [next(f"{task}={'+'.join(labels)}" for task, labels in item.labels.items()) for item in items]
    counts = Counter(found)
    commonest = max(counts, key=lambda one: (counts[one], one))
    return [one if counts[one] >= folds else commonest for one in found]
