"""Bring files of captured items into a workspace: every bad row is named, the good ones of a file come in together.

Rows are read in batches, screenshots of a batch are checked on a few threads, and the workspace stages what was
accepted, so memory stays bounded however long a file is. Each file is one transaction; with `strict` all of them are.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import msgspec

from engine.errors import CancelledError
from engine.intake.captures import Capture, CaptureError, quiet_pillow, read_capture
from engine.intake.report import ImportReport, RowError
from engine.intake.rows import BadRowError, Row, read_row
from engine.intake.sources import Record, count_lines, find_files, near_miss, read_records
from engine.types import Item
from engine.workspace import Workspace
from engine.workspace.captures import digest

Progress = Callable[[int, int], None]
Accepted = tuple[Item, bytes | None]

_BATCH = 64
_DECODERS = min(2, os.cpu_count() or 1)
_LARGE_CAPTURE = 2 << 20  # kept at once instead of waiting in memory for its batch


def import_paths(
    ws: Workspace,
    paths: Sequence[Path | str],
    *,
    strict: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import JSON lines, CSV files and folders of images with `metadata.jsonl`.

    An item that is already there with the same content is skipped; with other content its row is an error. With
    `strict` one bad row anywhere keeps everything out. `progress` is called with (rows read, about how many there are).

    Raises:
        InputError: a path does not exist or is of no known kind; nothing was imported.
        CancelledError: `cancelled` said so; files that were finished before are kept.
        StorageError: the disk refused; files that were finished before are kept.
    """
    files = find_files([Path(path) for path in paths])
    with quiet_pillow(), ThreadPoolExecutor(_DECODERS, "captures") as decoders:
        run = _Import(ws, files, decoders, progress, cancelled, passes=2 if strict else 1)
        if strict:
            run.all_or_nothing(files)
        else:
            for file in files:
                run.seen.clear()
                run.imported += ws.items.add(run.accepted(file))
    return run.report()


class _RefusedError(Exception):
    """A strict import found a bad row after all (a file changed between its check and its import)."""


class _Import:
    """One call of `import_paths`: what was counted and found so far."""

    def __init__(
        self,
        ws: Workspace,
        files: Sequence[Path],
        decoders: ThreadPoolExecutor,
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
        *,
        passes: int,
    ) -> None:
        self.ws = ws
        self.decoders = decoders
        self.progress = progress
        self.cancelled = cancelled
        self.total = passes * sum(count_lines(file) for file in files) if progress else 0
        self.order = {str(file): number for number, file in enumerate(files)}
        self.done = self.imported = self.skipped = 0
        self.seen: dict[str, str] = {}
        self.errors: list[RowError] = []
        self.warnings: list[RowError] = []
        self.remarked: set[tuple[Path, str]] = set()

    def report(self) -> ImportReport:
        errors, warnings = self.in_order(self.errors), self.in_order(self.warnings)
        return ImportReport(imported=self.imported, skipped=self.skipped, errors=errors, warnings=warnings)

    def in_order(self, rows: Sequence[RowError]) -> tuple[RowError, ...]:
        return tuple(sorted(rows, key=lambda row: (self.order[row.file], row.line)))

    def all_or_nothing(self, files: Sequence[Path]) -> None:
        """Check everything without keeping anything, then import everything in one transaction."""
        for file in files:
            for _ in self.accepted(file, keep=False):
                pass
        if self.errors:
            self.skipped = 0
            return
        self.seen.clear()
        self.warnings.clear()
        self.remarked.clear()
        self.skipped = 0
        try:
            self.imported = self.ws.items.add(self.faultless(files))
        except _RefusedError:
            self.skipped = 0

    def faultless(self, files: Sequence[Path]) -> Iterator[Accepted]:
        for file in files:
            yield from self.accepted(file)
        if self.errors:
            raise _RefusedError

    def accepted(self, file: Path, *, keep: bool = True) -> Iterator[Accepted]:
        """Give the items of a file that can come in, with their captures; note the rows that cannot."""
        records = read_records(file)
        while batch := list(itertools.islice(records, _BATCH)):
            if self.cancelled is not None and self.cancelled():
                raise CancelledError(f"The import was cancelled; nothing of '{file}' was imported.")
            rows = [(record.line, row) for record in batch if (row := self.row(file, record)) is not None]
            known = self.ws.items.exists([row.item.id for _, row in rows])
            captures = self.decoders.map(lambda row: _capture(file.parent, row[1].screenshot), rows)
            for (line, row), capture in zip(rows, captures, strict=True):
                if isinstance(capture, CaptureError):
                    self.refuse(file, line, f"screenshot '{row.screenshot}': {capture.message}")
                    continue
                item = self.complete(file, line, row, capture)
                if not self.already_there(file, line, item, known):
                    yield self.kept(item, capture) if keep else (item, None)
            self.done += len(batch)
            if self.progress is not None:
                self.progress(self.done, max(self.total, self.done))

    def row(self, file: Path, record: Record) -> Row | None:
        if record.fields is None:
            self.refuse(file, record.line, record.problem)
            return None
        self.remark_on_columns(file, record)
        try:
            row = read_row(record.fields, self.ws.taxonomy)
        except BadRowError as error:
            self.refuse(file, record.line, error.message)
            return None
        first = self.seen.setdefault(row.item.id, f"line {record.line} of '{file.name}'")
        if first != f"line {record.line} of '{file.name}'":
            self.refuse(file, record.line, f"the id '{row.item.id}' is already on {first}")
            return None
        return row

    def complete(self, file: Path, line: int, row: Row, capture: Capture | None) -> Item:
        """Return the item with its capture's digest and size; note what was mended."""
        for warning in row.warnings:
            self.warn(file, line, warning)
        if capture is None:
            return row.item
        if capture.changed:
            reason = f"screenshot '{row.screenshot}': {capture.changed}"
            self.warn(file, line, reason, kind=f"screenshot: {capture.changed}")
        outside = [
            name
            for name, boxes in row.item.regions.items()
            if any(x >= capture.width or y >= capture.height or x + w <= 0 or y + h <= 0 for x, y, w, h in boxes)
        ]
        if outside:
            self.warn(file, line, f"the region '{outside[0]}' lies outside the screenshot")
        width, height = capture.width, capture.height
        return msgspec.structs.replace(row.item, capture=digest(capture.png), width=width, height=height)

    def already_there(self, file: Path, line: int, item: Item, known: set[str]) -> bool:
        if item.id not in known:
            return False
        old = self.ws.items.get(item.id)
        # The workspace assigns splits where an import leaves them open; that makes no other item.
        new = item if item.split else msgspec.structs.replace(item, split=old.split)
        if new == old:
            self.skipped += 1
        else:
            self.refuse(file, line, f"the workspace already has an item '{item.id}' with other content")
        return True

    def kept(self, item: Item, capture: Capture | None) -> Accepted:
        if capture is not None and len(capture.png) > _LARGE_CAPTURE:
            self.ws.captures.store(capture.png)
            return item, None
        return item, None if capture is None else capture.png

    def remark_on_columns(self, file: Path, record: Record) -> None:
        for name in record.fields or ():
            if (file, name) not in self.remarked and (near := near_miss(name)):
                self.warn(file, record.line, f"the unknown column '{name}' is kept in meta; did you mean '{near}'?")
            self.remarked.add((file, name))

    def refuse(self, file: Path, line: int, reason: str) -> None:
        self.errors.append(RowError(file=str(file), line=line, reason=reason))

    def warn(self, file: Path, line: int, reason: str, *, kind: str = "") -> None:
        self.warnings.append(RowError(file=str(file), line=line, reason=reason, kind=kind))


def _capture(folder: Path, screenshot: str) -> Capture | CaptureError | None:
    """Return a row's checked screenshot, what is wrong with it, or None where it has none."""
    if not screenshot:
        return None
    try:
        return read_capture(_inside(folder, screenshot))
    except CaptureError as error:
        return error


def _inside(folder: Path, screenshot: str) -> Path:
    """Return the screenshot's path, which must not lead out of the import file's folder, also not through links."""
    parts = PurePosixPath(screenshot)
    if parts.is_absolute() or ".." in parts.parts:
        raise CaptureError("the path must be relative to the file and stay in its folder")
    try:
        path = (folder / parts).resolve()
        inside = path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise CaptureError(f"it is no usable path ({error})") from error
    if not inside:
        raise CaptureError("it is a link that leads out of the file's folder")
    return path
