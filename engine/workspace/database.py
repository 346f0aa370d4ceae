"""The one place that opens the database file, holds its settings, runs transactions and translates its failures."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from engine.errors import EngineError, StorageError, WorkspaceError
from engine.workspace.journal import journal_mode

DATABASE_NAME = "workspace.db"
APPLICATION_ID = 0x5EC0_4D10
"""Marks the file as ours (SQLite's `application_id`)."""

BUSY_SECONDS = 15.0
OPEN_BUSY_SECONDS = 5.0
CACHE_KIBIBYTES = 32_768

Row = tuple[Any, ...]
Parameters = Sequence[Any]


class Database:
    """A connection that belongs to one thread. Reads outside `transaction` see the last committed state.

    All `sqlite3` failures at the environment's door leave here as `StorageError` or `WorkspaceError`; the others
    (a broken statement, a violated constraint) are bugs and are raised as they are.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._depth = 0
        mode = "ro" if read_only else "rw"
        try:
            self.connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=OPEN_BUSY_SECONDS,
                cached_statements=512,
            )
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    def configure(self) -> None:
        """Set what every connection needs; the journal mode is chosen anew each time from the library's version."""
        self.execute("PRAGMA foreign_keys = ON")
        self.execute("PRAGMA recursive_triggers = ON")
        self.execute("PRAGMA trusted_schema = OFF")
        self.execute("PRAGMA synchronous = FULL")
        self.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        if self.read_only:
            self.execute("PRAGMA query_only = ON")
        else:
            wanted = journal_mode(sqlite3.sqlite_version_info)
            if self.value("PRAGMA journal_mode").upper() != wanted:
                self.execute(f"PRAGMA journal_mode = {wanted}")
        self.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self.connection.close()

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement and return the number of rows it changed."""
        try:
            return self.connection.execute(sql, parameters).rowcount
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one INSERT and return the new row's number."""
        try:
            return self.connection.execute(sql, parameters).lastrowid or 0
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    def many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run one statement for each of the rows and return the number of rows changed."""
        try:
            return self.connection.executemany(sql, rows).rowcount
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return every row of a query."""
        try:
            return self.connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, or None."""
        try:
            row: Row | None = self.connection.execute(sql, parameters).fetchone()
        except sqlite3.DatabaseError as error:
            self._refuse(error)
        return row

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """Return the first column of the first row of a query, or None."""
        row = self.one(sql, parameters)
        return None if row is None else row[0]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is written together or not at all; on leaving it is on the disk.

        Takes the write lock at once, so that what is read inside still holds when it is written. Inside another
        transaction it joins that one.
        """
        if self.read_only:
            raise StorageError(
                f"The workspace '{self.path.parent}' is open for reading only.",
                "Nothing was changed; open it without read-only to write.",
            )
        with self._scope("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def without_spilling(self, wanted: bool) -> Iterator[None]:
        """Where wanted, keep a large change in memory until its commit: written early, it would shut readers out."""
        if wanted:
            self.execute("PRAGMA cache_spill = OFF")
        try:
            yield
        finally:
            if wanted:
                self.execute("PRAGMA cache_spill = ON")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see the same committed state (and cost one lock instead of one each)."""
        with self._scope("BEGIN"):
            yield

    @contextmanager
    def _scope(self, begin: str) -> Iterator[None]:
        if self._depth == 0:
            self.execute(begin)
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                self.execute("COMMIT")
        finally:
            if self._depth == 1 and self.connection.in_transaction:  # it did not come to its end
                self.connection.rollback()
            self._depth -= 1

    def _refuse(self, error: sqlite3.DatabaseError) -> NoReturn:
        raise translate(error, self.path) or error from error


def translate(error: sqlite3.DatabaseError, path: Path) -> EngineError | None:
    """Return the plain sentence for a failure of the environment; None where it is a bug of ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    folder = path.parent
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return WorkspaceError(
            f"The workspace '{folder}' is locked by another program.",
            "Wait until its command has finished, or close it, and try again.",
        )
    if code == sqlite3.SQLITE_FULL:
        return StorageError(
            f"The disk that holds '{folder}' is full.", "Nothing was half-written; free some space and try again."
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return damaged(path, str(error))
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return StorageError(
            f"The workspace '{folder}' cannot be written ({error}).",
            "Check that you may write the folder and its files, or copy it to a place where you may.",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(
            f"The disk refused to read or write '{path}' ({error}).",
            "Nothing was half-written; check the disk and its free space and try again.",
        )
    return None


def damaged(path: Path, detail: str) -> WorkspaceError:
    """Return the error for a corrupt database; it names the newest backup and how to put it back."""
    newest = newest_backup(path.parent)
    if newest is None:
        way_out = (
            "There is no backup yet: keep the folder as it is and ask for help before anything else is done to it."
        )
    else:
        way_out = (
            f"Nothing was repaired: move '{path.name}' (and any '{path.name}-journal' or '-wal' beside it) away and "
            f"copy the newest backup '{newest}' in its place under the name '{path.name}'."
        )
    lines = (line.strip() for line in detail.splitlines() if not line.startswith("***"))
    return WorkspaceError(f"The database '{path}' is damaged ({next(lines, detail)}).", way_out)


def newest_backup(folder: Path) -> Path | None:
    """Return the newest verified backup of this workspace folder, or None."""
    found = sorted((folder / "backups").glob("workspace-*.db"))
    return found[-1] if found else None


def refuse_unwritable(path: Path) -> None:
    """Raise `WorkspaceError` where the database or its folder may not be written (also on a read-only disk)."""
    for place, what in ((path.parent, "folder"), (path, "database file")):
        if not os.access(place, os.W_OK):
            raise WorkspaceError(
                f"The {what} '{place}' is read-only.",
                "Make it writable, or copy the workspace to a place where you may write.",
            )
