"""`secondlook demo`: make the demo workspace, train the starter model, score everything."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import platformdirs
import typer

import resources
from engine.cli.common import DEMO_NAME, JsonOption, Progress, answer, progress, turn, typed
from engine.cli.models import held_out
from engine.cli.score import score_workspace
from engine.counting import counted
from engine.errors import TrainingError, WorkspaceError
from engine.intake import import_paths
from engine.service.protocol import RunProgress, TrainerEvent
from engine.taxonomy import preset
from engine.triage import named
from engine.workspace import ModelRow, Workspace

EXAMPLES = (
    "secondlook demo",
    "secondlook demo my-demo.secondlook --json",
)
EXPLAINED = 8
"""As many items as a person sees before the engine has started and goes on."""
SETTLING_ITEMS = 256
"""All of them: by these the model's arithmetic is chosen, for the desk as well."""
_RECIPE = ("recipes", "starter.toml")


def demo(
    workspace: Annotated[
        Path | None, typer.Argument(metavar="[WORKSPACE]", help="Where to make it.", show_default="a place of its own")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace of 240 invented tweets and product pages, train a starter model on them and score all of them.

    Called again it goes on where it was interrupted and does nothing that is already done.
    """
    started = time.monotonic()
    path = workspace or platformdirs.user_data_path("secondlook", appauthor=False) / DEMO_NAME
    with _opened(path) as ws, turn(ws.path, "secondlook demo"):
        with progress("Importing the demo") as show:
            imported = import_paths(ws, [resources.path("demo")], strict=True, progress=show)
        if imported.errors:
            raise WorkspaceError(f"The demo cannot be imported: {imported.errors[0].reason}.", "Choose another folder.")
        with progress("Training the starter model") as show:
            champion = _champion(ws, show)
        with progress("Scoring") as show:
            score_workspace(ws, progress=show)
        with progress("Explaining the first items") as show:
            _explain_first(ws, champion, show)
        document = _document(path, champion) | {
            "imported": imported.imported,
            "items": ws.items.count(),
            "seconds": round(time.monotonic() - started, 1),
        }
    answer(document, lambda: _text(document, champion), as_json=as_json)


def _opened(path: Path) -> Workspace:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return Workspace.create(path, preset("both"))
    return Workspace.open(path)


def _champion(ws: Workspace, show: Progress) -> ModelRow:
    """Return the champion, trained now where there is none."""
    known = ws.models.champion()
    if known is not None:
        return known
    from engine.training.run import train

    def follow(event: TrainerEvent) -> None:
        if isinstance(event, RunProgress):
            show(event.done, event.total)

    unfinished = ws.runs.unfinished()
    run = unfinished[0].path if unfinished else ws.runs.prepare(resources.path(*_RECIPE).read_text("utf-8")).path
    ws.runs.mark(run.name, "running")
    train(run, emit=follow, cancelled=_never)
    outcome = ws.runs.adopt(run)
    champion = ws.models.champion()
    if champion is None:
        raise TrainingError(
            f"The starter model was not promoted: {outcome.reason}",
            "Make the demo anew in another folder, or train it with: secondlook retrain.",
        )
    return champion


def _explain_first(ws: Workspace, champion: ModelRow, show: Progress) -> None:
    """Store why the model says what it says of the items that the desk opens on, so that their heatmaps are there."""
    first = msgspec.structs.replace(named("to-review").query, limit=EXPLAINED)
    wanted = [row for row in ws.queues.page(first).rows if row.label]
    missing = [row for row in wanted if not ws.explanations.get(row.item, row.task, row.label, champion.card.id)]
    if not missing:
        return
    from engine.explain import explain
    from engine.models.predictor import Predictor

    predictor = Predictor.load(ws.models.folder(champion.card.id))
    for _ in predictor.settle(ws.items.spread(champion.card.id, SETTLING_ITEMS)):
        show(0, len(missing))
    for done, row in enumerate(missing, start=1):
        content = ws.items.content(ws.items.get(row.item))
        ws.explanations.put(explain(predictor, content, row.task, row.label))
        show(done, len(missing))


def _never() -> bool:
    """Whether to stop: an interrupt ends the whole command, and the run goes on from its checkpoint next time."""
    return False


def _document(path: Path, champion: ModelRow) -> dict[str, Any]:
    card = champion.card
    return {
        "workspace": str(path),
        "model": card.id,
        "promoted": champion.champion,
        "reason": champion.reason,
        "metrics": card.metrics,
    }


def _text(document: dict[str, Any], champion: ModelRow) -> str:
    return "\n".join(
        [
            f"The demo workspace is ready after {document['seconds']} s: {document['workspace']}",
            f"It holds {counted(document['items'], 'item')}, all scored by the model {champion.card.id}.",
            f"Held-out macro-F1 (in brackets: always answering the most frequent label): {held_out(champion.card)}",
            f"Open it with: secondlook open {typed(document['workspace'])}",
        ]
    )
