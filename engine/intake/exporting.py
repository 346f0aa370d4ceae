"""Write a workspace's items, labels and decisions to one file: JSON lines or CSV, complete or not at all.

JSON lines: one object per item, with the import's field names (`labels` is the ground truth of the import) plus
`capture` (SHA-256 of the screenshot), `resolved`, `verdict`, `decisions` and `annotations` (what was crossed out).
CSV: one row per decision, and one per task that nobody has decided. Text cells that a spreadsheet would run as a
formula (starting with = + - @, tab or return) get an apostrophe in front.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import msgspec

from engine.errors import CancelledError, InputError, StorageError, did_you_mean
from engine.intake.report import ExportReport
from engine.types import Annotation, Decision, Item, Struct, Verdict
from engine.workspace import Workspace
from engine.workspace.marks import in_words

FORMATS = ("jsonl", "csv")
Labels = dict[str, tuple[str, ...]]
Progress = Callable[[int, int], None]

_BATCH = 500
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
_CROSSED_OUT = "crossed_out"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Line(Struct, frozen=True, kw_only=True):
    """What is known of one item."""

    item: Item
    resolved: Labels
    verdicts: dict[str, Verdict]
    decisions: list[Decision]
    annotations: list[Annotation]


def export(
    ws: Workspace,
    path: Path | str,
    *,
    format: str = "",  # noqa: A002 - the option's name everywhere
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write everything to `path`, replacing what is there; `format` is "jsonl" or "csv", else as the name ends.

    Raises:
        InputError: the format is unknown or the folder does not exist.
        StorageError: the disk refused; a file that was there before is untouched.
        CancelledError: `cancelled` said so; a file that was there before is untouched.
    """
    path = Path(path)
    chosen = _format(path, format)
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"'{path}' is no place for a file.", "Give a file name in a folder that exists.")
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    # A byte order mark lets spreadsheets read Greek in a CSV file.
    encoding = "utf-8-sig" if chosen == "csv" else "utf-8"
    try:
        with temporary.open("w", encoding=encoding, newline="") as file:
            lines = _lines(ws, progress, cancelled)
            items, rows = (_write_csv if chosen == "csv" else _write_json)(file, lines, ws)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"'{path}' cannot be written ({error.strerror}).", "Nothing was changed.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return ExportReport(file=str(path), format=chosen, items=items, rows=rows)


def _format(path: Path, given: str) -> str:
    chosen = given or {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(path.suffix.lower(), "")
    if chosen not in FORMATS:
        what = f"There is no export format '{given}'." if given else f"The name '{path.name}' does not say its format."
        raise InputError(what, did_you_mean(given, FORMATS))
    return chosen


def _lines(ws: Workspace, progress: Progress | None, cancelled: Callable[[], bool] | None) -> Iterator[_Line]:
    total, done = ws.items.count(), 0
    stream = ws.items.iter(batch=_BATCH)
    while batch := list(itertools.islice(stream, _BATCH)):
        if cancelled is not None and cancelled():
            raise CancelledError("The export was cancelled; no file was written.")
        yield from _known(ws, batch)
        done += len(batch)
        if progress is not None:
            progress(done, max(total, done))


def _known(ws: Workspace, items: list[Item]) -> Iterator[_Line]:
    ids = [item.id for item in items]
    resolved, verdicts = ws.decisions.resolved_many(ids), ws.verdicts.of_many(ids)
    annotations = ws.annotations.of_many(ids)
    for item in items:
        yield _Line(
            item=item,
            resolved=resolved.get(item.id, {}),
            verdicts=verdicts[item.id],
            decisions=ws.decisions.of(item.id),
            annotations=annotations.get(item.id, []),
        )


def _write_json(file: TextIO, lines: Iterator[_Line], ws: Workspace) -> tuple[int, int]:
    count = 0
    for line in lines:
        file.write(msgspec.json.encode(_document(line, ws)).decode() + "\n")
        count += 1
    return count, count


def _document(line: _Line, ws: Workspace) -> dict[str, Any]:
    item = msgspec.structs.asdict(line.item)
    item["labels"] = answers(item.pop("truths"), ws)
    verdicts = {task: answer_of(verdict) for task, verdict in line.verdicts.items()}
    known = {"resolved": answers(line.resolved, ws), "verdict": verdicts}
    return {**item, **known, "decisions": line.decisions, "annotations": line.annotations}


def answers(labels: Labels, ws: Workspace) -> dict[str, str | tuple[str, ...]]:
    """Return labels as documents show them: one name for a single-label task, a list for a multi-label one."""
    multi = {task.name for task in ws.taxonomy.tasks if task.multi}
    return {task: given if task in multi or len(given) != 1 else given[0] for task, given in labels.items()}


def answer_of(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as documents show it."""
    return {
        "label": verdict.label,
        "probability": verdict.probability,
        "labels": verdict.labels,
        "model": verdict.model,
        "probabilities": verdict.probabilities,
    }


def _write_csv(file: TextIO, lines: Iterator[_Line], ws: Workspace) -> tuple[int, int]:
    writer = csv.writer(file)
    writer.writerow([*_ITEM_COLUMNS, *_TASK_COLUMNS, *_DECISION_COLUMNS, _CROSSED_OUT])
    items = rows = 0
    for line in lines:
        items += 1
        for row in _rows(line, ws):
            writer.writerow([_cell(value) for value in row])
            rows += 1
    return items, rows


def _rows(line: _Line, ws: Workspace) -> Iterator[list[object]]:
    about = [getattr(line.item, column) for column in _ITEM_COLUMNS]
    for decision in line.decisions:
        crossed = tuple(in_words(mark) for mark in line.annotations if mark.decision == decision.number)
        told = [getattr(decision, column) for column in _DECISION_COLUMNS]
        yield [*about, *_task(line, decision.task), *told, crossed]
    decided = {decision.task for decision in line.decisions}
    known = {*line.item.truths, *line.verdicts, *line.resolved}
    left = [task.name for task in ws.taxonomy.tasks_for(line.item.kind) if task.name in known - decided]
    for task in left or ([] if line.decisions else [""]):
        yield [*about, *_task(line, task), *([""] * len(_DECISION_COLUMNS)), ""]


def _task(line: _Line, task: str) -> list[object]:
    verdict = line.verdicts.get(task)
    told = [verdict.labels, verdict.probability, verdict.model] if verdict else ["", "", ""]
    return [task, line.item.truths.get(task, ()), line.resolved.get(task, ()), *told]


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        value = ";".join(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
