"""What the reviewer looks at: one item with the verdicts and answers as they were when it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.taxonomy import Task, Taxonomy
from engine.types import Item, Verdict
from engine.workspace import Workspace

Focus = tuple[str, str]
"""The task and the label that are explained."""


@dataclass(frozen=True)
class Sight:
    """One item as it is shown. It never changes under the reviewer's eyes; a newer one replaces it when asked for."""

    item: Item
    verdicts: Mapping[str, Verdict]
    resolved: Mapping[str, tuple[str, ...]]

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
    return Sight(
        item=workspace.items.get(item),
        verdicts=workspace.verdicts.of(item),
        resolved=workspace.decisions.resolved(item),
    )
