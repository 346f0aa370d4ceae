"""`secondlook evaluate`: measure a model on the labelled items of a split."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engine.cli.common import JsonOption, ModelOption, WorkspaceArgument, answer, table
from engine.errors import InputError, NotFoundError, did_you_mean
from engine.types import TaskMetrics
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook evaluate tweets.secondlook",
    "secondlook evaluate tweets.secondlook --model 20260131-120000-1a2b3c --split val --json",
)
_SPLITS = ("train", "val", "test")


def evaluate(
    workspace: WorkspaceArgument,
    model: ModelOption = None,
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="train, val or test.")] = "test",
    as_json: JsonOption = False,
) -> None:
    """Measure a model on a split's labelled items, next to always answering the most frequent training label.

    An item's label is what reviewers decided, else the label that came with the import.
    """
    if split not in _SPLITS:
        raise InputError(f"There is no split '{split}'.", did_you_mean(split, _SPLITS))
    with Workspace.open(workspace, read_only=True) as ws:
        name = model or _champion(ws)
        folder = ws.models.folder(name)
        items = [item for item in ws.runs.labelled() if item.split == split]
    if not items:
        raise InputError(
            f"No labelled item is in the split '{split}'.", "Splits are assigned by 'secondlook retrain', or imported."
        )
    from engine.models.predictor import Predictor
    from engine.training.evaluate import evaluate as measure

    tasks = measure(Predictor.load(folder), items)
    document = {"model": name, "split": split, "n": len(items), "tasks": tasks}
    answer(document, lambda: _text(document, tasks), as_json=as_json)


def _champion(ws: Workspace) -> str:
    champion = ws.models.champion()
    if champion is None:
        raise NotFoundError("There is no model yet.", f"Train one with: secondlook retrain {ws.path}")
    return champion.card.id


def _text(document: dict[str, Any], tasks: dict[str, TaskMetrics]) -> str:
    blocks = [f"Model {document['model']} on {document['n']} labelled items of the split {document['split']}."]
    for task, scores in tasks.items():
        rows = [
            [label, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", str(one.support)]
            for label, one in scores.per_class.items()
        ]
        head = (
            f"{task} ({scores.n} items): macro-F1 {scores.macro_f1:.3f} (majority class "
            f"{scores.majority_macro_f1:.3f}), accuracy {scores.accuracy:.3f} (majority class "
            f"{scores.majority_accuracy:.3f}), calibration error {scores.ece:.3f}"
        )
        blocks.append(f"{head}\n{table(['label', 'precision', 'recall', 'F1', 'items'], rows)}")
    return "\n\n".join(blocks)
