"""EU Digital Services Act: statements of reasons as the transparency database's multiple endpoint takes them.

One statement for each label that reviewers gave and `dsa.toml` maps; what only a model or an import says is no
decision. At most 100 statements a file: FILE.json, or FILE-001.json, FILE-002.json and so on where there are more.
A statement is named (`puid`) by a digest of the decision that it rests on, so that the same decision is never reported
under two names, and the name tells nothing. A statement that the database would refuse is left out and named.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.counting import counted, fit
from engine.intake.formats.base import Format, Writing, written_whole
from engine.intake.formats.dsa_fields import BATCH, DROPPED_WHERE, FIELDS, Statement, problems
from engine.intake.formats.dsa_mapping import Mapping, load_mapping, template
from engine.intake.formats.known import Known, known_items
from engine.intake.formats.personal import personal_data
from engine.intake.report import ExportReport
from engine.types import Decision, Item, Struct
from engine.workspace import Workspace
from engine.workspace.resolution import standing_answers

_NAMED = 20


class _Made(Struct, frozen=True, kw_only=True):
    """A statement and the item that it is about."""

    item: str
    statement: Statement
    problems: list[str]
    personal: list[str]


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write the statements of everything that reviewers decided; all files or none."""
    mapping = load_mapping(ws.path, ws.taxonomy)
    good: list[Statement] = []
    notes: list[str] = []
    items, left_out, warned = set(), 0, 0
    for made in _statements(ws, mapping, how):
        if made.problems:
            left_out += 1
            notes += [f"left out: '{made.item}': {'; '.join(made.problems)}"] if left_out <= _NAMED else []
            continue
        good.append(made.statement)
        items.add(made.item)
        warned += bool(made.personal)
        if made.personal and warned <= _NAMED:
            notes.append(f"warning: the statement on '{made.item}' may hold personal data: {', '.join(made.personal)}")
    files = _write_batches(path, good)
    notes += (
        [f"{counted(left_out, 'statement')} {fit(left_out, 'was', 'were')} left out in all"]
        if left_out > _NAMED
        else []
    )
    notes += [f"{counted(warned, 'statement')} may hold personal data"] if warned > _NAMED else []
    notes += [f"wrote {counted(len(files), 'file')} of at most {BATCH} statements: {files[0]} to {files[-1]}"][
        : len(files) - 1
    ]
    return ExportReport(file=str(path), format=FORMAT.name, items=len(items), rows=len(good), notes=tuple(notes))


def _write_batches(path: Path, statements: Sequence[Statement]) -> list[Path]:
    batches = [statements[start : start + BATCH] for start in range(0, len(statements), BATCH)] or [()]
    names = [path] if len(batches) == 1 else [_numbered(path, number) for number in range(1, len(batches) + 1)]
    with contextlib.ExitStack() as stack:
        for name, batch in zip(names, batches, strict=True):
            file = stack.enter_context(written_whole(name))
            file.write(msgspec.json.format(msgspec.json.encode({"statements": batch}), indent=1))
    return names


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number:03d}{path.suffix}")


def _statements(ws: Workspace, mapping: Mapping, how: Writing) -> Iterator[_Made]:
    titles = {(task.name, label.name): label.title for task in ws.taxonomy.tasks for label in task.labels}
    for known in known_items(ws, how):
        origins = ws.origins.of(known.item.id) if known.decisions else {}
        for task, labels in known.resolved.items():
            votes = standing_answers(known.decisions, ws.taxonomy, known.item.kind).get(task, [])
            agreeing = [vote for vote in votes if vote.labels == labels]
            for label in labels:
                if (task, label) in mapping.statements and agreeing:
                    last = agreeing[-1]
                    first_hash = origins[last.number].hash if last.number in origins else last.hash
                    yield _made(known, mapping, (task, label), last, first_hash, titles[task, label])


def _made(
    known: Known, mapping: Mapping, key: tuple[str, str], decision: Decision, first_hash: str, title: str
) -> _Made:
    item = known.item
    filled = {"{date}": decision.at[:10], "{kind}": item.kind, "{label}": title, "{note}": decision.note}
    statement = {name: _filled(value, filled) for name, value in mapping.statements[key].items()}
    if item.kind in mapping.content_types:
        statement.setdefault("content_type", mapping.content_types[item.kind])
    statement.setdefault("content_date", _day(item, mapping.content_date_from))
    statement["application_date"] = decision.at[:10]
    statement["puid"] = _puid(mapping.puid_prefix, item.id, key, first_hash)
    statement = {
        name: statement[name]
        for name in FIELDS
        if statement.get(name) and not (name in DROPPED_WHERE and DROPPED_WHERE[name](statement))
    }
    found = problems(statement)
    texts = {name: value for name, value in statement.items() if FIELDS[name].free and isinstance(value, str)}
    names = {item.author, *(one.reviewer for one in known.decisions)}
    personal = [f"{what} in `{name}`" for name, text in texts.items() for what in personal_data(text, names)]
    return _Made(item=item.id, statement=statement, problems=found, personal=personal)


def _filled(value: Any, filled: dict[str, str]) -> Any:
    if isinstance(value, str):
        for placeholder, text in filled.items():
            value = value.replace(placeholder, text)
    return value


def _day(item: Item, source: str) -> str:
    """Return the date that the item's content has, "" where it has none."""
    name = source.removeprefix("meta.")
    value = item.captured_at if source == "captured_at" else item.meta.get(name) if name != source else None
    return value[:10] if isinstance(value, str) else ""


def _puid(prefix: str, item: str, key: tuple[str, str], first_hash: str) -> str:
    return prefix + hashlib.sha256("\n".join((item, *key, first_hash)).encode()).hexdigest()[:40]


def write_template(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write a mapping to be filled in."""
    del how
    with written_whole(path) as file:
        file.write(template(ws.taxonomy).encode())
    labels = sum(one.severity > 0 for task in ws.taxonomy.tasks for one in task.labels)
    return ExportReport(file=str(path), format=MAPPING.name, items=0, rows=labels)


FORMAT = Format(
    name="dsa",
    title="DSA statements of reasons",
    describes="reviewers' decisions for the EU transparency database, at most 100 a file, by the workspace's dsa.toml",
    ending=".json",
    write=write,
)
MAPPING = Format(
    name="dsa-mapping",
    title="DSA mapping",
    describes="a dsa.toml to fill in: what each label means as a statement of reasons",
    ending=".toml",
    write=write_template,
)
