"""Training runs: a folder prepared for the trainer, and the candidate it leaves adopted as a model."""

from __future__ import annotations

import collections
import hashlib
import os
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from engine.errors import InputError, NotFoundError, StorageError, TrainingError, WorkspaceError
from engine.taxonomy import Taxonomy, dump_taxonomy
from engine.types import ModelCard, Outcome, Struct, TrainingItem
from engine.workspace import board
from engine.workspace.captures import sync_folder
from engine.workspace.database import Database
from engine.workspace.encoding import now
from engine.workspace.items import SPLITS, Items
from engine.workspace.models import Models
from engine.workspace.names import check_name
from engine.workspace.snapshot import training_items

STATES = ("prepared", "running", "finished", "failed", "cancelled")
SNAPSHOT, RECIPE, TAXONOMY, PARENT, CANDIDATE = (
    "snapshot.jsonl",
    "recipe.toml",
    "taxonomy.toml",
    "parent.txt",
    "candidate",
)
REFIT = "refit-"
"""A refit's run, and so its model, is named by this and its time. It is done in a second and never resumed."""
_encoder = msgspec.json.Encoder()
Read = TypeVar("Read")


class RunFolder(Struct, frozen=True, kw_only=True):
    """A prepared run: its id, its folder, how many labelled items it has and the SHA-256 of their snapshot."""

    id: str
    path: Path
    items: int
    fingerprint: str

    def __fspath__(self) -> str:
        return str(self.path)


class RunInfo(Struct, frozen=True, kw_only=True):
    """What is known of a run: one of `STATES`, when it was prepared and last changed (UTC), why, and its model."""

    id: str
    state: str
    created: str
    changed: str
    message: str
    model: str
    path: Path


class Runs:
    """Runs of one workspace, in its folder `runs`."""

    def __init__(self, db: Database, taxonomy: Taxonomy, items: Items, models: Models) -> None:
        self._db = db
        self._taxonomy = taxonomy
        self._items = items
        self._models = models
        self._folder = db.path.parent / "runs"
        self._models_folder = db.path.parent / "models"

    def prepare(self, recipe_toml: str, *, run_id: str | None = None) -> RunFolder:
        """Write a run folder (snapshot, recipe, taxonomy, parent) under a temporary name and rename it when complete.

        A run of this id that is already prepared is returned as it is. Raises `TrainingError` where no item has a
        label, `StorageError`.
        """
        run = check_name(run_id or _fresh_id(), "run")
        target = self._folder / run
        if not target.is_dir():
            self._write(target, recipe_toml)
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO runs (id, state, created, changed) VALUES (?, 'prepared', ?, ?)",
                (run, now(), now()),
            )
        return self.folder(run)

    def prepare_refit(self, recipe_toml: str) -> RunFolder:
        """As `prepare`, for a refit of the champion's heads; gives up refits that were left unfinished."""
        for info in self._left():
            if is_refit(info.id):
                self.mark(info.id, "cancelled", "Given up for a newer one.")
        return self.prepare(recipe_toml, run_id=f"{REFIT}{_fresh_id()}")

    def folder(self, run: str) -> RunFolder:
        """Return a prepared run's folder; raises `NotFoundError`."""
        path = self._folder / check_name(run, "run")
        digest = hashlib.sha256()
        count = 0
        try:
            with (path / SNAPSHOT).open("rb") as file:
                for line in file:
                    digest.update(line)
                    count += 1
        except OSError as error:
            raise NotFoundError(
                f"There is no run '{run}' in this workspace.", "List them with: secondlook models."
            ) from error
        return RunFolder(id=run, path=path, items=count, fingerprint=digest.hexdigest())

    def mark(self, run: str, state: str, message: str = "") -> None:
        """Note how a run stands ("running", "failed" with why, "cancelled"); a finished run stays finished."""
        if state not in STATES:
            raise InputError(f"'{state}' is no state of a run.", f"Use one of {', '.join(STATES)}.")
        with self._db.transaction():
            self._note(run, state, message)

    def adopt(self, run_folder: str | os.PathLike[str]) -> Outcome:
        """Make the candidate that a run left a model of the workspace, and the champion where it is better.

        Killed at any point and called again, it goes on where it was; called again after that, it changes nothing.
        Raises `TrainingError` where the run left no candidate.
        """
        path = Path(run_folder)
        run = check_name(path.name, "run")
        card, model_folder = self._moved(run, path)
        outcome = _read(model_folder / "outcome.json", Outcome)
        splits = _read(model_folder / "splits.json", dict[str, str])
        with self._db.transaction():
            if self._state(run) != "finished":
                self._models.note(card, outcome.reason)
                self._assign(splits)
                if outcome.better:
                    self._models.crown(card.id, outcome.reason)
                self._note(run, "finished", outcome.reason, card.id)
        while board.refresh_some(self._db, self._taxonomy):
            pass
        return outcome

    def list(self) -> Sequence[RunInfo]:
        """Return all runs, the newest first. A folder that a killed command left complete counts as prepared."""
        known = {row[0]: row for row in self._db.all("SELECT id, state, created, changed, message, model FROM runs")}
        on_disk = sorted(path.name for path in self._folder.glob("[!.]*") if (path / SNAPSHOT).is_file())
        for run in on_disk:
            known.setdefault(run, (run, "prepared", "", "", "", ""))
        infos = [
            RunInfo(
                id=row[0],
                state=row[1],
                created=row[2],
                changed=row[3],
                message=row[4],
                model=row[5],
                path=self._folder / row[0],
            )
            for row in known.values()
        ]
        return sorted(infos, key=lambda info: (info.created, info.id), reverse=True)

    def unfinished(self) -> Sequence[RunInfo]:
        """Return the runs that can go on: prepared or running (the trainer may have been killed), folder in place.

        Refits are left out: another one is quicker than going on.
        """
        return [info for info in self._left() if not is_refit(info.id)]

    def _left(self) -> Sequence[RunInfo]:
        return [
            info for info in self.list() if info.state in {"prepared", "running"} and (info.path / SNAPSHOT).is_file()
        ]

    def labelled(self, *, profiles: bool = False) -> Iterator[TrainingItem]:
        """Yield every labelled item as a snapshot taken now would hold it, with `profiles` all profiles as well."""
        return training_items(self._db, self._taxonomy, self._items, profiles=profiles)

    def labelled_counts(self) -> dict[str, dict[str, int]]:
        """Return how many items have each label of each task, by resolved label else truth."""
        counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for item in self.labelled():
            for task, labels in item.labels.items():
                counts[task].update(labels)
        return {task: dict(found) for task, found in counts.items()}

    def _write(self, target: Path, recipe_toml: str) -> None:
        temporary = target.with_name(f".{target.name}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            snapshot = self.labelled(profiles=_of_authors(recipe_toml))
            if _write_lines(temporary / SNAPSHOT, snapshot) == 0:
                raise TrainingError(
                    "There is nothing to train on: no item has a label.",
                    "Decide some items, or import some with labels.",
                )
            champion = self._models.champion()
            _write_text(temporary / RECIPE, recipe_toml)
            _write_text(temporary / TAXONOMY, dump_taxonomy(self._taxonomy))
            _write_text(temporary / PARENT, "" if champion is None else champion.card.id)
            sync_folder(temporary)
            temporary.rename(target)
            sync_folder(target.parent)
        except OSError as error:
            raise StorageError(
                f"The run folder '{target}' could not be written ({error.strerror or error}).",
                "Nothing was half-written; free some space and try again.",
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _moved(self, run: str, path: Path) -> tuple[ModelCard, Path]:
        """Move the candidate to models/ID, unless that was done before, and return its card and folder.

        The model's id is in the database before the folder moves, so that a kill in between leaves a way to find it.
        """
        candidate = path / CANDIDATE
        if not candidate.is_dir():
            return self._moved_before(run)
        card = _read(candidate / "card.json", ModelCard)
        target = self._models_folder / check_name(card.id, "model")
        if target.exists():
            raise WorkspaceError(
                f"The run '{run}' left a model '{card.id}', and there already is one of that name.",
                f"Rename its folder '{target}' if it is not needed, then try again.",
            )
        with self._db.transaction():
            self._note(run, self._state(run) or "running", "", card.id)
        try:
            self._models_folder.mkdir(exist_ok=True)
            candidate.rename(target)
            sync_folder(self._models_folder)
        except OSError as error:
            raise StorageError(
                f"The candidate could not be moved to '{target}' ({error.strerror or error}).",
                "It is still in the run's folder; free some space and try again.",
            ) from error
        return card, target

    def _moved_before(self, run: str) -> tuple[ModelCard, Path]:
        model = self._db.value("SELECT model FROM runs WHERE id = ?", (run,))
        folder = self._models_folder / model if model else None
        if folder is None or not folder.is_dir():
            raise TrainingError(
                f"The run '{run}' left no candidate.", "Start it again; it goes on from its checkpoint."
            )
        return _read(folder / "card.json", ModelCard), folder

    def _assign(self, splits: dict[str, str]) -> None:
        """Keep the trainer's assignments for items that had none: what was held out once stays held out."""
        free = self._items.unassigned(splits)
        self._items.set_splits({item: splits[item] for item in sorted(free) if splits[item] in SPLITS})

    def _state(self, run: str) -> str:
        return self._db.value("SELECT state FROM runs WHERE id = ?", (run,)) or ""

    def _note(self, run: str, state: str, message: str, model: str = "") -> None:
        self._db.execute(
            "INSERT INTO runs (id, state, created, changed, message, model) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, changed = excluded.changed,"
            " message = excluded.message, model = CASE excluded.model WHEN '' THEN runs.model ELSE excluded.model END"
            " WHERE runs.state <> 'finished'",
            (run, state, now(), now(), message, model),
        )


def is_refit(run: str) -> bool:
    """Tell whether a run, or the model that it made, is a refit."""
    return run.startswith(REFIT)


def _of_authors(recipe_toml: str) -> bool:
    """Tell whether a recipe trains on authors' profiles, whose labels are those of their other items."""
    try:
        return bool(tomllib.loads(recipe_toml).get("data", {}).get("level") == "author")
    except (tomllib.TOMLDecodeError, AttributeError):
        return False  # the trainer says what is wrong with it


def _fresh_id() -> str:
    return f"{now()[:19].replace(':', '').replace('T', '-')}-{uuid4().hex[:6]}"


def _write_lines(path: Path, items: Iterable[TrainingItem]) -> int:
    count = 0
    with path.open("wb") as file:
        for item in items:
            file.write(_encoder.encode(item) + b"\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, kind: type[Read]) -> Read:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise TrainingError(
            f"The candidate's file '{path}' cannot be read ({error}).", "Start the run again, or retrain."
        ) from error
