"""The table of an experiment: each row's figures as mean ± deviation over its folds and seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.experiment.records import Record
from engine.training.experiment.sources import Source
from engine.training.leaks import LeakReport
from engine.types import Struct

MOST_CLASSES = 6
"""With more labels, F1 for each is left to the JSON document."""


class Spread(Struct, frozen=True, kw_only=True):
    """Mean over cells and sample standard deviation (None for a single cell)."""

    mean: float
    deviation: float | None = None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.deviation is None else f"{self.mean:.3f} ± {self.deviation:.3f}"


class Row(Struct, frozen=True, kw_only=True):
    """A row's figures on one task. `cells` counts folds × seeds; `macro_f1s` has each cell's, by "fold/seed".

    None where a figure is undefined in every cell.
    """

    name: str
    cells: int
    accuracy: Spread
    macro_f1: Spread
    per_class: dict[str, Spread]
    auroc: Spread | None
    ece: Spread | None
    seconds: float
    macro_f1s: dict[str, float]


class Block(Struct, frozen=True, kw_only=True):
    """All rows on one task; `labels` with how many measured items have each, in the mean over cells."""

    task: str
    n: float
    labels: dict[str, float]
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row | None:
        """Return the row of this name, None where it could not be measured."""
        return next((row for row in self.rows if row.name == name), None)


class Table(Struct, frozen=True, kw_only=True):
    """What an experiment found on one data set. `folds` is 0 for the data's fixed split.

    `leak` is what a split that ignores authors and near-duplicates would have claimed, where the folds heed them.
    `failures` has a sentence for every cell that could not be measured.
    """

    data: str
    fingerprint: str
    items: int
    folds: int
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()
    leak: LeakReport | None = None
    failures: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        source: Source,
        folds: int,
        records: Sequence[Record],
        leak: LeakReport | None = None,
        notes: Sequence[str] = (),
        failures: Sequence[str] = (),
    ) -> Table:
        """Return the table of these records, rows in the order in which they first come."""
        blocks = [block for task in source.taxonomy.tasks if (block := _block(task.name, records)) is not None]
        return cls(
            data=source.name,
            fingerprint=source.fingerprint,
            items=len(source.items),
            folds=folds,
            blocks=tuple(blocks),
            notes=(*source.notes, *notes),
            leak=leak,
            failures=tuple(failures),
        )


def headers(block: Block) -> list[str]:
    """Return the column titles for `cells_of`."""
    classes = [f"F1 {label}" for label in block.labels] if len(block.labels) <= MOST_CLASSES else []
    return ["row", "accuracy", "macro-F1", *classes, "AUROC", "ECE", "cells"]


def cells_of(block: Block) -> list[list[str]]:
    """Return the rows as words, a dash for what is undefined."""
    classes = list(block.labels) if len(block.labels) <= MOST_CLASSES else []
    return [
        [
            row.name,
            str(row.accuracy),
            str(row.macro_f1),
            *(str(row.per_class[label]) if label in row.per_class else "–" for label in classes),
            str(row.auroc or "–"),
            str(row.ece or "–"),
            str(row.cells),
        ]
        for row in block.rows
    ]


def _block(task: str, records: Sequence[Record]) -> Block | None:
    measured = [record for record in records if task in record.figures]
    if not measured:
        return None
    names = list(dict.fromkeys(record.row for record in measured))
    cells = {(record.fold, record.seed): record.figures[task] for record in measured}
    labels = list(next(iter(cells.values())).per_class)
    return Block(
        task=task,
        n=float(np.mean([one.n for one in cells.values()])),
        labels={label: float(np.mean([one.supports.get(label, 0) for one in cells.values()])) for label in labels},
        rows=tuple(_row(name, task, [record for record in measured if record.row == name]) for name in names),
    )


def _row(name: str, task: str, records: Sequence[Record]) -> Row:
    figures = [record.figures[task] for record in records]
    return Row(
        name=name,
        cells=len(figures),
        accuracy=spread_of([one.accuracy for one in figures]),
        macro_f1=spread_of([one.macro_f1 for one in figures]),
        per_class={label: spread_of([one.per_class[label] for one in figures]) for label in figures[0].per_class},
        auroc=_where_defined([one.auroc for one in figures]),
        ece=_where_defined([one.ece for one in figures]),
        seconds=float(np.mean([record.seconds for record in records])),
        macro_f1s={f"{record.fold}/{record.seed}": record.figures[task].macro_f1 for record in records},
    )


def spread_of(values: Sequence[float]) -> Spread:
    """Return the mean and deviation of at least one value."""
    return Spread(mean=float(np.mean(values)), deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None)


def _where_defined(values: Sequence[float | None]) -> Spread | None:
    defined = [value for value in values if value is not None]
    return spread_of(defined) if defined else None
