"""Bring files of captured items into a workspace: every bad row is named, the good ones of a file come in together.

Rows are read in batches, screenshots of a batch are checked on a few threads, and the workspace stages what was
accepted, so memory stays bounded however long a file is. Each file is one transaction; with `strict` all of them are.

An import that is killed leaves nothing of the file that it was at, and everything of the files before: the same
command again passes over what is there and goes on. Screenshots that were kept before the kill are not written twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from engine.errors import CancelledError, EngineError, InputError, NotFoundError
from engine.intake.captures import Capture, CaptureError, quiet_pillow
from engine.intake.formats import Format, Reading, guess, named
from engine.intake.pictures import picture_of
from engine.intake.report import ImportReport, RowError
from engine.intake.rows import BadRowError, Row, read_row
from engine.intake.sources import Record, near_miss
from engine.types import Item, Struct
from engine.workspace import GivenDecision, Workspace
from engine.workspace.adopting import Waiting
from engine.workspace.captures import digest

Progress = Callable[[int, int], None]
Accepted = tuple[Item, bytes | None]

_BATCH = 64
_BATCH_BYTES = 64 << 20
_DECODERS = min(2, os.cpu_count() or 1)
_LARGE_CAPTURE = 2 << 20  # kept at once instead of waiting in memory for its batch


class Source(Struct, frozen=True, kw_only=True):
    """A file to import and the format to read it as."""

    path: Path
    format: Format


class _Read(Struct, frozen=True, kw_only=True):
    """A record and the row that it makes."""

    record: Record
    row: Row


def import_paths(
    ws: Workspace,
    paths: Sequence[Path | str],
    *,
    format: str = "",  # noqa: A002 - the option's name everywhere
    kind: str = "",
    reviewer: str = "",
    strict: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import files and folders of the formats in `FORMATS`; `format` names one, else each file's is guessed.

    An item that is already there with the same content is skipped; with other content its row is an error. Decisions
    that came with items are recorded as they were made, those that are there already are passed over. `kind` is the
    kind of items whose file does not say it, `reviewer` who gave the answers of a file that names nobody.
    With `strict` one bad row anywhere keeps everything out. `progress` is
    called with (rows read, about how many there are).

    Raises:
        InputError: a path does not exist or is of no known format; nothing was imported.
        CancelledError: `cancelled` said so; files that were finished before are kept.
        StorageError: the disk refused; files that were finished before are kept.
    """
    sources = find_sources([Path(path) for path in paths], format)
    with quiet_pillow(), ThreadPoolExecutor(_DECODERS, "captures") as decoders:
        how = Reading(taxonomy=ws.taxonomy, kind=kind, reviewer=reviewer)
        run = _Import(ws, sources, how, decoders, progress, cancelled, passes=2 if strict else 1)
        if strict:
            run.all_or_nothing()
        else:
            run.file_by_file()
    return run.report()


def find_sources(paths: Sequence[Path], name: str = "") -> list[Source]:
    """Return what to import, each file once.

    Raises:
        NotFoundError: a path does not exist.
        InputError: there is no such format, or a path looks like none.
    """
    found: dict[Path, Source] = {}
    for path in paths:
        if not path.exists():
            raise NotFoundError(f"There is no file or folder '{path}'.", "Check the path.")
        chosen = named(name) if name else guess(path)
        file = chosen.locate(path)
        if not file.exists():
            raise InputError(f"'{path}' cannot be read as {chosen.title}: there is no '{file}'.")
        found.setdefault(file, Source(path=file, format=chosen))
    return list(found.values())


class _RefusedError(Exception):
    """A strict import found a bad row after all (a file changed between its check and its import)."""


class _Import:
    """One call of `import_paths`: what was counted and found so far."""

    def __init__(
        self,
        ws: Workspace,
        sources: Sequence[Source],
        how: Reading,
        decoders: ThreadPoolExecutor,
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
        *,
        passes: int,
    ) -> None:
        self.ws = ws
        self.sources = sources
        self.how = how
        self.decoders = decoders
        self.progress = progress
        self.cancelled = cancelled
        self.total = passes * sum(one.format.count(one.path) for one in sources) if progress else 0
        self.order = {str(one.path): number for number, one in enumerate(sources)}
        self.done = self.imported = self.skipped = self.decisions = self.known = 0
        self.seen: dict[str, tuple[str, bytes]] = {}
        self.errors: list[RowError] = []
        self.warnings: list[RowError] = []
        self.remarked: set[tuple[Path, str]] = set()

    def report(self) -> ImportReport:
        return ImportReport(
            imported=self.imported,
            skipped=self.skipped,
            decisions=self.decisions,
            known=self.known,
            read_as={str(one.path): one.format.name for one in self.sources},
            errors=self.in_order(self.errors),
            warnings=self.in_order(self.warnings),
        )

    def in_order(self, rows: Sequence[RowError]) -> tuple[RowError, ...]:
        return tuple(sorted(rows, key=lambda row: (self.order[row.file], row.line)))

    def file_by_file(self) -> None:
        for source in self.sources:
            self.seen.clear()
            with self.ws.waiting() as waiting:
                self.take_in(self.accepted(source, waiting), waiting)

    def all_or_nothing(self) -> None:
        """Check everything without keeping anything, then import everything in one transaction."""
        for source in self.sources:
            for _ in self.accepted(source, None):
                pass
        self.skipped = 0
        if self.errors:
            return
        self.seen.clear()
        self.warnings.clear()
        self.remarked.clear()
        try:
            with self.ws.waiting() as waiting:
                self.take_in(self.faultless(waiting), waiting)
        except _RefusedError:
            self.skipped = 0

    def take_in(self, items: Iterator[Accepted], waiting: Waiting) -> None:
        self.imported += self.ws.items.add(items, then=waiting.adopt)
        self.decisions += waiting.adopted
        self.known += waiting.known

    def faultless(self, waiting: Waiting) -> Iterator[Accepted]:
        for source in self.sources:
            yield from self.accepted(source, waiting)
        if self.errors:
            raise _RefusedError

    def accepted(self, source: Source, waiting: Waiting | None) -> Iterator[Accepted]:
        """Give the items of a file that can come in, with their captures; note the rows that cannot.

        Their decisions go onto the waiting list; without one, nothing is kept.
        """
        assert source.format.read is not None
        file = source.path
        for batch in _batches(source.format.read(file, self.how)):
            if self.cancelled is not None and self.cancelled():
                raise CancelledError(f"The import was cancelled; nothing of '{file}' was imported.")
            rows = [_Read(record=record, row=row) for record in batch if (row := self.row(file, record)) is not None]
            known = self.ws.items.exists([one.row.item.id for one in rows])
            folder = file if file.is_dir() else file.parent
            pictures = self.decoders.map(lambda one, at=folder: picture_of(one.record, one.row, at, self.ws), rows)
            decisions: list[list[GivenDecision]] = []
            for read, picture in zip(rows, pictures, strict=True):
                found = self.item(file, read, picture, known)
                if found is None:
                    continue
                item, given, new = found
                decisions.append(given)
                if new:
                    yield self.kept(item, picture) if waiting is not None else (item, None)
            if waiting is not None:
                waiting.put(decisions)
            self.done += len(batch)
            if self.progress is not None:
                self.progress(self.done, max(self.total, self.done))

    def row(self, file: Path, record: Record) -> Row | None:
        if record.fields is None:
            self.refuse(file, record.line, record.problem)
            return None
        self.remark_on_columns(file, record)
        has_picture = bool(record.picture or record.capture)
        fields = {**record.fields, "kind": self.kind_of(record)}
        try:
            row = read_row(fields, self.ws.taxonomy, pictured=has_picture)
        except BadRowError as error:
            self.refuse(file, record.line, error.message)
            return None
        if row.item.id in self.seen and not record.repeats:
            self.refuse(file, record.line, f"the id '{row.item.id}' is already on {self.seen[row.item.id][0]}")
            return None
        self.seen.setdefault(row.item.id, (f"line {record.line} of '{file.name}'", b""))
        return row

    def kind_of(self, record: Record) -> object:
        """Return the kind of a record's item: what it says, else what the workspace or the command says."""
        fields = record.fields or {}
        if record.only_answers and self.ws.items.exists([str(fields.get("id"))]):
            return self.ws.items.get(str(fields["id"])).kind
        return fields.get("kind") or self.how.kind

    def item(
        self, file: Path, read: _Read, picture: Capture | CaptureError | None, known: set[str]
    ) -> tuple[Item, list[GivenDecision], bool] | None:
        """Return a row's item, decisions, and whether the item is new; None where it is refused, which is noted."""
        record, row = read.record, read.row
        name = f"screenshot '{row.screenshot}'" if row.screenshot else "the screenshot"
        if isinstance(picture, CaptureError):
            self.refuse(file, record.line, f"{name}: {picture.message}")
            return None
        item = self.complete(file, read, picture, name)
        if record.only_answers and item.id in known:
            item = self.ws.items.get(item.id)
        if not (item.text or item.title or item.capture):
            self.refuse(file, record.line, "it has no text or title, and its screenshot is not here: nothing to review")
            return None
        place, first = self.seen[item.id]
        again = place != f"line {record.line} of '{file.name}'"
        if again and first != _fingerprint(item):
            what = "whose item was refused" if not first else "with other content or labels"
            hint = "" if not first else "; where its answers name nobody, say whose they are with --reviewer"
            self.refuse(file, record.line, f"the id '{item.id}' is already on {place}, {what}{hint}")
            return None
        if item.id in known and not again and not self.the_same(file, record.line, item):
            return None
        try:
            given = self.ws.decisions.fitting(item, record.decisions)
        except EngineError as error:
            self.refuse(file, record.line, f"{error}".rstrip("."))
            return None
        if record.repeats and not again:
            self.seen[item.id] = (place, _fingerprint(item))
        return item, given, not again and item.id not in known

    def complete(self, file: Path, read: _Read, picture: Capture | None, name: str) -> Item:
        """Return the item with its capture's digest and size; note what was mended."""
        record, row = read.record, read.row
        for warning in (*row.warnings, *record.warnings):
            self.warn(file, record.line, warning)
        if picture is None:
            if record.capture:
                reason = "its screenshot is not here; it came in without: put the folder `captures` beside the file"
                self.warn(file, record.line, reason)
            return row.item
        if picture.changed:
            self.warn(file, record.line, f"{name}: {picture.changed}", kind=f"screenshot: {picture.changed}")
        outside = [
            region
            for region, boxes in row.item.regions.items()
            if any(x >= picture.width or y >= picture.height or x + w <= 0 or y + h <= 0 for x, y, w, h in boxes)
        ]
        if outside:
            self.warn(file, record.line, f"the region '{outside[0]}' lies outside the screenshot")
        width, height = picture.width, picture.height
        return msgspec.structs.replace(row.item, capture=digest(picture.png), width=width, height=height)

    def the_same(self, file: Path, line: int, item: Item) -> bool:
        """Whether the item that is there already is this one; note it."""
        old = self.ws.items.get(item.id)
        # The workspace assigns splits where an import leaves them open; that makes no other item.
        new = item if item.split else msgspec.structs.replace(item, split=old.split)
        if new == old:
            self.skipped += 1
        else:
            same = msgspec.structs.replace(new, truths=old.truths) == old
            hint = "labels; say whose answers they are with --reviewer" if same else "content"
            self.refuse(file, line, f"the workspace already has an item '{item.id}' with other {hint}")
        return new == old

    def kept(self, item: Item, picture: Capture | CaptureError | None) -> Accepted:
        if not isinstance(picture, Capture):
            return item, None
        if len(picture.png) > _LARGE_CAPTURE:
            self.ws.captures.store(picture.png)
            return item, None
        return item, picture.png

    def remark_on_columns(self, file: Path, record: Record) -> None:
        for name in record.fields or ():
            if (file, name) not in self.remarked and (near := near_miss(name)):
                self.warn(file, record.line, f"the unknown column '{name}' is kept in meta; did you mean '{near}'?")
            self.remarked.add((file, name))

    def refuse(self, file: Path, line: int, reason: str) -> None:
        self.errors.append(RowError(file=str(file), line=line, reason=reason))

    def warn(self, file: Path, line: int, reason: str, *, kind: str = "") -> None:
        self.warnings.append(RowError(file=str(file), line=line, reason=reason, kind=kind))


def _fingerprint(item: Item) -> bytes:
    """Return what tells whether two lines describe the same item."""
    return hashlib.blake2b(msgspec.json.encode(item), digest_size=16).digest()


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Give records together, fewer where they carry large pictures."""
    batch: list[Record] = []
    held = 0
    for record in records:
        batch.append(record)
        held += len(record.picture or b"")
        if len(batch) == _BATCH or held > _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
