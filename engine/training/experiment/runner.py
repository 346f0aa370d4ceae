"""Fills a table's cells one after the other, those that are measured already from their records."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import CancelledError
from engine.service.protocol import RunProgress, TrainerEvent
from engine.training.experiment import baselines, cells
from engine.training.experiment.cells import RecipeRow
from engine.training.experiment.folds import FIXED, Fold, fixed_fold, grouped_folds
from engine.training.experiment.records import Cell, Record, Records
from engine.training.experiment.sources import Source
from engine.training.experiment.table import Table


@dataclass(frozen=True)
class Settings:
    """How a table is measured: `folds` is a number of folds, 0 for the data's fixed split."""

    folds: int = 0
    seeds: int = 1
    peers: bool = True


@dataclass
class Watch:
    """What is told while a table fills, and asked whether to stop.

    `cell` is told a sentence when a cell begins, `progress` (done, total) within it, `measured` each new record.
    """

    cell: Callable[[str], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda _done, _total: None
    measured: Callable[[Record], None] = lambda _: None
    cancelled: Callable[[], bool] = lambda: False

    def check(self) -> None:
        """Raise `CancelledError` if the work is to end."""
        if self.cancelled():
            raise CancelledError("Stopped. What was measured is kept: the same command goes on from here.")

    def event(self, event: TrainerEvent) -> None:
        """Take an event of the trainer."""
        if isinstance(event, RunProgress):
            self.progress(event.done, event.total)


@dataclass(frozen=True)
class _Place:
    """A cell to fill: which row (a baseline's name or a recipe) on which fold with which seed."""

    cell: Cell
    row: str | RecipeRow
    fold: Fold
    number: int = 0
    of: int = 0


def run_table(
    recipes: Sequence[RecipeRow],
    source: Source,
    out: Path,
    settings: Settings = Settings(),
    watch: Watch | None = None,
) -> Table:
    """Measure the recipes and their peers on one data set and return the table.

    Every cell is a record in `out`; those that are there are not measured again. A changed recipe or data set is
    another one, with records of its own.

    Raises:
        CancelledError: `watch.cancelled` said so; calling again goes on.
        InputError: the data cannot be divided as asked.
        EngineError: a recipe cannot be trained on this data.
    """
    watch = watch or Watch()
    records = Records(out)
    places = list(_places(recipes, source, settings))
    found = [_filled(place, source, records, number, len(places), watch) for number, place in enumerate(places, 1)]
    return Table.of(source, settings.folds, found)


def _places(recipes: Sequence[RecipeRow], source: Source, settings: Settings) -> Iterator[_Place]:
    """Yield the cells, whole tables of one seed before the next, so that what is there early says something."""
    data = source.fingerprint
    prints = {recipe.name: recipe.fingerprint for recipe in recipes}
    for seed in range(settings.seeds):
        for fold in _folds(source, settings.folds, seed):
            peers = settings.peers and (settings.folds or not seed)
            for row in (*(baselines.BASELINES if peers else ()), *recipes):
                name, fingerprint = (row, _peer(row)) if isinstance(row, str) else (row.name, prints[row.name])
                yield _Place(Cell(name, fingerprint, source.name, data, fold.name, seed), row, fold)


def _folds(source: Source, folds: int, seed: int) -> list[Fold]:
    if not folds:
        return [fixed_fold(source.items)]
    return grouped_folds(source.items, folds, seed, source.taxonomy.tasks[0].name)


def _peer(name: str) -> str:
    return hashlib.sha256(f"{name}/{baselines.VERSION}".encode()).hexdigest()


def _filled(place: _Place, source: Source, records: Records, number: int, total: int, watch: Watch) -> Record:
    kept = records.get(place.cell)
    if kept is not None:
        return kept
    watch.check()
    where = "" if place.fold.name == FIXED else f", fold {place.fold.name}"
    watch.cell(f"{number}/{total} {source.name}: {place.cell.row}{where}, seed {place.cell.seed}")
    record = _baseline(place, source, watch) if isinstance(place.row, str) else _recipe(place, source, records, watch)
    records.put(place.cell, record)
    watch.measured(record)
    return record


def _baseline(place: _Place, source: Source, watch: Watch) -> Record:
    begun = time.monotonic()
    name, cell = place.cell.row, place.cell
    measured = {
        task.name: found
        for task in source.taxonomy.tasks
        if (found := baselines.measure(name, place.fold, task, cell.seed, watch.check)) is not None
    }
    details = {f"{key} of {task}": value for task, one in measured.items() for key, value in one.details.items()}
    return Record(
        row=name,
        row_fingerprint=cell.row_fingerprint,
        data=cell.data,
        data_fingerprint=cell.data_fingerprint,
        fold=cell.fold,
        seed=cell.seed,
        figures={task: one.figures for task, one in measured.items()},
        seconds=round(time.monotonic() - begun, 1),
        details=details,
    )


def _recipe(place: _Place, source: Source, records: Records, watch: Watch) -> Record:
    cell, row = place.cell, place.row
    assert isinstance(row, RecipeRow)
    measured = cells.measure(
        row,
        place.fold,
        source.taxonomy,
        cell.seed,
        records.work(cell),
        emit=watch.event,
        cancelled=watch.cancelled,
    )
    return Record(
        row=row.name,
        row_fingerprint=cell.row_fingerprint,
        data=cell.data,
        data_fingerprint=cell.data_fingerprint,
        fold=cell.fold,
        seed=cell.seed,
        figures=measured.figures,
        seconds=round(measured.seconds, 1),
        details=measured.details,
        recipe=row.text,
    )
