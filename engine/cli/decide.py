"""`secondlook decide`: record a decision from the command line, as the desk would."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from engine.cli.common import ItemArgument, JsonOption, WorkspaceArgument, answer
from engine.cli.crossing import crossed_out
from engine.errors import InputError, NotFoundError
from engine.intake.exporting import answers
from engine.taxonomy import Task
from engine.types import Action, CrossedOut, Item
from engine.workspace import Workspace
from engine.workspace.decisions import NewDecision
from engine.workspace.marks import in_words

EXAMPLES = (
    "secondlook decide tweets.secondlook tweet-7 --task toxicity --label toxic --reviewer ada",
    "secondlook decide shop.secondlook page-3 --task reason --label alcohol --label smoking --reviewer ada",
    "secondlook decide shop.secondlook page-3 --label prohibited --cross-out sale --cross-out-region price",
    "secondlook decide tweets.secondlook tweet-7 --undo --reviewer ada",
)
_Labels = Mapping[str, tuple[str, ...]]


def decide(
    workspace: WorkspaceArgument,
    item: ItemArgument,
    *,
    task: Annotated[
        str | None, typer.Option("--task", metavar="T", help="The task; the kind's first one where it is left out.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="L", help="The label; repeat it for a multi-label task.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="No label of a multi-label task holds.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Leave the item undecided for now.")] = False,
    escalate: Annotated[bool, typer.Option("--escalate", help="Hand the item to somebody else.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back your last standing act on this item.")] = False,
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", metavar="R", help="Who decides; your login name where it is left out.")
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="A remark that is kept with it.")] = "",
    cross_out: Annotated[
        list[str] | None,
        typer.Option("--cross-out", metavar="WORD", help="A word that is no reason, wherever it stands; repeatable."),
    ] = None,
    cross_out_region: Annotated[
        list[str] | None,
        typer.Option("--cross-out-region", metavar="NAME", help="A region of the page that is no reason; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Record a decision on an item: labels for a task, a skip, an escalation, or an undo.

    A label that agrees with the verdict shown confirms it, any other corrects it. It is on disk when this returns.
    What is crossed out with it is no reason for the label, and models are taught not to rely on it.
    """
    _check_one(bool(label), none, skip, escalate, undo)
    if (cross_out or cross_out_region) and not (label or none):
        raise InputError("Only a label can have wrong reasons crossed out.", "Give --label or --none with it.")
    who = reviewer or getpass.getuser()
    with Workspace.open(workspace) as ws:
        if undo:
            document = _undo(ws, item, who)
        else:
            action = Action.SKIP if skip else Action.ESCALATE if escalate else None
            found = ws.items.get(item)
            marks = crossed_out(found, cross_out or (), cross_out_region or ())
            document = _record(ws, found, task, label or [], action, who, note, marks)
        resolved = answers(ws.decisions.resolved(item), ws)
    document |= {"item": item, "resolved": resolved}
    answer(document, lambda: _sentence(document), as_json=as_json)


def _check_one(*chosen: bool) -> None:
    if sum(chosen) != 1:
        way_out = "Give --label, --none, --skip, --escalate or --undo."
        raise InputError("Say exactly one thing about the item.", way_out)


def _undo(ws: Workspace, item: str, reviewer: str) -> dict[str, Any]:
    undone = ws.decisions.undo(reviewer, item=ws.items.get(item).id)
    if undone is None:
        raise NotFoundError(f"'{reviewer}' has nothing on '{item}' to take back.", "See it with: secondlook export.")
    return {"decision": undone.undo.number, "action": Action.UNDO.value, "task": undone.undo.task, "labels": []}


def _record(
    ws: Workspace,
    item: Item,
    name: str | None,
    labels: list[str],
    action: Action | None,
    reviewer: str,
    note: str,
    marks: tuple[CrossedOut, ...],
) -> dict[str, Any]:
    task = ws.taxonomy.task(name) if name else ws.taxonomy.primary(item.kind)
    if task is None:
        raise InputError(f"No task of this workspace is asked of a {item.kind} such as '{item.id}'.")
    verdict = ws.verdicts.of(item.id).get(task.name)
    if action is None:
        _check_due(ws, item, task, reviewer)
        given = {task.label(label).name for label in labels}
        _check_number(task, given)
        action = Action.CONFIRM if verdict is not None and given == set(verdict.labels) else Action.CORRECT
    new = NewDecision(
        item=item.id,
        task=task.name,
        action=action,
        labels=tuple(labels),
        reviewer=reviewer,
        note=note,
        shown_model=verdict.model if verdict else "",
        shown_labels=verdict.labels if verdict else (),
        shown_probability=verdict.probability if verdict else None,
        crossed_out=marks,
    )
    (recorded,) = ws.decisions.record([new])
    labels = list(recorded.labels)
    document = {"decision": recorded.number, "action": recorded.action.value, "task": recorded.task, "labels": labels}
    return document | ({"crossed_out": [in_words(mark) for mark in marks]} if marks else {})


def _check_due(ws: Workspace, item: Item, task: Task, reviewer: str) -> None:
    if item.kind not in task.applies_to:
        raise InputError(f"The task '{task.name}' is not asked of a {item.kind} such as '{item.id}'.")
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
    return (
        f"Decision {document['decision']} ({document['action']}) on {document['item']}.{crossed} Resolved: {resolved}."
    )


def _words(labels: str | tuple[str, ...]) -> str:
    return labels if isinstance(labels, str) else " + ".join(labels) or "none"
