"""`secondlook models`: list models, promote one, roll back, train one again from its card."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, table, turn
from engine.errors import InputError, did_you_mean
from engine.types import ModelCard
from engine.workspace import Workspace
from engine.workspace.flips import FlipCounts
from engine.workspace.models import ModelRow

EXAMPLES = (
    "secondlook models tweets.secondlook",
    "secondlook models tweets.secondlook promote 2026-01-31-120000-1a2b3c",
    "secondlook models tweets.secondlook rollback",
    "secondlook models tweets.secondlook rebuild 2026-01-31-120000-1a2b3c",
)
_ACTIONS = ("list", "promote", "rollback", "rebuild")
_OF_ONE = ("promote", "rebuild")


def models(
    workspace: WorkspaceArgument,
    action: Annotated[str, typer.Argument(metavar="[ACTION]", help="list, promote, rollback or rebuild.")] = "list",
    model: Annotated[str | None, typer.Argument(metavar="[ID]", help="The model to promote or rebuild.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the workspace's models, the newest first; make one the champion; or go back to the champion before.

    Rebuild trains a model again from its card and the snapshot of its run, says whether the same weights came out, and
    changes nothing.
    """
    if action not in _ACTIONS:
        raise InputError(f"There is nothing called '{action}' to do with models.", did_you_mean(action, _ACTIONS))
    if (action in _OF_ONE) != (model is not None):
        way_out = "Write: secondlook models WORKSPACE promote ID."
        raise InputError("Only promote and rebuild take a model's id, and each needs one.", way_out)
    if action == "rebuild" and model is not None:
        from engine.cli.rebuilding import rebuild_model

        rebuild_model(workspace, model, as_json=as_json)
        return
    rows, flips, done = _list(workspace) if action == "list" else _change(workspace, model)
    documents = [_document(row, flips[row.card.id]) for row in rows]
    answer(documents, lambda: f"{done}{_table(rows)}{_flips(rows, flips)}", as_json=as_json)


_Listed = tuple[list[ModelRow], dict[str, FlipCounts], str]


def _list(workspace: WorkspaceArgument) -> _Listed:
    with Workspace.open(workspace, read_only=True) as ws:
        return *_read(ws), ""


def _change(workspace: WorkspaceArgument, model: str | None) -> _Listed:
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook models"):
        champion = ws.models.rollback() if model is None else ws.models.promote(model, "Promoted by hand.")
        return *_read(ws), f"The champion is now {champion.card.id}.\n"


def _read(ws: Workspace) -> tuple[list[ModelRow], dict[str, FlipCounts]]:
    rows = ws.models.list()
    return rows, {row.card.id: ws.flips.counts(row.card.id) for row in rows}


def _flips(rows: list[ModelRow], flips: dict[str, FlipCounts]) -> str:
    """Return a line about what the champion changed; empty where it is the first one or there is none."""
    champion = next((row.card.id for row in rows if row.champion), None)
    if champion is None or not flips[champion].changed:
        return ""
    way_out = "List them with: secondlook items WORKSPACE --queue flips" if flips[champion].waiting else ""
    return f"\n\nSince the champion before: {flips[champion].words} {way_out}".rstrip()


def _document(row: ModelRow, flips: FlipCounts) -> dict[str, Any]:
    card = row.card
    return {
        "id": card.id,
        "champion": row.champion,
        "created": card.created,
        "parent": card.parent or None,
        "metrics": card.metrics,
        "status": row.status,
        "reason": row.reason,
        "promoted_at": row.promoted_at,
        "flips": flips,
    }


def _table(rows: list[ModelRow]) -> str:
    if not rows:
        return "There is no model yet. Train one with: secondlook retrain WORKSPACE"
    cells = [[row.card.id, row.status, row.card.created[:19], held_out(row.card), row.reason] for row in rows]
    return table(["model", "status", "created", "held-out macro-F1 (majority)", "why"], cells)


def held_out(card: ModelCard) -> str:
    """Return a model's held-out macro-F1 per task, each beside the majority class's (split test, else val)."""
    split = next((name for name in ("test", "val") if card.metrics.get(name)), "")
    scores = card.metrics.get(split, {})
    return ", ".join(f"{task} {one.macro_f1:.2f} ({one.majority_macro_f1:.2f})" for task, one in scores.items())
