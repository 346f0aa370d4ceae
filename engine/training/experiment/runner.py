"""Fills a table's cells one after the other, those that are measured already from their records."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import CancelledError, ModelUnavailableError, TrainingError
from engine.service.protocol import RunProgress, TrainerEvent
from engine.similarity import Grouping, examined
from engine.training.experiment import baselines, cells
from engine.training.experiment.cells import RecipeRow
from engine.training.experiment.folds import FIXED, Fold, fixed_fold, grouped_folds, relatives
from engine.training.experiment.records import Cell, Record, Records
from engine.training.experiment.sources import Source
from engine.training.experiment.table import Table
from engine.training.leaks import LeakReport, leak_report

_TURN_SECONDS = 0.5


@dataclass(frozen=True)
class Settings:
    """How a table is measured: `folds` is a number of folds, 0 for the data's fixed split."""

    folds: int = 0
    seeds: int = 1
    peers: bool = True


@dataclass
class Watch:
    """What is told while a table fills, and asked whether to stop.

    `cell` is told a sentence when a cell begins, `progress` (done, total) within it, `measured` each new record,
    `failed` a sentence on each cell that could not be measured.
    """

    cell: Callable[[str], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda _done, _total: None
    measured: Callable[[Record], None] = lambda _: None
    failed: Callable[[str], None] = lambda _: None
    cancelled: Callable[[], bool] = lambda: False

    def check(self) -> None:
        """Raise `CancelledError` if the work is to end."""
        if self.cancelled():
            raise CancelledError("Stopped. What was measured is kept: the same command goes on from here.")

    def event(self, event: TrainerEvent) -> None:
        """Take an event of the trainer."""
        if isinstance(event, RunProgress):
            self.progress(event.done, event.total)


def run_table(
    recipes: Sequence[RecipeRow],
    source: Source,
    out: Path,
    settings: Settings | None = None,
    watch: Watch | None = None,
) -> Table:
    """Measure the recipes and their peers on one data set and return the table.

    Every cell is a record in `out`; those that are there are not measured again. A changed recipe or data set is
    another one, with records of its own. A recipe that cannot be trained on this data is told in the table's
    `failures`; the other rows go on.

    Raises:
        CancelledError: `watch.cancelled` said so; calling again goes on.
        InputError: the data cannot be divided as asked.
        StorageError: the disk refused.
    """
    settings, watch = settings or Settings(), watch or Watch()
    grouping = examined(source.items, check=watch.check)
    if not settings.folds:
        return _Filling(source, Records(out), settings, watch).table(recipes, notes=_told(source, grouping))
    leak = leak_report(source.items, grouping=grouping, check=watch.check) if settings.peers else None
    return _Filling(replace(source, items=grouping.items), Records(out), settings, watch).table(recipes, leak)


def _told(source: Source, grouping: Grouping) -> list[str]:
    """Say how many measured items of a fixed split have relatives that train: such a split is as it is."""
    fold = fixed_fold(source.items)
    met = relatives(fold, grouping.items)
    if not met:
        return []
    return [f"{met} of the {len(fold.test)} measured items have a near-duplicate, or one of their group, that trains."]


@dataclass(frozen=True)
class _Place:
    """A cell to fill: which row (a peer's name or a recipe) on which fold."""

    cell: Cell
    row: str | RecipeRow
    fold: Fold

    @property
    def words(self) -> str:
        where = "" if self.fold.name == FIXED else f", fold {self.fold.name}"
        return f"{self.cell.data}: {self.cell.row}{where}, seed {self.cell.seed}"


@dataclass
class _Filling:
    """One data set's table while it fills."""

    source: Source
    records: Records
    settings: Settings
    watch: Watch
    failures: list[str] = field(default_factory=list)

    def table(self, recipes: Sequence[RecipeRow], leak: LeakReport | None = None, notes: Sequence[str] = ()) -> Table:
        places = list(self._places(recipes))
        found = [one for number, place in enumerate(places, 1) if (one := self._tried(place, number, len(places)))]
        return Table.of(self.source, self.settings.folds, found, leak, notes, self.failures)

    def _places(self, recipes: Sequence[RecipeRow]) -> Iterator[_Place]:
        """Yield the cells, whole tables of one seed before the next, so that what is there early says something."""
        prints = {recipe.name: recipe.fingerprint for recipe in recipes}
        for seed in range(self.settings.seeds):
            peers = self.settings.peers and (self.settings.folds or not seed)  # on a fixed split nothing would change
            for fold in self._folds(seed):
                for name in baselines.BASELINES if peers else ():
                    yield self._place(name, _peer(name), name, fold, seed)
                for recipe in recipes:
                    yield self._place(recipe.name, prints[recipe.name], recipe, fold, seed)

    def _place(self, name: str, fingerprint: str, row: str | RecipeRow, fold: Fold, seed: int) -> _Place:
        return _Place(Cell(name, fingerprint, self.source.name, self._fingerprint, fold.name, seed), row, fold)

    def __post_init__(self) -> None:
        self._fingerprint = self.source.fingerprint

    def _folds(self, seed: int) -> list[Fold]:
        if self.settings.folds:
            return grouped_folds(self.source.items, self.settings.folds, seed)
        return [fixed_fold(self.source.items)]

    def _tried(self, place: _Place, number: int, total: int) -> Record | None:
        """Return the cell's record; None, and a sentence among the failures, where it cannot be measured."""
        try:
            return self._filled(place, f"{number}/{total} {place.words}")
        except (TrainingError, ModelUnavailableError) as error:
            sentence = f"{place.words} could not be measured: {error}"
            self.failures.append(sentence)
            self.watch.failed(sentence)
            return None

    def _filled(self, place: _Place, words: str) -> Record:
        kept = self.records.get(place.cell)
        if kept is not None:
            return kept
        with _turn(self.records.lock(place.cell), self.watch.check):
            kept = self.records.get(place.cell)  # another process may have measured it meanwhile
            if kept is not None:
                return kept
            self.watch.cell(words)
            record = self._measured(place)
            self.records.put(place.cell, record)
        self.watch.measured(record)
        return record

    def _measured(self, place: _Place) -> Record:
        cell = place.cell
        if isinstance(place.row, str):
            begun = time.monotonic()
            found = self._peer_figures(place.row, place.fold, cell.seed)
            figures = {task: one.figures for task, one in found.items()}
            details = {f"{key} of {task}": value for task, one in found.items() for key, value in one.details.items()}
            return cell.record(figures, time.monotonic() - begun, details)
        watch = self.watch
        measured = cells.measure(
            place.row,
            place.fold,
            self.source.taxonomy,
            cell.seed,
            self.records.work(cell),
            emit=watch.event,
            cancelled=watch.cancelled,
        )
        return cell.record(measured.figures, measured.seconds, measured.details, place.row.text)

    def _peer_figures(self, name: str, fold: Fold, seed: int) -> dict[str, baselines.Measured]:
        tasks = self.source.taxonomy.tasks
        found = {task.name: baselines.measure(name, fold, task, seed, self.watch.check) for task in tasks}
        return {task: one for task, one in found.items() if one is not None}


@contextlib.contextmanager
def _turn(path: Path, check: Callable[[], None]) -> Iterator[None]:
    """Measure a cell in one process at a time: two tables may fill one folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    while not lock.is_locked:
        check()
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=_TURN_SECONDS)
    try:
        yield
        path.unlink(missing_ok=True)  # the record is there: whoever still waits for this lock will find it
    finally:
        lock.release()


def _peer(name: str) -> str:
    return hashlib.sha256(f"{name}/{baselines.VERSION}".encode()).hexdigest()
