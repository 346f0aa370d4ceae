"""What was measured: one JSON file a cell (a row on one fold with one seed), written by rename."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from engine.errors import StorageError
from engine.training.metrics import Flags, Floats, task_metrics
from engine.types import Struct

_log = logging.getLogger(__name__)


Details = dict[str, str | int | float]
"""What a row chose or did, in words that explain themselves."""


class Figures(Struct, frozen=True, kw_only=True):
    """How a row does on one task over the measured items of one fold.

    All in [0, 1]. `auroc` is None where it is undefined, `ece` where a row gives no probabilities. `supports` counts
    the measured items of each label.
    """

    n: int
    accuracy: float
    macro_f1: float
    per_class: dict[str, float]
    supports: dict[str, int]
    auroc: float | None = None
    ece: float | None = None


class Record(Struct, frozen=True, kw_only=True):
    """One cell of a table: the figures of a row by task, and what it took.

    `details` holds what the row chose or did, such as a baseline's C; `recipe` the whole recipe as TOML, "" for a peer.
    """

    row: str
    row_fingerprint: str
    data: str
    data_fingerprint: str
    fold: str
    seed: int
    figures: dict[str, Figures]
    seconds: float
    details: Details = msgspec.field(default_factory=dict)
    recipe: str = ""


@dataclass(frozen=True)
class Cell:
    """What tells one record from another."""

    row: str
    row_fingerprint: str
    data: str
    data_fingerprint: str
    fold: str
    seed: int

    @property
    def name(self) -> str:
        """A file name without its ending."""
        return f"{self.row_fingerprint[:16]}-{self.fold}-seed{self.seed}"

    def record(self, figures: dict[str, Figures], seconds: float, details: Details, recipe: str = "") -> Record:
        """Return the cell's record with these figures."""
        return Record(
            row=self.row,
            row_fingerprint=self.row_fingerprint,
            data=self.data,
            data_fingerprint=self.data_fingerprint,
            fold=self.fold,
            seed=self.seed,
            figures=figures,
            seconds=round(seconds, 1),
            details=details,
            recipe=recipe,
        )


class Records:
    """The records in a folder, `data fingerprint/row fingerprint-fold-seed.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, cell: Cell) -> Path:
        """Return where the cell's record is or will be."""
        return self._folder / "records" / f"{_safe(cell.data)}-{cell.data_fingerprint[:12]}" / f"{cell.name}.json"

    def work(self, cell: Cell) -> Path:
        """Return where an unfinished cell keeps what it needs to go on."""
        return self._folder / "unfinished" / f"{cell.data_fingerprint[:12]}-{cell.name}"

    def lock(self, cell: Cell) -> Path:
        """Return the file whose lock the process that measures the cell holds."""
        return self.work(cell).with_suffix(".lock")

    def get(self, cell: Cell) -> Record | None:
        """Return the cell's record; None where there is none, or it is damaged (logged: it is measured again)."""
        path = self.path(cell)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("the record %s cannot be read, so it is measured again: %s", path, error)
            return None
        same = (found.row_fingerprint, found.data_fingerprint) == (cell.row_fingerprint, cell.data_fingerprint)
        return found if same else None

    def put(self, cell: Cell, record: Record) -> None:
        """Write the record as a whole: a reader sees all of it or nothing, also after a kill or a power cut.

        Raises:
            StorageError: the disk refused; nothing was half-written.
        """
        path = self.path(cell)
        beside = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(record)))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise StorageError(f"The record {path} cannot be written: {error}.", "Free some space.") from error


def figures_of(
    labels: Sequence[str], truth: Flags, scores: Floats, *, multi: bool, majority: str, probable: bool = True
) -> Figures:
    """Return the figures of (n, L) scores against the truth; without `probable` they are no probabilities."""
    metrics = task_metrics(labels, truth, scores, multi=multi, majority=majority)
    return Figures(
        n=metrics.n,
        accuracy=metrics.accuracy,
        macro_f1=metrics.macro_f1,
        per_class={label: one.f1 for label, one in metrics.per_class.items()},
        supports={label: one.support for label, one in metrics.per_class.items()},
        auroc=metrics.auroc,
        ece=metrics.ece if probable else None,
    )


def truth_of(answers: Sequence[Sequence[str]], labels: Sequence[str]) -> Flags:
    """Return (n, L) flags of the labels that each item has."""
    return np.array([[label in answer for label in labels] for answer in answers], dtype=np.bool_)


def _safe(name: str) -> str:
    return "".join(character if character.isalnum() or character in "._-" else "-" for character in name)[:60]
