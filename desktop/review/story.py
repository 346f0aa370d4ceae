"""What there is to know of an item beside its verdict: what that was before, and why the item is here. No widget."""

from __future__ import annotations

from desktop.review.sight import Sight
from engine.taxonomy import Task, Taxonomy


def story(taxonomy: Taxonomy, sight: Sight, reviewer: str) -> str:
    """Return a line for each thing there is to say, "" where there is none.

    Such as "was: Offensive, 0.71; you said: None" of a verdict that a newer model changed.
    """
    task = taxonomy.primary(sight.item.kind)
    lines = []
    if task is not None and sight.flip is not None:
        lines.append(_before(task, sight, reviewer))
    if sight.picked and not sight.resolved:
        lines.append(f"Picked to teach the model: {sight.picked}.")
    return "\n".join(lines)


def _before(task: Task, sight: Sight, reviewer: str) -> str:
    flip, said = sight.flip, sight.resolved.get(task.name)
    if flip is None:
        return ""
    was = f"was: {_titles(task, flip.was_labels)}, {flip.was_probability:.2f}"
    if said is None:
        return was
    who = "you" if reviewer in sight.said_by else ", ".join(sight.said_by) or "reviewers"
    return f"{was}; {who} said: {_titles(task, said)}"


def _titles(task: Task, names: tuple[str, ...]) -> str:
    titles = {label.name: label.title for label in task.labels}
    return ", ".join(titles.get(name, name) for name in names) or "none of these"
