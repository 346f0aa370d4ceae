"""Which records of a file can come in, as which items and decisions; every one that cannot is named with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from engine.counting import counted
from engine.errors import EngineError
from engine.intake.captures import Capture, CaptureError
from engine.intake.formats import Reading
from engine.intake.report import RowError
from engine.intake.rows import BadRowError, Row, read_row
from engine.intake.sources import Record, near_miss
from engine.types import Item, Struct
from engine.workspace import GivenDecision, Workspace
from engine.workspace.captures import digest
from engine.workspace.imports import Place

Picture = Capture | CaptureError | None

_BROUGHT_BACK = (
    "its screenshot was missing or damaged in the workspace and was brought back; verdicts that were made meanwhile did"
    " not see it: secondlook score --again makes them anew"
)
_CALLED = {"truths": "labels", "capture": "screenshot", "width": "screenshot", "height": "screenshot"}
_NOT_CROSSED_OUT = "its decisions came in without crossing that out"


class Accepted(Struct, frozen=True, kw_only=True):
    """What a record brings: an item, whether it is new to the workspace, and its decisions, oldest first.

    `mends` says that the workspace's own file of its screenshot is missing or damaged.
    """

    item: Item
    new: bool
    mends: bool = False
    decisions: list[GivenDecision]


class Read(Struct, frozen=True, kw_only=True):
    """A record and the row that it makes."""

    record: Record
    row: Row


class Said:
    """What was said of rows: errors, warnings, and the columns that were remarked on.

    With `strict` a row that loses something is an error.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self.errors: list[RowError] = []
        self.warnings: list[RowError] = []
        self.columns: set[tuple[str, str]] = set()

    def clear(self) -> None:
        """Forget everything."""
        self.errors.clear()
        self.warnings.clear()
        self.columns.clear()

    def refuse(self, file: Path, line: int, reason: str) -> None:
        """Note a row that does not come in."""
        self.errors.append(RowError(file=str(file), line=line, reason=reason))

    def lose(self, file: Path, line: int, reason: str, lost: str) -> None:
        """Note a row that comes in without something; `lost` says without what."""
        if self._strict:
            self.refuse(file, line, reason)
        else:
            self.warn(file, line, f"{reason}; {lost}", kind=lost)

    def warn(self, file: Path, line: int, reason: str, *, kind: str = "") -> None:
        """Note a row that needed mending."""
        self.warnings.append(RowError(file=str(file), line=line, reason=reason, kind=kind))


class Seen:
    """Where each id of an import stands first. Those that `earlier` knows need not be held in memory."""

    def __init__(self, earlier: Callable[[Sequence[str]], dict[str, Place]] | None = None) -> None:
        self.new: dict[str, Place] = {}
        self._files: dict[str, Path] = {}
        self._earlier = earlier
        self._found: dict[str, Place] = {}

    def clear(self) -> None:
        """Let go of the ids that are held in memory."""
        self.new.clear()
        self._files.clear()

    def look_up(self, items: Sequence[str]) -> None:
        """Find out which of these ids came in with earlier parts; to be called before they are asked for."""
        self._found = self._earlier(items) if self._earlier is not None else {}

    def place(self, item: str) -> Place | None:
        """Return where an id stands, None where it has not come yet."""
        return self.new.get(item) or self._found.get(item)

    def put(self, item: str, file: Path, place: Place) -> None:
        """Note where an id stands."""
        self.new[item] = place
        self._files[item] = file

    def words(self, item: str, file: Path) -> str:
        """Return where an id stands in words; `file` is the one that is read now."""
        place = self.place(item)
        return f"line {place.line if place else 0} of '{self._files.get(item, file).name}'"

    def is_first(self, item: str, file: Path, line: int) -> bool:
        """Whether an id stands first in this line of the file that is read now."""
        place = self.place(item)
        return place is not None and place.line == line and self._files.get(item, file) == file


class Pictures(Protocol):
    """Finds the screenshots of rows, in their order."""

    def __call__(self, folder: Path, rows: Sequence[Read]) -> Iterator[Picture]:
        """Return each row's checked screenshot, what is wrong with it, or None where it has none."""


class Checker:
    """Turns batches of a file's records into what comes in.

    `new` counts the items that are new to the workspace, `skipped` those that are there already.
    """

    def __init__(self, ws: Workspace, how: Reading, said: Said, pictures: Pictures) -> None:
        self.ws = ws
        self.how = how
        self.said = said
        self.pictures = pictures
        self.new = self.skipped = 0

    def accept(self, file: Path, batch: Sequence[Record], seen: Seen) -> Iterator[tuple[Accepted, Picture]]:
        """Give what a batch of records brings, with the screenshots of its items."""
        rows = list(self._rows(file, batch, seen))
        known = self.ws.items.exists([one.row.item.id for one in rows])
        folder = file if file.is_dir() else file.parent
        for read, picture in zip(rows, self.pictures(folder, rows), strict=True):
            found = self._accepted(file, read, picture, known, seen)
            if found is not None:
                self.new += found.new
                yield found, picture

    def _rows(self, file: Path, batch: Sequence[Record], seen: Seen) -> Iterator[Read]:
        read = [(record, self._row(file, record)) for record in batch]
        seen.look_up([row.item.id for _, row in read if row is not None])
        for record, row in read:
            if row is None:
                continue
            if seen.place(row.item.id) is None:
                seen.put(row.item.id, file, Place(line=record.line))
            elif not record.repeats:
                where = seen.words(row.item.id, file)
                self.said.refuse(file, record.line, f"the id '{row.item.id}' is already on {where}")
                continue
            yield Read(record=record, row=row)

    def _row(self, file: Path, record: Record) -> Row | None:
        if record.fields is None:
            self.said.refuse(file, record.line, record.problem)
            return None
        self._remark_on_columns(file, record)
        fields = {**record.fields, "kind": self._kind(record)}
        try:
            return read_row(fields, self.ws.taxonomy, pictured=bool(record.picture or record.capture))
        except BadRowError as error:
            self.said.refuse(file, record.line, error.message)
            return None

    def _kind(self, record: Record) -> object:
        """Return the kind of a record's item: what it says, else what the workspace or the command says."""
        fields = record.fields or {}
        if record.only_answers and self.ws.items.exists([str(fields.get("id"))]):
            return self.ws.items.get(str(fields["id"])).kind
        return fields.get("kind") or self.how.kind

    def _accepted(self, file: Path, read: Read, picture: Picture, known: set[str], seen: Seen) -> Accepted | None:
        """Return what a row brings; None where it is refused, which is noted."""
        record = read.record
        item = self._item(file, read, picture, known)
        if item is None:
            return None
        first = seen.is_first(item.id, file, record.line)
        if not first and not self._repeated(file, record.line, item, seen):
            return None
        if first and item.id in known and not self._the_same(file, record.line, item):
            return None
        try:
            given, faults = self.ws.decisions.fitting(item, record.decisions, record.size)
        except EngineError as error:
            self.said.refuse(file, record.line, f"{error}".rstrip("."))
            return None
        if faults:
            self.said.lose(file, record.line, _in_one(faults), _NOT_CROSSED_OUT)
        if record.repeats and first:
            seen.put(item.id, file, Place(line=record.line, mark=_mark(item)))
        new = first and item.id not in known
        mends = not new and picture is not None and self._mends(file, record.line, item)
        return Accepted(item=item, new=new, mends=mends, decisions=given)

    def _mends(self, file: Path, line: int, item: Item) -> bool:
        """Whether the screenshot of an item that is there already has to be brought back; note it."""
        mends = item.capture is not None and not self.ws.captures.is_intact(item.capture)
        if mends:
            self.said.warn(file, line, _BROUGHT_BACK)
        return mends

    def _item(self, file: Path, read: Read, picture: Picture, known: set[str]) -> Item | None:
        """Return a row's item with its screenshot; None where there is nothing to review, which is noted."""
        record, row = read.record, read.row
        name = f"screenshot '{row.screenshot}'" if row.screenshot else "the screenshot"
        if isinstance(picture, CaptureError):
            self.said.refuse(file, record.line, f"{name}: {picture.message}")
            return None
        item = self._complete(file, read, picture, name)
        if record.only_answers and item.id in known:
            item = self.ws.items.get(item.id)
        if not (item.text.strip() or item.title.strip() or item.capture):
            reason = "it has no text or title, and its screenshot is not here: nothing to review"
            self.said.refuse(file, record.line, reason)
            return None
        return item

    def _complete(self, file: Path, read: Read, picture: Capture | None, name: str) -> Item:
        """Return the item with its capture's digest and size; note what was mended."""
        record, row = read.record, read.row
        for warning in (*row.warnings, *record.warnings):
            self.said.warn(file, record.line, warning)
        if picture is None:
            if record.capture:
                reason = "its screenshot is not here; it came in without: put the folder `captures` beside the file"
                self.said.warn(file, record.line, reason)
            return row.item
        if picture.changed:
            self.said.warn(file, record.line, f"{name}: {picture.changed}", kind=f"screenshot: {picture.changed}")
        outside = [
            region
            for region, boxes in row.item.regions.items()
            if any(x >= picture.width or y >= picture.height or x + w <= 0 or y + h <= 0 for x, y, w, h in boxes)
        ]
        if outside:
            self.said.warn(file, record.line, f"the region '{outside[0]}' lies outside the screenshot")
        width, height = picture.width, picture.height
        return msgspec.structs.replace(row.item, capture=digest(picture.png), width=width, height=height)

    def _repeated(self, file: Path, line: int, item: Item, seen: Seen) -> bool:
        """Whether a further record of an item says the same of it as the first; note it where not."""
        place = seen.place(item.id)
        first = place.mark if place is not None else b""
        if first == _mark(item):
            return True
        what = "with other content or labels" if first else "whose item was refused"
        hint = "; where its answers name nobody, say whose they are with --reviewer" if first else ""
        where = seen.words(item.id, file)
        self.said.refuse(file, line, f"the id '{item.id}' is already on {where}, {what}{hint}")
        return False

    def _the_same(self, file: Path, line: int, item: Item) -> bool:
        """Whether the item that is there already is this one; note it."""
        old = self.ws.items.get(item.id)
        # The workspace assigns splits where an import leaves them open; that makes no other item.
        new = item if item.split else msgspec.structs.replace(item, split=old.split)
        if new == old:
            self.skipped += 1
        else:
            same = msgspec.structs.replace(new, truths=old.truths) == old
            hint = "labels; say whose answers they are with --reviewer" if same else f"content ({_differing(new, old)})"
            self.said.refuse(file, line, f"the workspace already has an item '{item.id}' with other {hint}")
        return new == old

    def _remark_on_columns(self, file: Path, record: Record) -> None:
        for name in record.fields or ():
            if (str(file), name) not in self.said.columns and (near := near_miss(name)):
                reason = f"the unknown column '{name}' is kept in meta; did you mean '{near}'?"
                self.said.warn(file, record.line, reason)
            self.said.columns.add((str(file), name))


def _in_one(faults: Sequence[str]) -> str:
    """Return what is wrong with parts that are crossed out as one clause: the first, and how many more there are."""
    first = faults[0].rstrip(".")
    more = f" (and {counted(len(faults) - 1, 'more part')})" if len(faults) > 1 else ""
    return f"{first[:1].lower()}{first[1:]}{more}"


def _differing(new: Item, old: Item) -> str:
    """Return the columns in which two items differ, as files call them; of `meta` each name."""
    fields = [name for name in new.__struct_fields__ if getattr(new, name) != getattr(old, name)]
    called = [_CALLED.get(name, name) for name in fields if name != "meta"]
    metas = sorted(
        name for name in new.meta.keys() | old.meta.keys() if new.meta.get(name, ...) != old.meta.get(name, ...)
    )
    return ", ".join(dict.fromkeys([*called, *(f"meta '{name}'" for name in metas)]))


def _mark(item: Item) -> bytes:
    """Return what tells whether two lines describe the same item."""
    return hashlib.blake2b(msgspec.json.encode(item), digest_size=16).digest()
