"""`secondlook decide`: record a decision from the command line, as the desk would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.common import ItemArgument, JsonOption, WorkspaceArgument, answer, reviewer_name
from engine.cli.crossing import crossed_out
from engine.errors import InputError, NotFoundError
from engine.intake.exporting import answers
from engine.taxonomy import Task
from engine.types import Action, CrossedOut, Decision, Item, Struct, Verdict
from engine.workspace import Workspace
from engine.workspace.decisions import NewDecision
from engine.workspace.marks import in_words

EXAMPLES = (
    "secondlook decide tweets.secondlook tweet-7 --task toxicity --label toxic --reviewer ada",
    "secondlook decide shop.secondlook page-3 --task reason --label alcohol --label smoking --reviewer ada",
    "secondlook decide shop.secondlook page-3 --label prohibited --cross-out sale --cross-out-region price",
    "secondlook decide tweets.secondlook tweet-7 --undo --reviewer ada",
)
_CALLED = {Action.CONFIRM: "confirmation", Action.CORRECT: "correction", Action.ESCALATE: "escalation"}
"""What an act is called where its own word would read as praise, or as an order."""
_Labels = Mapping[str, tuple[str, ...]]

_Task = Annotated[
    str | None, typer.Option("--task", metavar="T", help="The task.", show_default="the kind's first one")
]
_Label = Annotated[
    list[str] | None, typer.Option("--label", metavar="L", help="The label; repeat it for a multi-label task.")
]
_None = Annotated[bool, typer.Option("--none", help="No label of a multi-label task holds.")]
_Skip = Annotated[bool, typer.Option("--skip", help="Leave the item undecided for now.")]
_Escalate = Annotated[bool, typer.Option("--escalate", help="Hand the item to somebody else.")]
_Undo = Annotated[bool, typer.Option("--undo", help="Take back your last standing act on this item.")]
_Reviewer = Annotated[
    str | None, typer.Option("--reviewer", metavar="R", help="Who decides.", show_default="your login name")
]
_Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="A remark that is kept with it.")]
_CrossOut = Annotated[
    list[str] | None,
    typer.Option("--cross-out", metavar="WORD", help="A word that is no reason, wherever it stands; repeatable."),
]
_CrossOutRegion = Annotated[
    list[str] | None,
    typer.Option("--cross-out-region", metavar="NAME", help="A region of the page that is no reason; repeatable."),
]


class _Said(Struct, frozen=True, kw_only=True):
    """What somebody said of an item. `action` is None for labels, which confirm or correct; `task` "" for the first."""

    reviewer: str
    task: str = ""
    labels: tuple[str, ...] = ()
    action: Action | None = None
    note: str = ""
    words: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


def decide(
    workspace: WorkspaceArgument,
    item: ItemArgument,
    *,
    task: _Task = None,
    label: _Label = None,
    none: _None = False,
    skip: _Skip = False,
    escalate: _Escalate = False,
    undo: _Undo = False,
    reviewer: _Reviewer = None,
    note: _Note = "",
    cross_out: _CrossOut = None,
    cross_out_region: _CrossOutRegion = None,
    as_json: JsonOption = False,
) -> None:
    """Record a decision on an item: labels for a task, a skip, an escalation, or an undo.

    A label that agrees with the verdict shown confirms it, any other corrects it. It is on disk when this returns.
    What is crossed out with it is no reason for the label, and models are taught not to rely on it.
    """
    _check_one(bool(label), none, skip, escalate, undo)
    said = _Said(
        reviewer=reviewer_name(reviewer),
        task=task or "",
        labels=tuple(label or ()),
        action=Action.UNDO if undo else Action.SKIP if skip else Action.ESCALATE if escalate else None,
        note=note,
        words=tuple(cross_out or ()),
        regions=tuple(cross_out_region or ()),
    )
    document = _carry_out(workspace, item, said)
    answer(document, lambda: _sentence(document), as_json=as_json)


def _carry_out(workspace: Path, item: str, said: _Said) -> dict[str, Any]:
    if (said.words or said.regions) and said.action is not None:
        raise InputError("Only a label can have wrong reasons crossed out.", "Give --label or --none with it.")
    with Workspace.open(workspace) as ws:
        found = ws.items.get(item)
        document = _undo(ws, item, said.reviewer) if said.action is Action.UNDO else _record(ws, found, said)
        return document | {"item": item, "resolved": answers(ws.decisions.resolved(item), ws)}


def _check_one(*chosen: bool) -> None:
    if sum(chosen) != 1:
        way_out = "Give --label, --none, --skip, --escalate or --undo."
        raise InputError("Say exactly one thing about the item.", way_out)


def _undo(ws: Workspace, item: str, reviewer: str) -> dict[str, Any]:
    undone = ws.decisions.undo(reviewer, item=item)
    if undone is None:
        raise NotFoundError(f"'{reviewer}' has nothing on '{item}' to take back.", "See it with: secondlook export.")
    return _document(undone.undo)


def _record(ws: Workspace, item: Item, said: _Said) -> dict[str, Any]:
    marks = crossed_out(item, said.words, said.regions)
    (recorded,) = ws.decisions.record([_decision(ws, item, said, marks)])
    return _document(recorded) | ({"crossed_out": [in_words(mark) for mark in marks]} if marks else {})


def _decision(ws: Workspace, item: Item, said: _Said, marks: tuple[CrossedOut, ...]) -> NewDecision:
    task = ws.taxonomy.task(said.task) if said.task else ws.taxonomy.primary(item.kind)
    if task is None:
        raise InputError(
            f"No task of this workspace is asked of a {item.kind} such as '{item.id}'.",
            "Skip or escalate it, or add a task for its kind to the workspace's taxonomy.",
        )
    verdict = ws.verdicts.of(item.id).get(task.name)
    return NewDecision(
        item=item.id,
        task=task.name,
        action=said.action or _answered(ws, item, task, said, verdict),
        labels=said.labels,
        reviewer=said.reviewer,
        note=said.note,
        shown_model=verdict.model if verdict else "",
        shown_labels=verdict.labels if verdict else (),
        shown_probability=verdict.probability if verdict else None,
        crossed_out=marks,
    )


def _answered(ws: Workspace, item: Item, task: Task, said: _Said, verdict: Verdict | None) -> Action:
    """Return whether the labels confirm or correct; raises `InputError` where the task cannot be answered so."""
    _check_due(ws, item, task, said.reviewer)
    given = {task.label(label).name for label in said.labels}
    _check_number(task, given)
    return Action.CONFIRM if verdict is not None and given == set(verdict.labels) else Action.CORRECT


def _document(row: Decision) -> dict[str, Any]:
    return {"decision": row.number, "action": row.action.value, "task": row.task, "labels": list(row.labels)}


def _check_due(ws: Workspace, item: Item, task: Task, reviewer: str) -> None:
    if item.kind not in task.applies_to:
        asked = [one.name for one in ws.taxonomy.tasks_for(item.kind)]
        raise InputError(
            f"The task '{task.name}' is not asked of a {item.kind} such as '{item.id}'.",
            f"Asked of it: {', '.join(asked) or 'none'}.",
        )
    own = _own_answers(ws, item.id, reviewer)
    for known in (own, ws.decisions.resolved(item.id)):
        if task in ws.taxonomy.due(item.kind, known):
            return
    condition = " and ".join(f"'{name}' is {' or '.join(labels)}" for name, labels in task.when.items())
    raise InputError(f"The task '{task.name}' is asked only where {condition}.", "Decide that first.")


def _own_answers(ws: Workspace, item: str, reviewer: str) -> _Labels:
    """Return the reviewer's own standing answers, which open conditional tasks whatever others said."""
    decisions = ws.decisions.of(item)
    undone = {one.undoes for one in decisions if one.undoes}
    said = {Action.CONFIRM, Action.CORRECT}
    return {
        one.task: one.labels
        for one in decisions
        if one.reviewer == reviewer and one.action in said and one.act not in undone
    }


def _check_number(task: Task, labels: set[str]) -> None:
    if not task.multi and len(labels) != 1:
        raise InputError(f"The task '{task.name}' takes exactly one label, not {len(labels)}.", "Give one --label.")


def _sentence(document: Mapping[str, Any]) -> str:
    resolved = ", ".join(f"{task} {_words(labels)}" for task, labels in document["resolved"].items()) or "nothing yet"
    crossed = f" Crossed out: {', '.join(document['crossed_out'])}." if "crossed_out" in document else ""
    what = _CALLED.get(document["action"], document["action"])
    return f"Decision {document['decision']} ({what}) on {document['item']}.{crossed} Resolved: {resolved}."


def _words(labels: str | tuple[str, ...]) -> str:
    return labels if isinstance(labels, str) else " + ".join(labels) or "none"
