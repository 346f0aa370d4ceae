"""Items as rows of fixed columns, for formats whose every row has the same shape: image folders and Parquet.

Plain columns hold what other tools can use at once; what differs in shape from item to item is JSON in a text column.
`task.NAME` is what an item is taken to be for each task, the reviewers' label or else the truth: a name (null where
nobody knows), for a multi-label task a list. Read back, everything but these columns and what follows from the
decisions comes in as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.intake.formats.given import given_of
from engine.intake.formats.known import Known, answer_of, answers
from engine.intake.sources import Record
from engine.taxonomy import Taxonomy
from engine.types import Annotation, Decision
from engine.workspace import Workspace
from engine.workspace.snapshot import labels_of

TEXTS = ("id", "kind", "title", "text", "author", "url", "captured_at", "split", "capture")
JSON = ("labels", "regions", "meta", "resolved", "verdict", "decisions", "annotations")
FOLLOWS = ("resolved", "verdict")
"""What follows from decisions and models, and is not read back."""
TASK = "task."
_GIVEN = ("labels", "regions", "meta")
_decisions = msgspec.json.Decoder(list[Decision])
_annotations = msgspec.json.Decoder(list[Annotation])


def row_of(known: Known, ws: Workspace) -> dict[str, Any]:
    """Return an item's columns, without its picture."""
    item = known.item
    row: dict[str, Any] = {name: getattr(item, name) or "" for name in TEXTS}
    documents = {
        "labels": answers(item.truths, ws),
        "regions": item.regions,
        "meta": item.meta,
        "resolved": answers(known.resolved, ws),
        "verdict": {task: answer_of(verdict) for task, verdict in known.verdicts.items()},
        "decisions": known.decisions,
        "annotations": known.annotations,
    }
    row |= {name: msgspec.json.encode(documents[name]).decode() for name in JSON}
    row |= {"subsets": list(item.subsets), "exposure": item.exposure}
    taken = labels_of(ws.taxonomy, item, known.resolved)
    for task in ws.taxonomy.tasks:
        labels = taken.get(task.name)
        row[f"{TASK}{task.name}"] = list(labels or ()) if task.multi else labels[0] if labels else None
    return row


def multi_columns(taxonomy: Taxonomy) -> dict[str, bool]:
    """Return the columns of the tasks, and whether each holds lists."""
    return {f"{TASK}{task.name}": task.multi for task in taxonomy.tasks}


def is_ours(columns: Mapping[str, object] | set[str]) -> bool:
    """Whether these are columns that `row_of` made."""
    return {*JSON, "id", "kind"} <= set(columns)


def record_of(line: int, row: Mapping[str, Any], picture: bytes | None = None) -> Record:
    """Return the record of a row that `row_of` made; one with a `problem` where it was changed into nonsense."""
    fields = {name: value for name, value in row.items() if not name.startswith(TASK) and name not in FOLLOWS}
    capture = fields.pop("capture", "")
    told = {name: fields.pop(name) or "" for name in ("decisions", "annotations")}
    try:
        for name in _GIVEN:
            fields[name] = msgspec.json.decode(fields[name]) if fields[name] else {}
        given = given_of(_decisions.decode(told["decisions"] or "[]"), _annotations.decode(told["annotations"] or "[]"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError) as error:
        return Record(line=line, problem=f"a column that holds JSON cannot be read ({error})")
    kept = capture if isinstance(capture, str) and picture is None and "screenshot" not in fields else ""
    return Record(line=line, fields=fields, decisions=given, picture=picture, capture=kept)
