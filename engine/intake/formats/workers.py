"""Many labellers: one row a labeller's answer, as crowd-kit (`task,worker,label`) and cleanlab take it.

cleanlab's long form is `task,annotator,label`. In both, `task` is the item. Our own files add columns that those
libraries pass over: `question` (the task in our sense), `at`, `action` and `act`, so that reading one back gives the
very decisions that stood; a several-label answer is joined with ";", an answer without any label is "(none)".

A file says nothing of the items but their ids. Where the workspace has an item of that id, the answers are added to it;
where not, an item is made whose title is its id. Answers become decisions of their workers. Sources: crowd-kit,
`crowdkit.aggregation` (columns task, worker, label); cleanlab, `multiannotator.convert_long_to_wide_dataset`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from engine.errors import InputError
from engine.intake.formats.base import Format, Reading, Writing, written_whole
from engine.intake.formats.given import act_of, moment
from engine.intake.formats.known import Known, known_items
from engine.intake.formats.labels import Names
from engine.intake.formats.sniffing import head_of
from engine.intake.report import ExportReport
from engine.intake.sources import Record, unreadable
from engine.intake.tables import TableError, table_rows, text_lines
from engine.taxonomy import Taxonomy
from engine.types import Action, Struct
from engine.workspace import GivenDecision, Workspace
from engine.workspace.resolution import standing_answers

NONE, JOINED = "(none)", ";"
_ITEM = ("task", "item", "question_id", "id")
_WORKER = ("worker", "annotator", "performer")
_OURS = ("question", "at", "action", "act")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Answer(Struct, frozen=True, kw_only=True):
    """One row; `line` counts from 1."""

    line: int
    worker: str
    label: str
    question: str = ""
    at: str = ""
    action: str = ""
    act: str = ""


class _Table:
    """The rows of a file by item, in the order in which items first come."""

    def __init__(self) -> None:
        self.answers: dict[str, list[_Answer]] = {}
        self.problems: list[Record] = []


def sniff(path: Path, worker: str) -> float:
    """Return how much a file's header looks like labellers' answers with this column for the labeller."""
    if not path.is_file():
        return 0.0
    header = head_of(path).split(b"\n", 1)[0].decode("utf-8", "replace")
    names = [name.strip().strip('"').lower() for name in header.replace(";", ",").replace("\t", ",").split(",")]
    if "label" not in names or not set(names) & {"task", "item"}:
        return 0.0
    return 0.9 if worker in names else 0.0


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give one record per item with all its answers; the rows of an item need not lie together."""
    table = _read_table(path)
    yield from table.problems
    names = Names(how.taxonomy, how.kind)
    for item, answers in table.answers.items():
        yield _record(item, answers, names, how)


def _record(item: str, answers: Sequence[_Answer], names: Names, how: Reading) -> Record:
    given, warnings = [], []
    for answer in answers:
        try:
            given.append(_decision(item, answer, names))
        except InputError as error:
            warnings.append(f"the answer in line {answer.line} was left out: {error.message}")
    kind = how.kind or _kind(how.taxonomy, given)
    fields = {"id": item, "title": item} | ({"kind": kind} if kind else {})
    return Record(
        line=answers[0].line, fields=fields, decisions=tuple(given), warnings=tuple(warnings), only_answers=True
    )


def _kind(taxonomy: Taxonomy, given: Sequence[GivenDecision]) -> str:
    """Return the kind of items that the answered questions are asked of, where there is only one."""
    kinds = {kind for one in given for task in taxonomy.tasks if task.name == one.task for kind in task.applies_to}
    return kinds.pop() if len(kinds) == 1 else ""


def _decision(item: str, answer: _Answer, names: Names) -> GivenDecision:
    if answer.label == NONE:
        if answer.question not in names.tasks:
            raise InputError("an answer without labels needs its question")
        task = answer.question
        labels: tuple[str, ...] = ()
    else:
        found = names.sorted(answer.label.split(JOINED), answer.question)
        if len(found) != 1:
            raise InputError(f"'{answer.label[:60]}' answers {len(found)} questions at once")
        task, labels = next(iter(found.items()))
    return GivenDecision(
        item=item,
        task=task,
        action=Action.CONFIRM if answer.action == Action.CONFIRM else Action.CORRECT,
        labels=labels,
        reviewer=answer.worker,
        at=moment(answer.at),
        act=answer.act or act_of("worker", item, answer.worker, task, answer.label, answer.at),
    )


def _read_table(path: Path) -> _Table:
    table = _Table()
    try:
        with path.open("rb") as file:
            file.seek(3 if file.read(3) == b"\xef\xbb\xbf" else 0)
            rows = table_rows(text_lines(file))
            places = _places([name.strip() for name in next(rows, (1, []))[1]])
            for line, cells in rows:
                if cells:
                    _note(table, places, cells, line)
    except TableError as error:
        table.problems.append(Record(line=error.line, problem=unreadable(error)))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}.", "Check the path.") from error
    except _HeaderError as error:
        table.problems.append(Record(line=1, problem=str(error)))
    return table


class _HeaderError(Exception):
    """The first line does not name the columns."""


def _places(header: Sequence[str]) -> dict[str, int]:
    folded = [name.lower() for name in header]
    found = {}
    for name, spellings in (("task", _ITEM), ("worker", _WORKER), ("label", ("label",))):
        place = next((folded.index(one) for one in spellings if one in folded), None)
        if place is None:
            raise _HeaderError(f"the first line must name the columns task, worker and label; there is no '{name}'")
        found[name] = place
    return found | {name: folded.index(name) for name in _OURS if name in folded} | {"": len(header)}


def _note(table: _Table, places: dict[str, int], cells: Sequence[str], line: int) -> None:
    told = {name: _unquoted(cells[place]) for name, place in places.items() if name and place < len(cells)}
    problem = ""
    if len(cells) != places[""]:
        problem = f"it has {len(cells)} cells, but the header has {places['']} columns"
    elif any("\ud800" <= character <= "\udfff" for cell in cells for character in cell):
        problem = "it is not UTF-8; save the file as UTF-8"
    elif not (told["task"].strip() and told["worker"].strip() and told["label"].strip()):
        problem = "its task, worker or label is empty"
    if problem:
        table.problems.append(Record(line=line, problem=problem))
        return
    item = told.pop("task").strip()
    table.answers.setdefault(item, []).append(_Answer(line=line, **{name: one.strip() for name, one in told.items()}))


def _unquoted(cell: str) -> str:
    """Take the apostrophe away that keeps a spreadsheet from running a cell."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def write(ws: Workspace, path: Path, how: Writing, *, worker: str, name: str) -> ExportReport:
    """Write each reviewer's standing answer to each question of each item."""
    items = rows = 0
    with written_whole(path) as raw:
        file = io.TextIOWrapper(raw, "utf-8", newline="", write_through=True)
        writer = csv.writer(file)
        writer.writerow(["task", worker, "label", *_OURS])
        for known in known_items(ws, how):
            found = list(_answers(known, ws))
            writer.writerows(found)
            items += bool(found)
            rows += len(found)
        file.detach()
    return ExportReport(file=str(path), format=name, items=items, rows=rows)


def _answers(known: Known, ws: Workspace) -> Iterator[list[str]]:
    for task, votes in standing_answers(known.decisions, ws.taxonomy, known.item.kind).items():
        for vote in votes:
            label = JOINED.join(vote.labels) or NONE
            cells = [known.item.id, vote.reviewer, label, task, vote.at, vote.action.value, vote.act]
            yield [f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell for cell in cells]


def _format(name: str, title: str, worker: str) -> Format:
    writes: Callable[[Workspace, Path, Writing], ExportReport] = partial(write, worker=worker, name=name)
    return Format(
        name=name,
        title=title,
        describes=f"one row a reviewer's answer: task (the item), {worker}, label",
        ending=".csv",
        sniff=partial(sniff, worker=worker),
        read=read,
        write=writes,
    )


CROWDKIT = _format("crowdkit", "crowd-kit", "worker")
CLEANLAB = _format("cleanlab", "cleanlab", "annotator")
