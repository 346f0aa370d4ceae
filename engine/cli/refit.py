"""`secondlook refit`: fit the champion's heads anew to what reviewers said, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, no_model_yet, progress, turn
from engine.cli.models import held_out
from engine.counting import counted
from engine.errors import CancelledError, EngineError
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.training.refit import Refitted

EXAMPLES = (
    "secondlook refit tweets.secondlook",
    "secondlook refit tweets.secondlook --head linear --json",
)


def refit(
    workspace: WorkspaceArgument,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="FORM",
            help="linear, hidden (one hidden layer) or auto (as the champion's).",
            show_default="as in its recipe",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the champion's heads anew on all labelled items, its backbones as they are, and adopt what is no worse.

    What the backbones give of an item is kept in the workspace's folder "features", which may be deleted at any time:
    items that were scored before are not looked at again.
    """
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook refit"):
        run = ws.runs.prepare_refit(_recipe(ws, head))
        result = _refitted(ws, run.path)
        outcome = ws.runs.adopt(run)
    document = {
        "model": result.card.id,
        "base": result.card.base,
        "promoted": outcome.better,
        "reason": outcome.reason,
        "answers": result.answers,
        "items": run.items,
        "metrics": result.card.metrics,
        "champion_metrics": result.card.champion_metrics,
        "seconds": result.seconds,
    }
    answer(document, lambda: _text(document, held_out(result.card)), as_json=as_json)


def _recipe(ws: Workspace, head: str | None) -> str:
    """Return the champion's recipe, so that a full training run after a refit does what it did before."""
    from engine.training.recipe import dump_recipe, load_recipe

    champion = ws.models.champion()
    if champion is None:
        raise no_model_yet(ws.path)
    settings = [] if head is None else [f"refit.head={head}"]
    return dump_recipe(load_recipe(champion.card.recipe, settings, source="the champion's recipe"))


def _refitted(ws: Workspace, run: Path) -> Refitted:
    from engine.service.loading import Loader
    from engine.training.refit import Progress, refit

    try:
        with progress("Looking at labelled items") as show:

            def follow(step: Progress) -> None:
                if step.stage == "features":
                    show(step.done, step.total)

            return refit(run, Loader(ws.path), models_folder=ws.path / "models", progress=follow)
    except EngineError as error:
        ws.runs.mark(run.name, "cancelled" if isinstance(error, CancelledError) else "failed", str(error))
        raise


def _text(document: dict[str, Any], scores: str) -> str:
    verb = "It is the new champion." if document["promoted"] else "It was kept, but not promoted."
    seconds, answers = sum(document["seconds"].values()), counted(document["answers"], "new answer")
    return (
        f"Learned from {answers} in {seconds:.1f} s (the model {document['model']}). {verb}\n"
        f"{document['reason']}\nHeld-out macro-F1 (in brackets: always answering the most frequent label): {scores}"
    )
