"""`secondlook looks`: where a model looks, over many items, and whether it takes a shortcut."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from engine.cli.common import JsonOption, ModelOption, WorkspaceArgument, answer, no_model_yet, note, progress, table
from engine.cli.signals import cancelled_by_signals
from engine.counting import counted
from engine.errors import InputError
from engine.looks import ENOUGH_ITEMS, HANDLE, Looks, percent, title
from engine.looks import looks as together
from engine.types import Item, ModelCard
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook looks tweets.secondlook",
    "secondlook looks shop.secondlook --model 2026-01-31-120000-1a2b3c --explain 50 --json",
)


def looks(
    workspace: WorkspaceArgument,
    model: ModelOption = None,
    *,
    explain: Annotated[
        int, typer.Option("--explain", metavar="N", min=0, help="First explain N more items, evenly drawn.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Show how a model's evidence is shared among the words and the parts of the page, over its explained items.

    A warning says where it relies on what is no reason: who posted an item, or the frame of the page. Items are
    explained as they are looked at in the desk, or here with --explain.
    """
    with Workspace.open(workspace, read_only=not explain) as ws:
        card = _chosen(ws, model)
        if explain:
            _explain(ws, card.id, explain)
        found = together(ws.explanations.looks(card.id))
    answer({"model": card.id, **_document(found)}, lambda: _text(card, found), as_json=as_json)


def _chosen(ws: Workspace, model: str | None) -> ModelCard:
    row = ws.models.champion() if model is None else ws.models.get(model)
    if row is None:
        raise no_model_yet(ws.path)
    return row.card


def _explain(ws: Workspace, model: str, count: int) -> None:
    """Explain each drawn item's verdict on its kind's first task and keep that."""
    from engine.explain import explain
    from engine.models.predictor import Predictor

    predictor = Predictor.load(ws.models.folder(model))
    drawn = _drawn(ws, model, count)
    refused: list[InputError] = []
    with cancelled_by_signals() as cancelled, progress("Explaining") as show:
        for number, (item, task) in enumerate(drawn, start=1):
            content = ws.items.content(item)
            verdicts = predictor.predict([content], cancelled=cancelled)
            verdict = next((one for one in verdicts if one.task == task), None)
            if verdict is not None:
                try:
                    ws.explanations.put(explain(predictor, content, task, verdict.label, cancelled=cancelled))
                except InputError as error:
                    refused.append(error)
            show(number, len(drawn))
    if refused:
        note(f"{counted(len(refused), 'item')} could not be explained. {refused[0]}")


def _drawn(ws: Workspace, model: str, count: int) -> list[tuple[Item, str]]:
    """Items that are not explained yet with their kind's first task: every k-th, so that all parts are there."""
    known = {look.item for look in ws.explanations.looks(model)}
    asked = ((item, ws.taxonomy.primary(item.kind)) for item in ws.items.iter() if item.id not in known)
    waiting = [(item, task.name) for item, task in asked if task is not None]
    step = max(1, len(waiting) // count)
    return waiting[::step][:count]


def _document(found: Looks) -> dict[str, object]:
    shortcut = found.shortcut
    return {
        "items": found.items,
        "shares": found.shares,
        "shortcut": None if shortcut is None else {"region": shortcut.region, "share": shortcut.share},
        "warning": None if shortcut is None else shortcut.sentence,
    }


def _text(card: ModelCard, found: Looks) -> str:
    if not found.items:
        return (
            f"No explanation says yet where model {card.id} looks. They are made as items are looked at in the desk, "
            "or here: add --explain 50."
        )
    shares = [[title(part), percent(share)] for part, share in found.shares.items()]
    lines = [
        f"Model {card.id}, {counted(found.items, 'explained item')}:",
        table(["part", "share of the evidence"], shares),
    ]
    if found.items < ENOUGH_ITEMS:
        lines.append(f"These are few: a shortcut is looked for from {ENOUGH_ITEMS} items on. Add --explain 50.")
    if found.shortcut is not None:
        lines += ["", found.shortcut.sentence, f"Retrain without it: {_way_out(card, found.shortcut.region)}"]
    return "\n".join(lines)


def _way_out(card: ModelCard, region: str) -> str:
    masked = [*card.network.get("image", {}).get("mask_regions", ()), region]
    words = " --set text.mask_users=true" if region == HANDLE else ""
    return f"secondlook retrain WORKSPACE --set 'image.mask_regions={json.dumps(masked)}'{words}"
