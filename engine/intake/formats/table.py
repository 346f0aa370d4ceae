"""CSV: one row per decision, and one per task that nobody has decided.

Text cells that a spreadsheet would run as a formula (starting with = + - @, tab or return) get an apostrophe in front,
and so do those that start with apostrophes before one of these, so that each can be taken away again. It is taken away
only when a table that we exported is read: in other tables an apostrophe is somebody's text.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.intake.formats.base import Format, Reading, Writing, written_whole
from engine.intake.formats.given import given_of
from engine.intake.formats.known import Known, known_items
from engine.intake.report import ExportReport
from engine.intake.sources import EXPORT_COLUMNS, Record, metadata_of, read_csv
from engine.types import Annotation, Decision
from engine.workspace import Workspace
from engine.workspace.marks import in_words

_ITEM_COLUMNS = ("id", "kind", "title", "text", "author", "url", "captured_at", "split")
_TASK_COLUMNS = ("task", "truth", "resolved", "verdict", "probability", "model")
_DECISION_COLUMNS = (
    "number",
    "act",
    "action",
    "labels",
    "reviewer",
    "at",
    "seconds",
    "note",
    "shown_model",
    "shown_labels",
    "shown_probability",
    "undoes",
)
_CROSSED_OUT = ("crossed_out", "annotations")
_REST_COLUMNS = ("exposure", "subsets", "capture", "regions", "meta")
_JSON_COLUMNS = ("subsets", "regions", "meta")
_NONE_OF_THEM = "[]"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DEFUSED = re.compile(r"'+[=+\-@\t\r]")


def sniff(path: Path) -> float:
    """Return how much a file looks like a table, or a folder as if it held one."""
    if path.is_dir():
        return 0.5 if (path / "metadata.csv").is_file() else 0.0
    return 0.5 if path.suffix.lower() == ".csv" else 0.0


def locate(path: Path) -> Path:
    """Return the file to read: a folder's metadata.csv, else the path itself."""
    return metadata_of(path, "metadata.csv")


# --- writing ------------------------------------------------------------------------------------------------------


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write a row per decision. A byte order mark lets spreadsheets read Greek."""
    items = rows = 0
    with written_whole(path) as raw:
        writer = csv.writer(codecs.getwriter("utf-8-sig")(raw))
        writer.writerow([*_ITEM_COLUMNS, *_TASK_COLUMNS, *_DECISION_COLUMNS, *_CROSSED_OUT, *_REST_COLUMNS])
        for known in known_items(ws, how):
            items += 1
            for row in _rows(known, ws):
                writer.writerow([_cell(value) for value in row])
                rows += 1
    return ExportReport(file=str(path), format="csv", items=items, rows=rows)


def _rows(line: Known, ws: Workspace) -> Iterator[list[object]]:
    about = [getattr(line.item, column) for column in _ITEM_COLUMNS]
    rest = [
        _json(getattr(line.item, name)) if name in _JSON_COLUMNS else getattr(line.item, name) for name in _REST_COLUMNS
    ]
    for decision in line.decisions:
        crossed = [mark for mark in line.annotations if mark.decision == decision.number]
        told = [getattr(decision, column) for column in _DECISION_COLUMNS]
        marks = [tuple(in_words(mark) for mark in crossed), _json(crossed)]
        yield [*about, *_task(line, decision.task), *told, *marks, *rest]
    decided = {decision.task for decision in line.decisions}
    known = {*line.item.truths, *line.verdicts, *line.resolved}
    left = [task.name for task in ws.taxonomy.tasks_for(line.item.kind) if task.name in known - decided]
    for task in left or ([] if line.decisions else [""]):
        yield [*about, *_task(line, task), *([""] * (len(_DECISION_COLUMNS) + len(_CROSSED_OUT))), *rest]


def _task(line: Known, task: str) -> list[object]:
    verdict = line.verdicts.get(task)
    told = [verdict.labels, verdict.probability, verdict.model] if verdict else ["", "", ""]
    truth = line.item.truths.get(task)
    return [task, _NONE_OF_THEM if truth == () else truth, line.resolved.get(task, ()), *told]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode() if value else ""


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        value = ";".join(value)
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return "" if value is None else value


# --- reading ------------------------------------------------------------------------------------------------------


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give the record of each row, or of each item of our own export."""
    del how
    for (_, ours), records in itertools.groupby(read_csv(path), key=_item_of):
        if ours:
            yield _exported(list(records))
        else:
            yield from records


def _item_of(record: Record) -> tuple[object, bool]:
    ours = record.fields is not None and record.fields.keys() >= EXPORT_COLUMNS
    return (record.fields["id"] if ours and record.fields is not None else record.line, ours)


def _exported(records: Sequence[Record]) -> Record:
    """Return the record of an item from all its rows."""
    first = records[0].line
    rows = [{name: _restored(cell) for name, cell in (record.fields or {}).items()} for record in records]
    line = first
    kept = (*_ITEM_COLUMNS, *_REST_COLUMNS)
    fields: dict[str, Any] = {name: cell for name, cell in rows[0].items() if name in kept}
    decisions: list[Decision] = []
    annotations: list[Annotation] = []
    try:
        for name in _JSON_COLUMNS:
            fields[name] = msgspec.json.decode(fields.get(name) or "null")
        for record, row in zip(records, rows, strict=True):
            line = record.line
            if row["action"]:
                decisions.append(_decision(row))
                annotations += msgspec.json.decode(row.get("annotations") or "[]", type=list[Annotation])
    except (msgspec.DecodeError, RecursionError) as error:
        return Record(line=line, problem=f"its cells cannot be read ({error})")
    fields["labels"] = {row["task"]: _names(row["truth"]) for row in rows if row.get("truth")}
    capture = fields.pop("capture", "")
    return Record(line=first, fields=fields, decisions=given_of(decisions, annotations), capture=capture)


def _decision(row: dict[str, str]) -> Decision:
    given: dict[str, Any] = {name: row.get(name, "") for name in _DECISION_COLUMNS} | {"item": row["id"]}
    given |= {name: _names(given[name]) for name in ("labels", "shown_labels")}
    given["shown_probability"] = given["shown_probability"] or None
    return msgspec.convert(given | {"task": row["task"]}, Decision, strict=False)


def _names(cell: str) -> list[str]:
    return [] if cell == _NONE_OF_THEM else [name for name in cell.split(";") if name]


def _restored(cell: str) -> str:
    return cell[1:] if _DEFUSED.match(cell) else cell


FORMAT = Format(
    name="csv",
    title="CSV",
    describes="one row a decision, for spreadsheets; formulas are defused",
    suffixes=(".csv",),
    sniff=sniff,
    locate=locate,
    read=read,
    write=write,
)
