"""Read the records of JSON lines and tables one at a time, whatever state the bytes are in.

CSV cells: `labels`, `regions`, `meta` hold JSON; `subsets` JSON or names parted by `;`; a column `label:TASK` holds one
label, or several parted by `;`. An empty cell is a field that was not given. Commas, semicolons and tabs part columns,
whichever the header uses.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from engine.errors import InputError
from engine.intake.rows import ALIASES, FIELDS
from engine.intake.tables import LONGEST_LINE, TableError, numbered_lines, table_rows, text_lines
from engine.types import Struct
from engine.workspace import GivenDecision

EXPORT_COLUMNS = frozenset({"id", "task", "act", "action", "reviewer", "undoes"})
"""Columns that only our own exported tables have all of: their rows are decisions, and their cells are left as text."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON_CELLS = ("labels", "regions", "meta")
_LABEL_COLUMN = "label:"
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_JSON_NAMES = {list: "a list", str: "a text", int: "a number", float: "a number"}


class Record(Struct, frozen=True, kw_only=True):
    """One record of a file, or what is wrong with its line. `line` counts from 1.

    `decisions` are answers that came with it, oldest first; their `item` is filled in later. Its screenshot is the
    path in the field `screenshot`, or `picture`, the bytes themselves, or `capture`, the SHA-256 of one that the
    workspace may have or that lies in the folder `captures` beside the file. `warnings` say what could not be kept.
    `size` is that of the screenshot in pixels, which may be missing; zeros where the file does not say.
    `only_answers`: it says nothing of the item but its id; where there is such an item, its decisions are added to it.
    `repeats` where a format gives an item several records, each with other decisions.
    """

    line: int
    fields: dict[str, Any] | None = None
    problem: str = ""
    decisions: tuple[GivenDecision, ...] = ()
    picture: bytes | None = None
    capture: str = ""
    size: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()
    repeats: bool = False
    only_answers: bool = False


def metadata_of(path: Path, name: str) -> Path:
    """Return the file of this name in a folder, and a file itself as it is."""
    return path / name if path.is_dir() else path


def count_lines(path: Path) -> int:
    """Return about how many records a file has, for progress; 0 for a folder."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def read_json_lines(path: Path, longest: int = LONGEST_LINE) -> Iterator[Record]:
    """Give the record of every line of a file; a line that cannot be read is a record with a `problem`.

    A line may take `longest` bytes.

    Raises:
        InputError: the file cannot be opened.
    """
    yield from _opened(path, lambda file: _read_json_lines(file, longest))


def read_csv(path: Path) -> Iterator[Record]:
    """Give the record of every row of a table; a row that cannot be read is a record with a `problem`.

    Raises:
        InputError: the file cannot be opened.
    """
    yield from _opened(path, _read_csv)


def read_records(path: Path) -> Iterator[Record]:
    """Give every record of a file of JSON lines or, where its name ends in .csv, of a table."""
    yield from (read_csv if path.suffix.lower() == ".csv" else read_json_lines)(path)


def _opened(path: Path, read: Callable[[IO[bytes]], Iterator[Record]]) -> Iterator[Record]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror}.", "Check that the file is there and that you may read it."
        ) from error
    with file:
        start = file.read(3)
        if start[:2] in _UTF16:
            yield Record(line=1, problem="the file is UTF-16; save it as UTF-8")
            return
        file.seek(3 if start == codecs.BOM_UTF8 else 0)
        yield from read(file)


def _read_json_lines(file: IO[bytes], longest: int) -> Iterator[Record]:
    for number, line in numbered_lines(file, longest):
        if line is None:
            yield Record(line=number, problem=f"the line is longer than {longest >> 20} MB")
        elif line.strip():
            yield json_record(number, line)


def json_record(number: int, line: bytes) -> Record:
    """Return the record of one JSON object, or what is wrong with it."""
    try:
        fields = msgspec.json.decode(line)
    except UnicodeDecodeError:
        return Record(line=number, problem=_not_utf8(line))
    except RecursionError:
        return Record(line=number, problem="its brackets are nested too deeply")
    except msgspec.DecodeError as error:
        problem = _not_utf8(line) or f"it is not valid JSON ({_half_a_pair(line) or error})"
        return Record(line=number, problem=problem)
    if not isinstance(fields, dict):
        shown = _JSON_NAMES.get(type(fields)) or msgspec.json.encode(fields).decode()
        return Record(line=number, problem=f"it is no JSON object but {shown}")
    return Record(line=number, fields=fields)


def _half_a_pair(line: bytes) -> str:
    """Return which escape of the line is half of a surrogate pair and so no character, or ""."""
    high: re.Match[bytes] | None = None
    for escape in _ESCAPE.finditer(line):
        code = int(escape[1], 16) if escape[1] else 0
        low = 0xDC00 <= code <= 0xDFFF
        if high is not None and not (low and escape.start() == high.end()):
            break
        if low and high is None:
            high = escape
            break
        high = escape if 0xD800 <= code <= 0xDBFF else None
    if high is None:
        return ""
    return f"{high[0].decode()} at position {high.start() + 1} is half of a surrogate pair, which is no character"


def _not_utf8(line: bytes) -> str:
    """Return what is wrong with the line's encoding, or ""."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start]
        return f"it is not UTF-8 (byte 0x{byte:02x} at position {error.start + 1}); save the file as UTF-8"
    return ""


# --- CSV ----------------------------------------------------------------------------------------------------------


def _read_csv(file: IO[bytes]) -> Iterator[Record]:
    rows = table_rows(text_lines(file))
    try:
        header = [name.strip() for name in next(rows, (1, []))[1]]
        problem = _header_problem(header)
        if problem:
            yield Record(line=1, problem=problem)
            return
        for line, cells in rows:
            if cells:
                yield _csv_record(line, header, cells)
    except TableError as error:
        yield Record(line=error.line, problem=unreadable(error))


def unreadable(error: TableError) -> str:
    """Return what to say of the row behind which nothing of a table could be read."""
    return f"the row that starts here cannot be read: {error.reason} (the rest of the file was left out)"


def _header_problem(header: Sequence[str]) -> str:
    if not any(header):
        return "the file is empty; its first line must name the columns"
    if _broken("".join(header)):
        return "the header is not UTF-8; save the file as UTF-8"
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        return f"the column '{twice[0]}' comes twice"
    if not set(header) & {"id", "screenshot", *ALIASES}:
        return f"the first line must name the columns, `id` among them; it has: {', '.join(header)[:200]}"
    return ""


def _broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _csv_record(line: int, header: Sequence[str], cells: Sequence[str]) -> Record:
    if any(_broken(cell) for cell in cells):
        return Record(line=line, problem="it is not UTF-8; save the file as UTF-8")
    if len(cells) != len(header):
        has = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        wants = "1 column" if len(header) == 1 else f"{len(header)} columns"
        return Record(line=line, problem=f"it has {has}, but the header has {wants}")
    if EXPORT_COLUMNS.issubset(header):
        return Record(line=line, fields=dict(zip(header, cells, strict=True)))
    fields: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        if not cell.strip():
            continue
        if name.startswith(_LABEL_COLUMN):
            labels[name.removeprefix(_LABEL_COLUMN).strip()] = _parts(cell)
            continue
        try:
            fields[name] = _cell(name, cell)
        except (msgspec.DecodeError, RecursionError):
            return Record(line=line, problem=f"`{name}` is not valid JSON: {cell[:60]!r}{_way_out(name)}")
    if labels and isinstance(fields.setdefault("labels", {}), dict):
        fields["labels"] = {**labels, **fields["labels"]}
    return Record(line=line, fields=fields)


def _way_out(name: str) -> str:
    return (
        "; put plain labels in a column named `label:TASK`, with the task's name for TASK" if name == "labels" else ""
    )


def _cell(name: str, cell: str) -> object:
    if name in _JSON_CELLS:
        return msgspec.json.decode(cell)
    if name == "subsets":
        return msgspec.json.decode(cell) if cell.lstrip().startswith("[") else _parts(cell)
    return cell


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


def near_miss(name: str) -> str:
    """Return the field that an unknown column's name was probably meant to be, or ""."""
    import difflib

    if name in FIELDS or name in ALIASES or name.startswith(_LABEL_COLUMN):
        return ""
    near = difflib.get_close_matches(name.lower(), FIELDS, n=1, cutoff=0.8)
    return near[0] if near else ""
