"""How far the import of a large file has come, so that one that was killed goes on where it stood.

A large file comes in in parts. What is noted of it here is written in the same transaction as each part, so it is
never ahead of the items nor behind them; it is gone once the file is in as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from engine.counting import counted, fit
from engine.types import Struct
from engine.workspace.database import Database
from engine.workspace.encoding import dump, now, read_labels


class Reached(Struct, frozen=True, kw_only=True):
    """How far a file has come: its first `records` records are in, and what became of them.

    `columns` are the names of columns that were looked at already.
    """

    records: int = 0
    imported: int = 0
    skipped: int = 0
    decisions: int = 0
    known: int = 0
    columns: tuple[str, ...] = ()


class Place(Struct, frozen=True, kw_only=True):
    """Where in its file an item first stands (`line` counts from 1); `mark` tells its content, b"" where refused."""

    line: int
    mark: bytes = b""


class Remark(Struct, frozen=True, kw_only=True):
    """What was said of a row so far: `refused`, or else it needed mending."""

    refused: bool
    line: int
    reason: str
    kind: str = ""


class Unfinished(Struct, frozen=True, kw_only=True):
    """A file whose import was stopped in the middle, and when it last went on (UTC)."""

    path: str
    records: int
    at: str

    @property
    def words(self) -> str:
        """How far it is and how it goes on."""
        are = f"{counted(self.records, 'record')} of it {fit(self.records, 'is', 'are')} in"
        return f"The import of '{self.path}' is not finished: {are}. Import the file again; it goes on from there."


_COUNTS = ("records", "imported", "skipped", "decisions", "known")


class Imports:
    """Files that are on their way in, by a digest of all that decides what comes of them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def unfinished(self) -> list[Unfinished]:
        """Return the files that are partly in, the latest first."""
        rows = self._db.all("SELECT path, records, at FROM imports ORDER BY at DESC, number DESC")
        return [Unfinished(path=path, records=records, at=at) for path, records, at in rows]

    def reached(self, digest: str) -> Reached | None:
        """Return how far the import of this digest has come, None where nothing of it is noted."""
        row = self._db.one(f"SELECT {', '.join(_COUNTS)}, columns FROM imports WHERE digest = ?", (digest,))
        return None if row is None else Reached(**dict(zip(_COUNTS, row, strict=False)), columns=read_labels(row[-1]))

    def note(
        self, digest: str, path: str, reached: Reached, places: Iterable[tuple[str, Place]], remarks: Iterable[Remark]
    ) -> None:
        """Write how far it has come, with the ids and remarks of its newest part, in the caller's transaction."""
        with self._db.transaction():
            self._db.execute("DELETE FROM imports WHERE path = ? AND digest <> ?", (path, digest))
            columns = ("digest", "path", "at", "columns", *_COUNTS)
            told = [getattr(reached, name) for name in _COUNTS]
            self._db.execute(
                f"INSERT INTO imports ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
                f" ON CONFLICT (digest) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in columns[1:])}",
                (digest, path, now(), dump(reached.columns), *told),
            )
            number = self._db.value("SELECT number FROM imports WHERE digest = ?", (digest,))
            self._db.many(
                "INSERT OR REPLACE INTO import_ids (import, id, line, mark) VALUES (?, ?, ?, ?)",
                ((number, item, place.line, place.mark) for item, place in places),
            )
            self._db.many(
                "INSERT INTO import_remarks (import, refused, line, reason, kind) VALUES (?, ?, ?, ?, ?)",
                ((number, one.refused, one.line, one.reason, one.kind) for one in remarks),
            )

    def places(self, digest: str, items: Sequence[str]) -> dict[str, Place]:
        """Return where those of the ids stand that came in with earlier parts."""
        rows = self._db.all(
            "SELECT id, line, mark FROM imports CROSS JOIN import_ids ON import_ids.import = imports.number"
            " WHERE digest = ? AND id IN (SELECT value FROM json_each(?))",
            (digest, msgspec.json.encode(items).decode()),
        )
        return {item: Place(line=line, mark=mark) for item, line, mark in rows}

    def remarks(self, digest: str) -> list[Remark]:
        """Return what was said of the rows of earlier parts, in their order."""
        rows = self._db.all(
            "SELECT refused, line, reason, kind FROM imports"
            " CROSS JOIN import_remarks ON import_remarks.import = imports.number WHERE digest = ?"
            " ORDER BY import_remarks.number",
            (digest,),
        )
        return [Remark(refused=bool(row[0]), line=row[1], reason=row[2], kind=row[3]) for row in rows]

    def forget(self, digest: str, path: str) -> None:
        """Drop what is noted of a file, or of what stood at its path: it is in as a whole.

        In the caller's transaction, where there is one.
        """
        with self._db.transaction():
            self._db.execute("DELETE FROM imports WHERE digest = ? OR path = ?", (digest, path))
