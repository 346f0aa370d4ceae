"""JSON lines: one object per item, with the import's field names (`labels` is the ground truth of the import).

The export adds `capture` (SHA-256 of the screenshot), `resolved`, `verdict`, `decisions` and `annotations` (what was
crossed out). Read back, every decision comes in as it was made; what follows from them is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.intake.captures import LONGEST_SIDE
from engine.intake.formats.base import Format, Reading, Writing, written_whole
from engine.intake.formats.given import given_of
from engine.intake.formats.known import Known, answer_of, answers, known_items
from engine.intake.formats.sniffing import first_objects
from engine.intake.report import ExportReport
from engine.intake.rows import ALIASES, FIELDS
from engine.intake.sources import Record, metadata_of, read_json_lines
from engine.types import Annotation, Decision
from engine.workspace import Workspace

_OF_AN_EXPORT = {"resolved", "verdict", "decisions", "annotations"}
_SUFFIXES = (".jsonl", ".ndjson")


def sniff(path: Path) -> float:
    """Return how much a file looks like JSON lines of items, or a folder as if it held some."""
    if path.is_dir():
        return 0.6 if (path / "metadata.jsonl").is_file() else 0.0
    known = {*FIELDS, *ALIASES} - {"text"}
    if any(known.intersection(one) for one in first_objects(path)):
        return 0.6
    return 0.4 if path.suffix.lower() in _SUFFIXES else 0.0


def locate(path: Path) -> Path:
    """Return the file to read: a folder's metadata.jsonl, else the path itself."""
    return metadata_of(path, "metadata.jsonl")


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give the record of each line; a line of our own export with its decisions."""
    del how
    for record in read_json_lines(path):
        ours = record.fields is not None and record.fields.keys() >= _OF_AN_EXPORT
        yield _exported(record) if ours else record


def _exported(record: Record) -> Record:
    fields = dict(record.fields or {})
    told = {name: fields.pop(name, None) for name in (*_OF_AN_EXPORT, "capture", "width", "height")}
    try:
        decisions = msgspec.convert(told["decisions"], list[Decision])
        annotations = msgspec.convert(told["annotations"], list[Annotation])
    except msgspec.ValidationError as error:
        return Record(line=record.line, problem=f"its decisions or annotations cannot be read ({error})")
    capture = told["capture"] if isinstance(told["capture"], str) else ""
    given = given_of(decisions, annotations)
    return Record(line=record.line, fields=fields, decisions=given, capture=capture, size=_size(told))


def _size(told: dict[str, Any]) -> tuple[int, int]:
    """Return the screenshot's pixels, zeros for what is no size of one."""
    sides = [told["width"], told["height"]]
    fits = all(type(side) is int and 0 < side <= LONGEST_SIDE for side in sides)
    return (sides[0], sides[1]) if fits else (0, 0)


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write one line per item."""
    count = 0
    with written_whole(path) as file:
        for known in known_items(ws, how):
            file.write(msgspec.json.encode(_document(known, ws)) + b"\n")
            count += 1
    return ExportReport(file=str(path), format="jsonl", items=count, rows=count)


def _document(known: Known, ws: Workspace) -> dict[str, Any]:
    item = msgspec.structs.asdict(known.item)
    item["labels"] = answers(item.pop("truths"), ws)
    verdicts = {task: answer_of(verdict) for task, verdict in known.verdicts.items()}
    told = {"resolved": answers(known.resolved, ws), "verdict": verdicts}
    return {**item, **told, "decisions": known.decisions, "annotations": known.annotations}


FORMAT = Format(
    name="jsonl",
    title="JSON lines",
    describes="one item a line with its labels, verdicts and every decision",
    suffixes=_SUFFIXES,
    sniff=sniff,
    locate=locate,
    read=read,
    write=write,
)
