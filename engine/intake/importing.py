"""Bring files of captured items into a workspace: every bad row is named, the good ones come in.

Rows are read in batches, screenshots of a batch are checked on a few threads, and the workspace stages what was
accepted, so memory stays bounded however long a file is. A file of up to `PART` records and decisions is one
transaction; a larger one comes in in parts of that size, so that deciding on the desk never waits long, and with each
part the workspace notes how far it is. With `strict` everything is one transaction.

An import that is killed keeps the parts that were in, and nothing of the one it was at. The same command again goes on
behind them, with the same report in the end as if nothing had happened; files that were in as a whole are passed over
row by row. Screenshots that were kept before the kill are not written twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from engine.counting import counted, fit
from engine.errors import CancelledError, InputError, NotFoundError, did_you_mean
from engine.intake.captures import Capture, quiet_pillow
from engine.intake.checking import Picture, Read, Said, Seen
from engine.intake.formats import Reading, guess, named
from engine.intake.journey import Journey, Parts, Source
from engine.intake.pictures import picture_of
from engine.intake.report import ImportReport, RowError
from engine.intake.sources import Record
from engine.taxonomy import ITEM_KINDS
from engine.types import Item
from engine.workspace import Workspace
from engine.workspace.adopting import Waiting

Progress = Callable[[int, int], None]

PART = 10_000
"""Records and decisions that come in in one transaction, which takes about a second."""
_BATCH = 64
_BATCH_BYTES = 64 << 20
_DECODERS = min(2, os.cpu_count() or 1)
_LARGE_CAPTURE = 2 << 20  # kept at once instead of waiting in memory for its batch


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
    With `strict` one bad row anywhere keeps everything out. `progress` is called with (rows read, about how many
    there are).

    Raises:
        InputError: a path does not exist or is of no known format, or there is no such kind; nothing was imported.
        CancelledError: `cancelled` said so; files (and parts of a large one) that were in before are kept.
        StorageError: the disk refused; files (and parts of a large one) that were in before are kept.
    """
    if kind and kind not in ITEM_KINDS:
        raise InputError(f"There is no kind '{kind}' of items.", did_you_mean(kind, ITEM_KINDS))
    sources = find_sources([Path(path) for path in paths], format)
    with quiet_pillow(), ThreadPoolExecutor(_DECODERS, "captures") as decoders:
        how = Reading(taxonomy=ws.taxonomy, kind=kind, reviewer=reviewer)
        run = _Import(ws, sources, how, decoders, progress, cancelled, strict=strict)
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
        if path == Path("-"):
            raise InputError("Standard input cannot be imported.", "Save it in a file, and name that.")
        check_readable_twice(path)
        chosen = named(name) if name else guess(path)
        file = chosen.locate(path)
        if not file.exists():
            raise InputError(
                f"'{path}' cannot be read as {chosen.title}: there is no '{file}'.",
                "Put that file into it, or name another format with --format.",
            )
        found.setdefault(file, Source(path=file, format=chosen))
    return list(found.values())


def check_readable_twice(path: Path) -> None:
    """Raise `NotFoundError` where there is nothing, `InputError` for what can be read only once, such as a pipe."""
    if not path.exists():
        raise NotFoundError(f"There is no file or folder '{path}'.", "Check the path.")
    if not (path.is_file() or path.is_dir()):
        raise InputError(f"'{path}' is a pipe or a device.", "Save what it gives in a file, and name that.")


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
        strict: bool,
    ) -> None:
        self.ws = ws
        self.sources = sources
        self.how = how
        self.decoders = decoders
        self.progress = progress
        self.cancelled = cancelled
        self.total = (2 if strict else 1) * sum(one.format.count(one.path) for one in sources) if progress else 0
        self.order = {str(one.path): number for number, one in enumerate(sources)}
        self.done = self.imported = self.skipped = self.decisions = self.known = 0
        self.said = Said(strict=strict)

    def report(self) -> ImportReport:
        return ImportReport(
            imported=self.imported,
            skipped=self.skipped,
            decisions=self.decisions,
            known=self.known,
            read_as={str(one.path): one.format.name for one in self.sources},
            errors=self.in_order(self.said.errors),
            warnings=self.in_order(self.said.warnings),
        )

    def in_order(self, rows: Sequence[RowError]) -> tuple[RowError, ...]:
        return tuple(sorted(rows, key=lambda row: (self.order[row.file], row.line)))

    def file_by_file(self) -> None:
        """Import each file in parts, each part in one transaction."""
        for source in self.sources:
            file = Journey(self.ws, source, self.how, self.said, self.pictures)
            if file.reached.records:
                self.advance(file.reached.records)
            parts = Parts(file.records(), PART, file.reached.records)
            while True:
                with self.ws.waiting() as waiting:
                    items = self.accepted(file, parts.part(), waiting)
                    self.ws.items.add(items, then=partial(file.arrive, waiting, parts))
                file.part_is_in()
                if not parts.more:
                    break
            self.imported += file.reached.imported
            self.skipped += file.reached.skipped
            self.decisions += file.reached.decisions
            self.known += file.reached.known

    def all_or_nothing(self) -> None:
        """Check everything without keeping anything, then import everything in one transaction."""
        for file in self.together():
            for _ in self.accepted(file, file.records(), None):
                pass
        if self.said.errors:
            return
        self.said.clear()
        files = self.together()
        try:
            with self.ws.waiting() as waiting:
                items = self.faultless(files, waiting)
                self.imported = self.ws.items.add(items, then=partial(self.all_are_in, files, waiting))
                self.decisions, self.known = waiting.adopted, waiting.known
        except _RefusedError:
            return
        self.skipped = sum(file.checker.skipped for file in files)

    def together(self) -> list[Journey]:
        """Return the files with one list of ids for all of them."""
        seen = Seen()
        return [Journey(self.ws, one, self.how, self.said, self.pictures, seen) for one in self.sources]

    def faultless(self, files: Sequence[Journey], waiting: Waiting) -> Iterator[tuple[Item, bytes | None]]:
        for file in files:
            yield from self.accepted(file, file.records(), waiting)
        if self.said.errors:
            raise _RefusedError

    def all_are_in(self, files: Sequence[Journey], waiting: Waiting) -> None:
        waiting.adopt()
        for file in files:
            file.forget()

    def accepted(
        self, file: Journey, records: Iterator[Record], waiting: Waiting | None
    ) -> Iterator[tuple[Item, bytes | None]]:
        """Give the items of a file that can come in, with their captures; note the rows that cannot.

        Their decisions go onto the waiting list; without one, nothing is kept.
        """
        for batch in _batches(records):
            if self.cancelled is not None and self.cancelled():
                raise CancelledError(_called_off(file))
            decisions = []
            for found, picture in file.checker.accept(file.source.path, batch, file.seen):
                decisions.append(found.decisions)
                if found.mends and waiting is not None and isinstance(picture, Capture):
                    self.ws.captures.store(picture.png)
                if found.new:
                    yield self.kept(found.item, picture) if waiting is not None else (found.item, None)
            if waiting is not None:
                waiting.put(decisions)
            self.advance(len(batch))

    def advance(self, records: int) -> None:
        self.done += records
        if self.progress is not None:
            self.progress(self.done, max(self.total, self.done))

    def pictures(self, folder: Path, rows: Sequence[Read]) -> Iterator[Picture]:
        """Give the rows' screenshots, checked on a few threads; a row without one costs nothing."""
        found = self.decoders.map(
            lambda one: picture_of(one.record, one.row, folder, self.ws), filter(_is_pictured, rows)
        )
        for one in rows:
            yield next(found) if _is_pictured(one) else None

    def kept(self, item: Item, picture: Picture) -> tuple[Item, bytes | None]:
        if not isinstance(picture, Capture):
            return item, None
        if len(picture.png) > _LARGE_CAPTURE:
            self.ws.captures.store(picture.png)
            return item, None
        return item, picture.png


def _is_pictured(read: Read) -> bool:
    return bool(read.record.picture is not None or read.row.screenshot or read.record.capture)


def _called_off(file: Journey) -> str:
    if not file.reached.records:
        return f"The import was cancelled; nothing of '{file.source.path}' was imported."
    records = counted(file.reached.records, "record")
    are = fit(file.reached.records, "is", "are")
    return (
        f"The import was cancelled; {records} of '{file.source.path}' {are} in, and importing it again goes on there."
    )


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
