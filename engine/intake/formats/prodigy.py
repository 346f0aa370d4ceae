"""Prodigy's JSON lines (`prodigy db-out`): `text` or `image`, `label` or `options` with `accept`, and an `answer`.

One line is one answer; lines with the same `_input_hash` are about one item. Whose answer it is follows from
`_annotator_id`, else `_session_id`, else the reviewer that the import names; an answer of nobody named becomes a label
of the item. What an answer says:

| answer | with `accept` (a choice) | with `label` (yes or no) |
|---|---|---|
| accept | these labels | this label; of a task that takes several it says nothing of the others and is left out |
| reject | skipped, with the note "rejected" | the other label of a task with two; else it is left out |
| ignore | skipped | skipped |

What is left out is said in a warning. `_task_hash` and `_view_id` are not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from engine.errors import InputError
from engine.intake.captures import MOST_BYTES
from engine.intake.formats.base import Format, Reading, Writing, each_read, written_whole
from engine.intake.formats.given import act_of, moment
from engine.intake.formats.known import Known, known_items
from engine.intake.formats.labels import OURS, Labels, Names, extras_of, fields_of, retold, standing_rows, told
from engine.intake.formats.sniffing import first_objects
from engine.intake.pictures import as_data_uri, from_data_uri
from engine.intake.report import ExportReport
from engine.intake.screenshots import Screenshots
from engine.intake.sources import Record, read_json_lines
from engine.types import Action, Decision
from engine.workspace import GivenDecision, Workspace
from engine.workspace.marks import plain

REJECTED = "rejected"
LONGEST_LINE = MOST_BYTES * 4 // 3 + (4 << 20)
"""Bytes of a line: the largest screenshot as base64, and room for the rest."""

_ANSWERS = ("accept", "reject", "ignore")
_SAID = (Action.CONFIRM, Action.CORRECT)
_OWN = (
    "text",
    "image",
    "label",
    "options",
    "accept",
    "answer",
    "_input_hash",
    "_task_hash",
    "_session_id",
    "_annotator_id",
    "_timestamp",
    "_view_id",
    "_is_binary",
    "config",
    "tokens",
    "path",
    OURS,
)


def sniff(path: Path) -> float:
    """Return how much a file looks like Prodigy's."""
    return max((_likeness(one) for one in first_objects(path)), default=0.0)


def _likeness(one: dict[str, Any]) -> float:
    if "_task_hash" in one or (one.get("answer") in _ANSWERS and {"text", "image"}.intersection(one)):
        return 0.97
    return 0.9 if isinstance(one.get("options"), list) and "accept" in one else 0.0


# --- reading ------------------------------------------------------------------------------------------------------


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give the record of each line."""
    yield from each_read(read_json_lines(path, LONGEST_LINE), lambda line, given: _record(line, given, how))


def _record(line: int, given: dict[str, Any], how: Reading) -> Record:
    ours = given.get(OURS)
    extras: dict[str, Any] = ours if isinstance(ours, dict) else {}
    fields = {name: value for name, value in given.items() if name not in _OWN} if not extras else {}
    fields |= fields_of(extras)
    fields["text"] = extras.get("text", given.get("text"))
    fields["id"] = extras.get("id", given.get("id", _id_of(given)))
    picture = _picture(given, fields)
    names = Names(how.taxonomy, fields["kind"] if isinstance(fields.get("kind"), str) else how.kind)
    reviewer = _reviewer(given) or how.reviewer
    labels, note, warning = _said(given, names)
    decisions: tuple[GivenDecision, ...] = ()
    if reviewer and given.get("answer") in _ANSWERS:
        decisions = _decisions(given, extras, fields["id"], reviewer, labels, note)
    elif labels:
        known = fields.get("labels")
        fields["labels"] = {
            **(known if isinstance(known, dict) else {}),
            **{task: list(x) for task, x in labels.items()},
        }
    capture = extras.get("capture")
    return Record(
        line=line,
        fields=fields,
        decisions=decisions,
        picture=picture,
        capture=capture if isinstance(capture, str) and picture is None else "",
        warnings=(warning,) if warning else (),
        repeats=True,
    )


def _picture(given: dict[str, Any], fields: dict[str, Any]) -> bytes | None:
    image = given.get("image")
    if not isinstance(image, str) or not image:
        return None
    if image.startswith("data:"):
        return from_data_uri(image)
    if "://" in image[:20]:
        fields["image"] = image  # not fetched; the address stays in meta
        return None
    fields["screenshot"] = str(PurePosixPath(image))
    return None


def _reviewer(given: dict[str, Any]) -> str:
    for name in ("_annotator_id", "_session_id"):
        value = given.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if type(value) is int:
            return str(value)
    return ""


def _said(given: dict[str, Any], names: Names) -> tuple[Labels | None, str, str]:
    """Return the labels by task (None for a skip), a note, and a warning where an answer says too little."""
    answer = given.get("answer", "accept")
    if answer not in _ANSWERS:
        raise InputError(f"`answer` must be accept, reject or ignore, not '{str(answer)[:60]}'")
    if answer == "ignore":
        return None, "", ""
    if "accept" in given or not isinstance(given.get("label"), str):
        if answer == "reject":
            return None, REJECTED, ""
        return _chosen(given, names), "", ""
    task, label = names.find(given["label"])
    owner = names.tasks[task]
    others = tuple(name for name in owner.label_names if name != label)
    if answer == "accept" and not owner.multi:
        return {task: (label,)}, "", ""
    if answer == "reject" and not owner.multi and len(others) == 1:
        return {task: others}, "", ""
    return {}, "", f"a yes or no on one label of '{task}' says too little to be an answer to it; it was left out"


def _chosen(given: dict[str, Any], names: Names) -> Labels:
    chosen = given.get("accept", [])
    if not isinstance(chosen, list) or not all(isinstance(one, str | int) for one in chosen):
        raise InputError("`accept` must be a list of the chosen options")
    options = given.get("options")
    texts = {
        str(one.get("id")): str(one.get("text"))
        for one in (options if isinstance(options, list) else [])
        if isinstance(one, dict)
    }
    found: dict[str, set[str]] = {}
    for one in map(str, chosen):
        try:
            task, label = names.find(one)
        except InputError:
            if one not in texts:
                raise
            task, label = names.find(texts[one])
        found.setdefault(task, set()).add(label)
    if not found and texts:
        tasks = {names.find(one)[0] for one in texts}
        found = {task: set() for task in tasks if names.tasks[task].multi}
    for task, labels in found.items():
        if len(labels) > 1 and not names.tasks[task].multi:
            raise InputError(f"The task '{task}' takes exactly one label, not {len(labels)}.", "Leave one of them.")
    return {task: names.ordered(task, labels) for task, labels in found.items()}


def _decisions(
    given: dict[str, Any], extras: dict[str, Any], item: object, reviewer: str, labels: Labels | None, note: str
) -> tuple[GivenDecision, ...]:
    own = retold(extras.get("decision"), reviewer)
    if own is not None and _unchanged(own, given, labels):
        return (own,)
    common: dict[str, Any] = {
        "item": "",
        "reviewer": reviewer,
        "at": moment(given.get("_timestamp")),
        "act": act_of("prodigy", item, reviewer, given.get("_task_hash"), given.get("_timestamp"), given.get("answer")),
    }
    if labels is None:
        return (GivenDecision(**common, action=Action.SKIP, note=note),)
    return tuple(
        GivenDecision(**common, action=Action.CORRECT, task=task, labels=chosen) for task, chosen in labels.items()
    )


def _unchanged(own: GivenDecision, given: dict[str, Any], labels: Labels | None) -> bool:
    """Whether the line still says what the decision that our export put beside it says."""
    if own.action in _SAID:
        return labels == {own.task: own.labels}
    return labels is None and given.get("answer") == _answer(own.action)


def _id_of(given: dict[str, Any]) -> str:
    """Return an id that is the same for the same input."""
    if type(given.get("_input_hash")) is int:
        return f"input-{given['_input_hash']}"
    content = f"{given.get('text')}\n{given.get('image')}"
    return f"text-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:16]}"


# --- writing ------------------------------------------------------------------------------------------------------


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write one line per standing decision, and one for an item that nobody has decided."""
    items = rows = 0
    names: dict[str, Names] = {}
    screenshots = Screenshots(ws)
    with written_whole(path) as file:
        for known in known_items(ws, how):
            found = names.setdefault(known.item.kind, Names(ws.taxonomy, known.item.kind))
            items += 1
            for line in _lines(known, screenshots.of(known.item), found):
                file.write(msgspec.json.encode(line) + b"\n")
                rows += 1
    return ExportReport(file=str(path), format="prodigy", items=items, rows=rows, notes=screenshots.notes)


def _lines(known: Known, png: bytes | None, names: Names) -> Iterator[dict[str, Any]]:
    item = known.item
    about: dict[str, Any] = {"text": item.text or item.title} if item.text or item.title else {}
    if png is not None:
        about["image"] = as_data_uri(png)
    extras = extras_of(item) | {"id": item.id, "text": item.text}
    about |= {"meta": {"id": item.id}, "_input_hash": _hash(item.id)}
    rows = standing_rows(known.decisions)
    for decision in rows:
        own = told(decision)
        if marks := [plain(one, label=one.label) for one in known.annotations if one.decision == decision.number]:
            own["crossed_out"] = marks
        yield about | _said_by(decision, item.id, names) | {OURS: extras | {"decision": own}}
    if not rows:
        yield about | {OURS: extras}


def _said_by(decision: Decision, item: str, names: Names) -> dict[str, Any]:
    line: dict[str, Any] = {
        "answer": _answer(decision.action),
        "_task_hash": _hash(f"{item}\n{decision.task}"),
        "_annotator_id": decision.reviewer,
        "_session_id": decision.reviewer,
        "_timestamp": int(_seconds(decision.at)),
        "_view_id": "choice",
    }
    if decision.action in _SAID and decision.task in names.tasks:
        task = names.tasks[decision.task]
        line["options"] = [{"id": names.spell(task.name, one.name), "text": one.title} for one in task.labels]
        line["accept"] = [names.spell(task.name, one) for one in decision.labels]
        line["config"] = {"choice_style": "multiple" if task.multi else "single"}
    return line


def _answer(action: Action) -> str:
    return {Action.SKIP: "ignore", Action.ESCALATE: "reject"}.get(action, "accept")


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _hash(text: str) -> int:
    """Return a number as Prodigy's hashes are: 32 bits with a sign."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big", signed=True)


FORMAT = Format(
    name="prodigy",
    title="Prodigy JSON lines",
    describes="one answer a line, as prodigy db-out gives and db-in takes them",
    ending=".jsonl",
    sniff=sniff,
    read=read,
    write=write,
)
