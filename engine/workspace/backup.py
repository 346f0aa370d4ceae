"""Verified copies of the database, made while it is in use."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import StorageError
from engine.workspace.captures import sync_folder
from engine.workspace.database import Database, damaged, newest_backup, translate

EVERY_SECONDS = 30 * 60
KEEP = 5
STEP_PAGES = 1_024
MAX_RESTARTS = 3
"""How often a copy may start over because another process wrote, before it finishes in one go."""

_PROGRESS_INSTRUCTIONS = 1_000_000


class Backup:
    """Backups of one workspace, in its folder `backups`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._folder = db.path.parent / "backups"

    def due(self) -> bool:
        """Whether the database has changed since the newest backup and that is 30 minutes old, or there is none."""
        newest = newest_backup(self._db.path.parent)
        if newest is None:
            return True
        made = newest.stat().st_mtime
        return self._changed() > made and time.time() - made >= EVERY_SECONDS

    def make(self, *, between: Callable[[], None] | None = None) -> Path:
        """Copy the database, check the copy, name it, keep the five newest, and return its path.

        The copy goes in small steps; `between` is called between them and may write through this same workspace (its
        changes get into the copy), so that a reviewer never waits for a backup. Raises `StorageError`, or
        `WorkspaceError` where the database itself turns out to be damaged; no half-made backup is kept.
        """
        started = time.time()
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S-%f")
        target = self._folder / f"workspace-{stamp}.db"
        temporary = self._folder / f".{target.name}.part"
        try:
            self._folder.mkdir(exist_ok=True)
            self._copy(temporary, between)
            _sync(temporary)
            os.utime(temporary, (started, started))
            temporary.replace(target)
            sync_folder(self._folder)
        except OSError as error:
            raise self._refused(str(error)) from error
        finally:
            for leftover in (temporary, temporary.with_name(temporary.name + "-journal")):
                with contextlib.suppress(OSError):
                    leftover.unlink(missing_ok=True)
        self._drop_old()
        return target

    def copy(self, target: Path) -> None:
        """Copy the database to a path where nothing is yet, and check the copy; raises as `make` does."""
        self._copy(target, None)

    def _copy(self, temporary: Path, between: Callable[[], None] | None) -> None:
        copy = sqlite3.connect(temporary, isolation_level=None)
        try:
            copy.execute("PRAGMA synchronous = OFF")  # the whole file is synced once, when it is complete
            _steps(self._db.connection, copy, between)
            copy.execute("PRAGMA journal_mode = DELETE")
            if between is not None:
                copy.set_progress_handler(_going_on(between), _PROGRESS_INSTRUCTIONS)
            found = [row[0] for row in copy.execute("PRAGMA quick_check(3)")]
        except sqlite3.DatabaseError as error:
            raise translate(error, self._db.path) or self._refused(str(error)) from error
        finally:
            copy.close()
        if found != ["ok"]:
            raise damaged(self._db.path, found[0])

    def _refused(self, detail: str) -> StorageError:
        return StorageError(
            f"The backup of '{self._db.path}' could not be made ({detail}).",
            "The workspace itself was not touched; free some space, then run: secondlook doctor WORKSPACE.",
        )

    def _changed(self) -> float:
        """Return when the database was last written, in seconds since 1970."""
        files = (self._db.path, self._db.path.with_name(self._db.path.name + "-wal"))
        return max(file.stat().st_mtime for file in files if file.exists())

    def _drop_old(self) -> None:
        for old in sorted(self._folder.glob("workspace-*.db"))[:-KEEP]:
            with contextlib.suppress(OSError):
                old.unlink()


class _StartOver(Exception):  # noqa: N818
    """Another process keeps writing: the copy is to be finished in one go."""


def _steps(source: sqlite3.Connection, copy: sqlite3.Connection, between: Callable[[], None] | None) -> None:
    """Copy in steps; SQLite starts over by itself where another process wrote in the meantime."""
    remaining_before = 0
    restarts = 0

    def progress(_status: int, remaining: int, _total: int) -> None:
        nonlocal remaining_before, restarts
        restarts += remaining_before > 0 and remaining > remaining_before
        remaining_before = remaining
        if restarts > MAX_RESTARTS:
            raise _StartOver
        if between is not None:
            between()

    try:
        source.backup(copy, pages=STEP_PAGES, progress=progress, sleep=0)
    except _StartOver:
        source.backup(copy)


def _going_on(between: Callable[[], None]) -> Callable[[], int]:
    def handler() -> int:
        between()
        return 0  # anything else would interrupt the check

    return handler


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
