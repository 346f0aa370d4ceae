"""What the reviewer looks at: one item with the verdicts and answers as they were when it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.taxonomy import Task, Taxonomy
from engine.types import Action, Annotation, Item, Verdict
from engine.workspace import Workspace
from engine.workspace.flips import Flip
from engine.workspace.resolution import standing

_ANSWERS = {Action.CONFIRM, Action.CORRECT}
Focus = tuple[str, str]
"""The task and the label that are explained."""


@dataclass(frozen=True)
class Sight:
    """One item as it is shown. It never changes under the reviewer's eyes; a newer one replaces it when asked for.

    `flip` is there while the verdict is another than before and nobody has acted on that; `said_by` names the reviewers
    who gave its resolved label then. `picked` says why the item was picked to teach the model, "" where it was not.
    `crossed_out` is what reviewers crossed out and did not take back.
    """

    item: Item
    verdicts: Mapping[str, Verdict]
    resolved: Mapping[str, tuple[str, ...]]
    flip: Flip | None = None
    said_by: tuple[str, ...] = ()
    picked: str = ""
    crossed_out: tuple[Annotation, ...] = ()

    def verdict(self, task: Task | None) -> Verdict | None:
        """Return the verdict shown for a task, or None."""
        return self.verdicts.get(task.name) if task is not None else None

    def first_focus(self, taxonomy: Taxonomy) -> Focus | None:
        """Return what is explained first: the primary task's most probable label; None without a verdict."""
        primary = taxonomy.primary(self.item.kind)
        verdict = self.verdict(primary)
        return (verdict.task, verdict.label) if verdict is not None else None


def look(workspace: Workspace, item: str) -> Sight:
    """Read an item with its champion's verdicts and its resolved labels; raises `NotFoundError`."""
    found = Sight(
        item=workspace.items.get(item),
        verdicts=workspace.verdicts.of(item),
        resolved=workspace.decisions.resolved(item),
        flip=workspace.flips.of(item),
        picked=workspace.teaching.why(item),
        crossed_out=tuple(one for one in workspace.annotations.of(item) if one.stands),
    )
    return found if found.flip is None else replace(found, said_by=_said_by(workspace, found))


def _said_by(workspace: Workspace, sight: Sight) -> tuple[str, ...]:
    """Return who stands by the item's resolved label for its kind's first task."""
    task = workspace.taxonomy.primary(sight.item.kind)
    labels = sight.resolved.get(task.name) if task is not None else None
    if task is None or labels is None:
        return ()
    rows = standing(workspace.decisions.of(sight.item.id))
    answers = {row.reviewer: row.labels for row in rows if row.task == task.name and row.action in _ANSWERS}
    return tuple(reviewer for reviewer, given in answers.items() if set(given) == set(labels))
