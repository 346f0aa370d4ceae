"""`secondlook evaluate`: measure a model on the labelled items of a split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.common import JsonOption, ModelOption, WorkspaceArgument, answer, champion_of, note, table
from engine.errors import InputError, NotFoundError, did_you_mean
from engine.models.unread import without_screenshots
from engine.taxonomy import Taxonomy
from engine.types import ItemContent, TaskMetrics, TrainingItem
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook evaluate tweets.secondlook",
    "secondlook evaluate tweets.secondlook --model 2026-01-31-120000-1a2b3c --split val --json",
    "secondlook evaluate tweets.secondlook --level author --positive toxic",
)
_SPLITS = ("train", "val", "test")
_LEVELS = ("item", "author")


def evaluate(
    workspace: WorkspaceArgument,
    model: ModelOption = None,
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="train, val or test.")] = "test",
    level: Annotated[str, typer.Option("--level", metavar="NAME", help="item or author.")] = "item",
    positive: Annotated[
        list[str] | None,
        typer.Option("--positive", metavar="LABEL", help="A label that makes an author positive; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model on a split's labelled items, next to always answering the most frequent training label.

    An item's label is what reviewers decided, else the label that came with the import. At author level an author is
    positive if at least one item is (any label with a severity above 0, where --positive names none), and as probable
    as the most probable item.
    """
    if split not in _SPLITS:
        raise InputError(f"There is no split '{split}'.", did_you_mean(split, _SPLITS))
    if level not in _LEVELS:
        raise InputError(f"There is no level '{level}'.", did_you_mean(level, _LEVELS))
    with Workspace.open(workspace, read_only=True) as ws:
        name = model or champion_of(ws)
        folder = ws.models.folder(name)
        labelled = list(ws.runs.labelled(profiles=level == "author"))
        taxonomy = ws.taxonomy
    measure = _authors if level == "author" else _items
    unread: list[str] = []
    count, tasks = measure(folder, labelled, split, taxonomy, positive or [], lambda one: unread.append(one.id))
    document = {"model": name, "split": split, "level": level, "n": count, "tasks": tasks, "unread": unread}
    answer(document, lambda: _text(document, tasks), as_json=as_json)
    if unread:
        note(without_screenshots(unread, "judged"))


_Measured = tuple[int, dict[str, TaskMetrics]]
_Unread = Callable[[ItemContent], None]


def _items(
    folder: Path, labelled: list[TrainingItem], split: str, _taxonomy: Taxonomy, positive: list[str], unread: _Unread
) -> _Measured:
    if positive:
        raise InputError("--positive says what makes an author positive.", "Give it with --level author.")
    items = [item for item in labelled if item.split == split]
    if not items:
        raise _nothing("labelled item", split)
    from engine.models.predictor import Predictor
    from engine.training.evaluate import evaluate as measure

    return len(items), measure(Predictor.load(folder), items, unread=unread)


def _authors(
    folder: Path, labelled: list[TrainingItem], split: str, taxonomy: Taxonomy, positive: list[str], unread: _Unread
) -> _Measured:
    known = [label for task in taxonomy.tasks for label in task.label_names]
    for label in positive:
        if label not in known:
            raise NotFoundError(f"No task has the label '{label}'.", did_you_mean(label, known))
    from engine.models.predictor import Predictor
    from engine.training.authors import authors_of, evaluate_authors

    authors = [author for author in authors_of(labelled) if author.split == split]
    if not authors:
        raise _nothing("author of a labelled item", split)
    return len(authors), evaluate_authors(Predictor.load(folder), authors, taxonomy, positive, unread=unread)


def _nothing(what: str, split: str) -> InputError:
    return InputError(
        f"No {what} is in the split '{split}'.", "Splits are assigned by 'secondlook retrain', or imported."
    )


def _text(document: dict[str, Any], tasks: dict[str, TaskMetrics]) -> str:
    what = "authors of labelled items" if document["level"] == "author" else "labelled items"
    blocks = [f"Model {document['model']} on {document['n']} {what} of the split {document['split']}."]
    unit = f"{document['level']}s"
    for task, scores in tasks.items():
        rows = [
            [label, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", str(one.support)]
            for label, one in scores.per_class.items()
        ]
        head = (
            f"{task} ({scores.n} {unit}): macro-F1 {scores.macro_f1:.3f} (majority class "
            f"{scores.majority_macro_f1:.3f}), accuracy {scores.accuracy:.3f} (majority class "
            f"{scores.majority_accuracy:.3f}), calibration error {scores.ece:.3f}"
        )
        blocks.append(f"{head}\n{table(['label', 'precision', 'recall', 'F1', unit], rows)}")
    return "\n\n".join(blocks)
