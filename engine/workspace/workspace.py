"""Opening and making workspaces."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.errors import EngineError, StorageError, WorkspaceError
from engine.taxonomy import Taxonomy, dump_taxonomy, load_taxonomy
from engine.workspace import board, meta
from engine.workspace.adopting import Waiting, waiting
from engine.workspace.annotations import Annotations
from engine.workspace.backup import Backup
from engine.workspace.captures import Captures, sync_folder
from engine.workspace.database import APPLICATION_ID, DATABASE_NAME, Database, damaged, refuse_unwritable
from engine.workspace.decisions import Decisions
from engine.workspace.explanations import Explanations
from engine.workspace.flips import Flips
from engine.workspace.imports import Imports
from engine.workspace.items import Items
from engine.workspace.merging import Merging
from engine.workspace.models import Models
from engine.workspace.origins import Origins
from engine.workspace.queues import Queues
from engine.workspace.runs import Runs
from engine.workspace.schema import LATEST, migrate, unknown_step
from engine.workspace.teaching import Teaching
from engine.workspace.verdicts import Verdicts

TAXONOMY_NAME = "taxonomy.toml"
FOLDERS = ("captures", "models", "runs", "backups", "logs")
CHECK_AT_ONCE_BYTES = 64 * 1024 * 1024
"""Up to this size the whole database is checked while opening, which takes about 0.2 s; of a larger one, the tables
that cannot be made again."""

_IRREPLACEABLE = ("decisions", "annotations", "origins", "acts", "meta", "facets", "promotions", "flips")

REFRESH_AT_ONCE = 5_000
"""Up to as many queue rows are brought up to date while opening; more wait for `queues.refresh`."""


class Workspace:
    """One open workspace. Belongs to the thread that opened it; other threads open their own with `check=False`."""

    def __init__(self, path: Path, db: Database, taxonomy: Taxonomy, warnings: tuple[str, ...] = ()) -> None:
        self.path = path
        self.taxonomy = taxonomy
        self.read_only = db.read_only
        self.warnings = warnings
        self.unchecked = True
        self.made_by = LATEST
        self._db = db
        self.captures = Captures(path / "captures")
        self.items = Items(db, taxonomy, self.captures)
        self.verdicts = Verdicts(db, taxonomy)
        self.explanations = Explanations(db)
        self.decisions = Decisions(db, taxonomy)
        self.annotations = Annotations(db)
        self.models = Models(db, taxonomy, path / "models")
        self.queues = Queues(db, taxonomy)
        self.flips = Flips(db)
        self.teaching = Teaching(db, self.queues)
        self.runs = Runs(db, taxonomy, self.items, self.models)
        self.backup = Backup(db)
        self.origins = Origins(db)
        self.imports = Imports(db)
        self.merging = Merging(db, taxonomy, self.items, self.verdicts, self.explanations, self.decisions, self.models)

    @classmethod
    def create(cls, path: Path | str, taxonomy: Taxonomy) -> Workspace:
        """Make a new workspace folder and open it; raises `WorkspaceError` where there already is something."""
        folder = Path(path)
        try:
            _refuse_occupied(folder)
            folder.mkdir(parents=True, exist_ok=True)
            for name in FOLDERS:
                (folder / name).mkdir(exist_ok=True)
            (folder / TAXONOMY_NAME).write_text(dump_taxonomy(taxonomy), encoding="utf-8")
            _create_database(folder / DATABASE_NAME)
            sync_folder(folder)
        except OSError as error:
            raise StorageError(
                f"The workspace '{folder}' cannot be made ({error.strerror or error}).",
                "Choose a place where you may write and that has space.",
            ) from error
        return cls.open(folder)

    @classmethod
    def open(cls, path: Path | str, *, read_only: bool = False, check: bool = True) -> Workspace:
        """Open a workspace; `check=False` skips the check of the database, for a second connection.

        A large database is checked in part (every decision, not every verdict); `unchecked` then says that `check`
        is still to be called, which takes some seconds per gigabyte and may be done on another thread's connection.

        Raises `WorkspaceError` in one sentence with a way out: no workspace, from a newer version, locked, read-only
        (unless `read_only`), damaged, without its taxonomy. A database from an older version is backed up and
        migrated; `made_by` is the format that it had. `warnings` names what is missing but not needed to review.
        """
        folder = Path(path)
        file = folder / DATABASE_NAME
        _refuse_foreign(folder, file)
        if not read_only:
            refuse_unwritable(file)
        taxonomy = _taxonomy(folder)
        db = Database(file, read_only=read_only)
        try:
            db.configure()
            _check_version(db)
            whole = check and _check(db)
            made_by = _migrate(db)
            workspace = cls(folder, db, taxonomy, _warnings(folder, db))
            workspace.made_by = made_by
            workspace.unchecked = not whole
            if check and not read_only:
                workspace._follow_taxonomy()
        except EngineError:
            db.close()
            raise
        return workspace

    def close(self) -> None:
        """Close the database; closing twice is harmless."""
        self._db.close()

    def check(self, *, full: bool = False) -> None:
        """Check the whole database file; raises `WorkspaceError` that names the newest backup. Slow on large ones.

        `full` also compares every index with its table.
        """
        _run_check(self._db, f"{'integrity_check' if full else 'quick_check'}(1)")
        self.unchecked = False

    def waiting(self) -> AbstractContextManager[Waiting]:
        """Return a waiting list for decisions that come in together with items, for the length of a block."""
        return waiting(self._db, self.decisions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow_taxonomy(self) -> None:
        """Note where the taxonomy has changed since the queue was last brought up to date, and refresh small queues."""
        digest = hashlib.sha256(dump_taxonomy(self.taxonomy).encode()).hexdigest()
        if meta.get(self._db, meta.TAXONOMY) != digest:
            with self._db.transaction():
                meta.put(self._db, meta.TAXONOMY, digest)
                board.restart(self._db, board.EVERYTHING)
        if self.queues.pending and self.items.count() <= REFRESH_AT_ONCE:
            while self.queues.refresh():
                pass


def _refuse_occupied(folder: Path) -> None:
    if (folder / DATABASE_NAME).exists():
        raise WorkspaceError(f"There already is a workspace '{folder}'.", "Open it, or choose another name.")
    if folder.exists() and not folder.is_dir():
        raise WorkspaceError(f"'{folder}' is a file, not a folder.", "Choose another name.")
    if folder.exists() and any(folder.iterdir()):
        raise WorkspaceError(f"The folder '{folder}' is not empty.", "Choose another name, or empty it.")


def _refuse_foreign(folder: Path, file: Path) -> None:
    if not folder.exists():
        raise WorkspaceError(
            f"There is no workspace '{folder}'.", f"Make one with: secondlook init {shlex.quote(str(folder))}"
        )
    if not file.is_file():
        raise WorkspaceError(
            f"'{folder}' is not a workspace: it has no {DATABASE_NAME}.",
            "Choose a folder that Second Look made, or make one with: secondlook init.",
        )


def _taxonomy(folder: Path) -> Taxonomy:
    file = folder / TAXONOMY_NAME
    if not file.is_file():
        raise WorkspaceError(
            f"The workspace '{folder}' has no {TAXONOMY_NAME}.",
            "Put it back from a copy; every run folder under 'runs' holds one too.",
        )
    return load_taxonomy(file)


def _create_database(file: Path) -> None:
    """Make the database under a temporary name, so that a killed command leaves no half-made workspace behind."""
    temporary = file.with_name(f".{file.name}.part")
    temporary.unlink(missing_ok=True)
    connection = sqlite3.connect(temporary, isolation_level=None)
    try:
        migrate(connection)
    except sqlite3.DatabaseError as error:
        raise StorageError(
            f"The database '{file}' cannot be made ({error}).", "Free some space or choose another place."
        ) from error
    finally:
        connection.close()
        with contextlib.suppress(OSError):
            temporary.with_name(temporary.name + "-journal").unlink(missing_ok=True)
    temporary.replace(file)


def _check_version(db: Database) -> None:
    if not db.path.stat().st_size:
        raise damaged(db.path, "it is empty")
    if db.value("PRAGMA application_id") != APPLICATION_ID:
        raise WorkspaceError(
            f"The file '{db.path}' is a database, but not one of Second Look's.", "Choose another folder."
        )
    version = db.value("PRAGMA user_version")
    if version > LATEST:
        raise WorkspaceError(
            f"The workspace '{db.path.parent}' was made by a newer Second Look (format {version}, this one knows"
            f" {LATEST}).",
            "Update Second Look to open it.",
        )
    if (step := unknown_step(db)) is not None:
        raise WorkspaceError(
            f"The workspace '{db.path.parent}' was made by a newer Second Look (its migration '{step}' is not known"
            " here).",
            "Update Second Look to open it.",
        )


def _migrate(db: Database) -> int:
    version = int(db.value("PRAGMA user_version"))
    if version == LATEST:
        return version
    if db.read_only:
        raise WorkspaceError(
            f"The workspace '{db.path.parent}' is from an older version and must be brought up to date first.",
            "Open it in the desktop, or run 'secondlook upgrade' on it; a backup is made first.",
        )
    Backup(db).make()
    try:
        migrate(db.connection)
    except sqlite3.DatabaseError as error:
        raise StorageError(
            f"The workspace '{db.path.parent}' could not be brought up to date ({error}).",
            "It was left as it was, and a backup is in its folder 'backups'; free some space and try again.",
        ) from error
    return version


def _check(db: Database) -> bool:
    """Check what can be checked without making anybody wait; return whether that was everything."""
    if db.path.stat().st_size <= CHECK_AT_ONCE_BYTES:
        _run_check(db, "quick_check(1)")
        return True
    known = {row[0] for row in db.all("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table in known.intersection(_IRREPLACEABLE):
        _run_check(db, f"quick_check({table})")
    return False


def _run_check(db: Database, pragma: str) -> None:
    found = db.value(f"PRAGMA {pragma}")
    if found != "ok":
        raise damaged(db.path, str(found))


def _warnings(folder: Path, db: Database) -> tuple[str, ...]:
    """Return a sentence for each part that is missing but not needed for reviewing, and for what is half done."""
    warnings = []
    if not (folder / "models").is_dir() and db.value("SELECT COUNT(*) FROM models"):
        warnings.append(
            f"The models folder of '{folder}' is missing: items can be reviewed, but not scored or explained."
            " Put the folder back from a copy, or retrain."
        )
    if not (folder / "captures").is_dir() and db.value("SELECT 1 FROM items WHERE capture IS NOT NULL LIMIT 1"):
        warnings.append(
            f"The captures folder of '{folder}' is missing: items are shown without their screenshots."
            " Put the folder back from a copy."
        )
    return (*warnings, *(one.words for one in Imports(db).unfinished()))
