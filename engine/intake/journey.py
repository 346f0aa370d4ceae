"""A file on its way into a workspace, part by part, so that an import that was killed goes on where it stood."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from engine.errors import EngineError
from engine.intake.checking import Checker, Pictures, Said, Seen
from engine.intake.formats import Format, Reading
from engine.intake.report import RowError
from engine.intake.sources import Record
from engine.taxonomy import dump_taxonomy
from engine.types import Struct
from engine.workspace import Workspace
from engine.workspace.adopting import Waiting
from engine.workspace.imports import Place, Reached, Remark

_NOTHING = "it holds no items; check that it is the file that you meant, and that it was written to its end"


class Source(Struct, frozen=True, kw_only=True):
    """A file to import and the format to read it as."""

    path: Path
    format: Format


class Parts:
    """A file's records in parts of about `most` records and decisions; `count` is how many were handed out."""

    def __init__(self, records: Iterator[Record], most: int, count: int) -> None:
        self.count = count
        self._records = records
        self._most = most
        self._next = next(records, None)

    @property
    def more(self) -> bool:
        """Whether there is a part behind the one that was handed out."""
        return self._next is not None

    def part(self) -> Iterator[Record]:
        """Give the records of the next part; one at least, where there are any."""
        weight = 0
        while self._next is not None and weight < self._most:
            record = self._next
            weight += 1 + len(record.decisions)
            self.count += 1
            yield record
            self._next = next(self._records, None)


class Journey:
    """How far one file is, and what was said of its rows so far.

    With `seen` it shares the ids of other files and notes nothing: everything is one transaction, which is not its.
    """

    def __init__(
        self, ws: Workspace, source: Source, how: Reading, said: Said, pictures: Pictures, seen: Seen | None = None
    ) -> None:
        self.ws = ws
        self.source = source
        self.how = how
        self.said = said
        self.checker = Checker(ws, how, said, pictures)
        self.reached = Reached()
        self._digest = _digest(source, how) if ws.imports.unfinished() else ""
        self._noted = False
        self.seen = Seen(self._earlier) if seen is None else seen
        if seen is None and (reached := ws.imports.reached(self._digest)) is not None:
            self._resume(reached)
        self._told = (len(said.errors), len(said.warnings))

    def records(self) -> Iterator[Record]:
        """Give the records that are not in yet; a file that holds none gets a remark.

        Raises:
            EngineError: the file cannot be read, and nothing of it is in; else that is the problem of its last row.
        """
        assert self.source.format.read is not None
        line, any_there = 0, bool(self.reached.records)
        try:
            stream = self.source.format.read(self.source.path, self.how)
            for record in islice(stream, self.reached.records, None):
                line, any_there = record.line, True
                yield record
            if not any_there:
                self.said.warn(self.source.path, 0, _NOTHING)
        except EngineError as error:
            if not self.reached.records:
                raise
            yield Record(line=max(1, line), problem=f"behind this line it cannot be read ({error.message.rstrip('.')})")

    def arrive(self, waiting: Waiting, parts: Parts) -> None:
        """Record the decisions of a part and note how far the file is, in the transaction that adds its items."""
        waiting.adopt()
        self.reached = Reached(
            records=parts.count,
            imported=self.checker.new,
            skipped=self.checker.skipped,
            decisions=self.reached.decisions + waiting.adopted,
            known=self.reached.known + waiting.known,
            columns=tuple(sorted(name for file, name in self.said.columns if file == str(self.source.path))),
        )
        if parts.more:
            self._note()
        else:
            self.forget()

    def part_is_in(self) -> None:
        """Let go of what the workspace has noted."""
        self.seen.clear()
        self._told = (len(self.said.errors), len(self.said.warnings))

    def forget(self) -> None:
        """Drop what was noted: the file is in as a whole."""
        if self._digest:
            self.ws.imports.forget(self._digest, self._path)

    @property
    def _path(self) -> str:
        """What the workspace calls the file: whoever reads it may be in another folder."""
        return str(self.source.path.absolute())

    def _note(self) -> None:
        self._digest = self._digest or _digest(self.source, self.how)
        self._noted = True
        errors, warnings = self.said.errors[self._told[0] :], self.said.warnings[self._told[1] :]
        remarks = [
            Remark(refused=refused, line=one.line, reason=one.reason, kind=one.kind)
            for refused, rows in ((True, errors), (False, warnings))
            for one in rows
        ]
        self.ws.imports.note(self._digest, self._path, self.reached, self.seen.new.items(), remarks)

    def _resume(self, reached: Reached) -> None:
        self.reached, self._noted = reached, True
        self.checker.new, self.checker.skipped = reached.imported, reached.skipped
        file = str(self.source.path)
        self.said.columns |= {(file, name) for name in reached.columns}
        for one in self.ws.imports.remarks(self._digest):
            rows = self.said.errors if one.refused else self.said.warnings
            rows.append(RowError(file=file, line=one.line, reason=one.reason, kind=one.kind))

    def _earlier(self, items: Sequence[str]) -> dict[str, Place]:
        return self.ws.imports.places(self._digest, items) if self._noted else {}


def _digest(source: Source, how: Reading) -> str:
    """Return what names an import: the file's bytes, and everything else that decides what comes of them."""
    told = (source.format.name, how.kind, how.reviewer, dump_taxonomy(how.taxonomy))
    digest = hashlib.sha256(msgspec.json.encode(told))
    if source.path.is_dir():
        for path in sorted(source.path.rglob("*")):
            digest.update(f"{path.relative_to(source.path)}\n{path.lstat().st_size}\n".encode())
        return digest.hexdigest()
    with source.path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
