"""What a split that knows nothing of authors and near-duplicates would have scored: the peer's row on both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.experiment.folds import NAIVE, Fold
from engine.training.experiment.records import Record
from engine.types import Struct, TrainingItem


class Leak(Struct, frozen=True, kw_only=True):
    """The mean macro-F1 of one row on folds without regard to groups, and on the folds of the table (same seed).

    `shared` is how many measured items of the naive folds have one of their group on the training side, of `items`.
    """

    row: str
    task: str
    naive: float
    grouped: float
    shared: int
    items: int

    def __str__(self) -> str:
        gap = 100 * (self.naive - self.grouped)
        return (
            f"Leak: a split that ignores authors and near-duplicates would have put relatives of {self.shared} of "
            f"{self.items} items among those that train; {self.row} on {self.task} would have scored macro-F1 "
            f"{self.naive:.3f} instead of {self.grouped:.3f} ({gap:+.1f} points)."
        )


def has_groups(items: Sequence[TrainingItem]) -> bool:
    """Say whether any two items belong together."""
    return len({item.group for item in items}) < len(items)


def shared_groups(folds: Sequence[Fold]) -> int:
    """Return how many test items, over all folds, have an item of their group on the training side."""
    found = 0
    for fold in folds:
        known = {item.group for item in fold.train}
        found += sum(item.group in known for item in fold.test)
    return found


def leaks_of(row: str, tasks: Sequence[str], records: Sequence[Record], shared: int, items: int) -> tuple[Leak, ...]:
    """Return the leak on each task from the records of a row with the first seed, naive folds beside the table's."""
    mine = [record for record in records if record.row == row and record.seed == 0]
    leaks: list[Leak] = []
    for task in tasks:
        naive, real = (
            [one.figures[task].macro_f1 for one in mine if task in one.figures and one.fold.startswith(NAIVE) is side]
            for side in (True, False)
        )
        if naive and real:
            means = float(np.mean(naive)), float(np.mean(real))
            leaks.append(Leak(row=row, task=task, naive=means[0], grouped=means[1], shared=shared, items=items))
    return tuple(leaks)
