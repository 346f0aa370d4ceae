"""`secondlook retrain`: train a new model on what reviewers said, and promote it if it is better."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import resources
from engine.cli.common import JsonOption, Progress, WorkspaceArgument, answer, note, progress, table, turn
from engine.cli.output import answer_stream
from engine.cli.signals import cancelled_by_signals
from engine.errors import CancelledError, EngineError, InputError, StorageError
from engine.service.protocol import RunProgress, RunStarted, TrainerEvent, encode
from engine.types import ModelCard, Outcome
from engine.workspace import RunFolder, Workspace
from engine.workspace.runs import is_refit

EXAMPLES = (
    "secondlook retrain tweets.secondlook",
    "secondlook retrain shop.secondlook --set training.epochs=3 --set text.backbone=none",
    "secondlook retrain shop.secondlook --recipe mine.toml --events jsonl",
)
_RESUMABLE = {"prepared", "running", "cancelled"}
Emit = Callable[[TrainerEvent], None]


def retrain(
    workspace: WorkspaceArgument,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="A recipe, as TOML.", show_default="the shipped one")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe; repeatable.")
    ] = None,
    events: Annotated[
        str | None,
        typer.Option("--events", metavar="jsonl", help="Write each event as a JSON line to standard output."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a candidate on all labelled items and make it the champion if it is better on the same held-out items.

    Interrupted or killed, the same command goes on from the last checkpoint as long as nothing was decided meanwhile.
    """
    _check_events(events, as_json=as_json)
    text = _recipe(recipe, settings or [])
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook retrain"), _listening(events) as emit:
        run, resumed = _run_folder(ws, text)
        card = _train(ws, run, emit)
        outcome = ws.runs.adopt(run)
        promoted = (champion := ws.models.champion()) is not None and champion.card.id == outcome.model
    if not events:
        answer(_document(card, outcome, promoted, resumed), lambda: _text(card, outcome, promoted), as_json=as_json)


def _check_events(events: str | None, *, as_json: bool) -> None:
    if events not in {None, "jsonl"}:
        raise InputError(f"Events cannot be written as '{events}'.", "Use --events jsonl.")
    if events and as_json:
        raise InputError("--events and --json both want standard output.", "Give one of them.")


def _recipe(path: Path | None, settings: list[str]) -> str:
    """Return the whole recipe as TOML, settings applied; files in it count from the folder that one is in now."""
    from engine.training.recipe import dump_recipe, read_recipe

    return dump_recipe(read_recipe(path or resources.path("recipes", "default.toml"), settings).anchored(Path.cwd()))


def _run_folder(ws: Workspace, text: str) -> tuple[RunFolder, bool]:
    """Return the run to train, and whether it is an unfinished one of the same snapshot, recipe and champion."""
    fresh = ws.runs.prepare(text)
    for info in ws.runs.list():
        if (
            info.id != fresh.id
            and info.state in _RESUMABLE
            and not is_refit(info.id)
            and (info.path / "snapshot.jsonl").is_file()
        ):
            old = ws.runs.folder(info.id)
            if _question(old) == _question(fresh):
                shutil.rmtree(fresh.path)
                ws.runs.mark(fresh.id, "cancelled", f"The unfinished run {old.id} asks for the same and goes on.")
                return old, True
    return fresh, False


def _question(run: RunFolder) -> tuple[str, ...]:
    """Return everything that a run's result depends on."""
    return (run.fingerprint, *((run.path / name).read_text("utf-8") for name in _QUESTION))


_QUESTION = ("recipe.toml", "taxonomy.toml", "parent.txt")


def _train(ws: Workspace, run: RunFolder, emit: Emit) -> ModelCard:
    from engine.training.run import train
    from engine.training.worker import be_modest

    be_modest()
    ws.runs.mark(run.id, "running")
    try:
        with cancelled_by_signals() as cancelled:
            return train(run.path, emit=emit, cancelled=cancelled, models_folder=ws.path / "models")[0]
    except (CancelledError, StorageError) as error:  # it can go on, once there is room
        with contextlib.suppress(StorageError):
            ws.runs.mark(run.id, "cancelled", str(error))
        raise
    except EngineError as error:
        ws.runs.mark(run.id, "failed", str(error))
        raise


@contextlib.contextmanager
def _listening(events: str | None) -> Iterator[Emit]:
    """Give a function that takes events: JSON lines on standard output, or a progress bar on standard error."""
    if events:

        def write(event: TrainerEvent) -> None:
            answer_stream().write(encode(event).decode())
            answer_stream().flush()

        yield write
        return
    with progress("Training") as show:
        yield lambda event: _follow(event, show)


def _follow(event: TrainerEvent, show: Progress) -> None:
    if isinstance(event, RunProgress):
        show(event.done, event.total)
    elif isinstance(event, RunStarted):
        split = ", ".join(f"{name} {count}" for name, count in event.items.items())
        going = f", going on after epoch {event.epoch}" if event.epoch else ""
        note(f"Training on {event.device} (items: {split}){going}.")


def _document(card: ModelCard, outcome: Outcome, promoted: bool, resumed: bool) -> dict[str, Any]:
    return {
        "model": card.id,
        "promoted": promoted,
        "reason": outcome.reason,
        "metrics": card.metrics,
        "champion_metrics": card.champion_metrics,
        "device": card.device,
        "seconds": card.seconds,
        "resumed": resumed,
    }


def _text(card: ModelCard, outcome: Outcome, promoted: bool) -> str:
    split = "test" if card.metrics.get("test") else "val"
    before = card.champion_metrics.get(split, {})
    rows = [
        [
            task,
            str(scores.n),
            f"{scores.macro_f1:.3f}",
            f"{before[task].macro_f1:.3f}" if task in before else "–",
            f"{scores.majority_macro_f1:.3f}",
        ]
        for task, scores in card.metrics.get(split, {}).items()
    ]
    verb = "It is the new champion." if promoted else "It was kept, but not promoted."
    scores = table(["task", f"items ({split})", "macro-F1", "champion before", "majority class"], rows)
    return f"Trained the model {card.id} in {card.seconds:.0f} s. {verb}\n{outcome.reason}\n\n{scores}"
