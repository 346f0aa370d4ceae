"""doccano's JSON lines: `text`, `label`, `id`, `Comments`; labels are names, or spans for sequence labelling.

doccano's files do not say who labelled. The labels come in as answers of the reviewer that the import names, else as
labels of the items. Spans and relations are kept in the items' meta (`spans`, `relations`), and comments too, unless
they become the answer's note. Our export adds one column, `secondlook`, with the fields that doccano does not know; it
keeps such columns and gives them back. Labels that come back as they were sent are nobody's new answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.counting import counted, fit
from engine.errors import InputError
from engine.intake.formats.base import Format, Reading, Writing, each_read, written_whole
from engine.intake.formats.given import act_of
from engine.intake.formats.known import Known, known_items
from engine.intake.formats.labels import OURS, Labels, Names, extras_of, fields_of, standing_rows
from engine.intake.formats.sniffing import first_objects
from engine.intake.report import ExportReport
from engine.intake.sources import Record, read_json_lines
from engine.types import Action
from engine.workspace import GivenDecision, Workspace

_OWN = ("id", "text", "data", "label", "Comments", "entities", "relations", OURS)


def sniff(path: Path) -> float:
    """Return how much a file looks like doccano's export."""
    return max((_likeness(one) for one in first_objects(path)), default=0.0)


def _likeness(one: dict[str, Any]) -> float:
    if "answer" in one or "_task_hash" in one or not {"text", "data"}.intersection(one):
        return 0.0
    if "Comments" in one and {"label", "entities"}.intersection(one):
        return 0.95
    entities = isinstance(one.get("entities"), list) and "relations" in one
    return 0.8 if isinstance(one.get("label"), list) or entities else 0.0


# --- reading ------------------------------------------------------------------------------------------------------


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give the record of each line."""
    yield from each_read(read_json_lines(path), lambda line, given: _record(line, given, how))


def _record(line: int, given: dict[str, Any], how: Reading) -> Record:
    ours = given.get(OURS)
    extras: dict[str, Any] = ours if isinstance(ours, dict) else {}
    others = {name: value for name, value in given.items() if name not in _OWN}
    fields = {**others, **fields_of(extras)}
    fields["text"] = extras.get("text", given.get("text", given.get("data")))
    fields["id"] = given.get("id") if given.get("id") is not None else _id_of(fields["text"])
    names, spans = _label(given)
    kept = {"spans": spans, "relations": given.get("relations")}
    kind = fields["kind"] if isinstance(fields.get("kind"), str) else how.kind
    found = Names(how.taxonomy, kind).sorted(names)
    comments = [text for text in _comments(given) if text not in _list(extras.get("notes"))]
    decisions: tuple[GivenDecision, ...] = ()
    meta = dict(fields["meta"]) if isinstance(fields.get("meta"), dict) else {}
    if not how.reviewer:
        known = fields.get("labels")
        listed = {task: list(labels) for task, labels in found.items()}
        fields["labels"] = {**(known if isinstance(known, dict) else {}), **listed}
        kept["comments"] = [*_list(meta.get("comments")), *comments] if comments else []
    elif names != extras.get("sent"):
        decisions = _answers(fields["id"], found, comments, how.reviewer)
    fields["meta"] = meta | {name: one for name, one in kept.items() if one}
    capture = extras.get("capture")
    return Record(line=line, fields=fields, decisions=decisions, capture=capture if isinstance(capture, str) else "")


def _answers(item: object, labels: Labels, comments: list[str], reviewer: str) -> tuple[GivenDecision, ...]:
    note = "\n".join(comments)
    act = act_of("doccano", item, reviewer, sorted(labels.items()), note)
    return tuple(
        GivenDecision(item="", task=task, action=Action.CORRECT, labels=given, reviewer=reviewer, note=note, act=act)
        for task, given in labels.items()
    )


def _label(given: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """Return the names and the spans of a line; anything else in their place is refused."""
    value = given.get("label")
    found = [value] if isinstance(value, str) else value if value is not None else []
    if not isinstance(found, list):
        raise InputError("`label` must be a list of names or of [start, end, name]")
    names = [one for one in found if isinstance(one, str)]
    spans = [one for one in found if not isinstance(one, str)]
    spans += [
        [one.get("start_offset"), one.get("end_offset"), one.get("label")]
        for one in _list(given.get("entities"))
        if isinstance(one, dict)
    ]
    if not all(_is_span(one) for one in spans):
        raise InputError("`label` must be a list of names or of [start, end, name] with 0 ≤ start < end")
    return names, spans


def _is_span(one: object) -> bool:
    if not isinstance(one, list) or len(one) != 3:
        return False
    start, end, name = one
    whole = type(start) is int and type(end) is int
    return whole and isinstance(name, str) and 0 <= start < end


def _comments(given: dict[str, Any]) -> list[str]:
    texts = [one.get("comment") if isinstance(one, dict) else one for one in _list(given.get("Comments"))]
    return [text for text in texts if isinstance(text, str) and text]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _id_of(text: object) -> str:
    """Return an id that is the same for the same text."""
    return f"text-{hashlib.sha256(str(text).encode('utf-8', 'replace')).hexdigest()[:16]}"


# --- writing ------------------------------------------------------------------------------------------------------


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write each item with its labels, for text classification."""
    return _write(ws, path, how, "doccano", _labels)


def write_spans(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write each item with the spans in its meta, for sequence labelling."""
    return _write(ws, path, how, "doccano-spans", _spans)


def _write(
    ws: Workspace, path: Path, how: Writing, name: str, label: Callable[[Known, Names], list[Any]]
) -> ExportReport:
    count = left = 0
    names: dict[str, Names] = {}
    with written_whole(path) as file:
        for known in known_items(ws, how):
            item = known.item
            if not (item.text or item.title):
                left += 1
                continue
            found = names.setdefault(item.kind, Names(ws.taxonomy, item.kind))
            file.write(msgspec.json.encode(_line(known, label(known, found))) + b"\n")
            count += 1
    without = f"{counted(left, 'item')} without text or title {fit(left, 'was', 'were')} left out"
    notes = (f"{without}: doccano takes texts only.",) if left else ()
    return ExportReport(file=str(path), format=name, items=count, rows=count, notes=notes)


def _line(known: Known, label: list[Any]) -> dict[str, Any]:
    item = known.item
    extras = extras_of(item)
    notes = list(dict.fromkeys(one.note for one in standing_rows(known.decisions) if one.note))
    told = [*_list(item.meta.get("comments")), *notes]
    if not item.text:
        extras["text"] = ""
    # One column holds all of it: doccano fills columns that a line lacks with NaN.
    extras |= {"notes": told, "sent": label}
    return {"id": item.id, "text": item.text or item.title, "label": label, "Comments": told, OURS: extras}


def _labels(known: Known, names: Names) -> list[Any]:
    return names.listed({**known.item.truths, **known.resolved})


def _spans(known: Known, names: Names) -> list[Any]:
    del names
    return [one for one in _list(known.item.meta.get("spans")) if _is_span(one)]


FORMAT = Format(
    name="doccano",
    title="doccano JSON lines",
    describes="doccano's text, label, id and Comments: text classification",
    ending=".jsonl",
    sniff=sniff,
    read=read,
    write=write,
)
SPANS = Format(
    name="doccano-spans",
    title="doccano JSON lines with spans",
    describes="the same with [start, end, label]: sequence labelling",
    ending=".jsonl",
    read=read,
    write=write_spans,
)
