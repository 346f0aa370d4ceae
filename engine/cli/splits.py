"""`secondlook splits`: what trains and what is held out, and what a careless split would claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import resources
from engine.cli.common import JsonOption, WorkspaceArgument, answer, table
from engine.counting import counted, fit
from engine.errors import InputError
from engine.types import TrainingItem
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.similarity import Grouping
    from engine.training.leaks import LeakReport
    from engine.training.splits import Splits

EXAMPLES = (
    "secondlook splits tweets.secondlook",
    "secondlook splits tweets.secondlook --json",
)


def splits(workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Show how the next retrain would divide the labelled items, and what a split that ignores authors would claim.

    Items of one author and near-duplicates (texts and screenshots) are kept on one side. The leak report measures the
    same quick model on random splits and on splits like that.
    """
    with Workspace.open(workspace, read_only=True) as ws:
        items = list(ws.runs.labelled())
    if not items:
        raise InputError("No item has a label yet.", "Decide some items, or import some with labels.")
    from engine.similarity import examined
    from engine.training.leaks import leak_report
    from engine.training.splits import assign_splits

    recipe = _recipe(workspace)
    shares = {"val": recipe.data.val, "test": recipe.data.test}
    grouping = examined(items)
    found = assign_splits(grouping.items, seed=recipe.training.seed, **shares)
    report = leak_report(items, grouping=grouping, **shares)
    document = _document(items, grouping, found, report)
    answer(document, lambda: _text(document, report), as_json=as_json)


def _recipe(workspace: Path) -> Any:
    from engine.training.recipe import read_recipe

    own = workspace / "recipe.toml"
    return read_recipe(own if own.is_file() else resources.path("recipes", "default.toml"))


def _document(items: Sequence[TrainingItem], grouping: Grouping, found: Splits, report: LeakReport) -> dict[str, Any]:
    new = Counter(found.of[item.content.id] for item in items if not item.split)
    labels: dict[str, dict[str, Counter[str]]] = {}
    for item in items:
        for task, names in item.labels.items():
            for name in names:
                counts = labels.setdefault(task, {}).setdefault(name, Counter())
                counts[found.of[item.content.id]] += 1
    return {
        "items": len(items),
        "splits": found.counts(),
        "new": dict(new),
        "labels": labels,
        "groups": grouping.groups,
        "largest_group": grouping.largest,
        "near_duplicates": len(grouping.copies),
        "groups_on_several_sides": len(found.moved),
        "leak": report,
    }


def _text(document: dict[str, Any], report: LeakReport) -> str:
    sides = document["splits"]
    rows = [["all items", "", *(str(count) for count in sides.values())]]
    rows += [
        [task, label, *(str(counts[side]) for side in sides)]
        for task, labels in document["labels"].items()
        for label, counts in labels.items()
    ]
    twins = document["near_duplicates"]
    groups = (
        f"{counted(document['items'], 'labelled item')} in {counted(document['groups'], 'group')}; the largest has "
        f"{document['largest_group']}. {counted(twins, 'item')} {fit(twins, 'has', 'have')} a near-duplicate."
    )
    moved = document["groups_on_several_sides"]
    note = [f"{counted(moved, 'group')} came in on several sides of the split; all its items train."] if moved else []
    return "\n".join([table(["task", "label", *sides], rows), "", groups, *note, "", *report.words])
