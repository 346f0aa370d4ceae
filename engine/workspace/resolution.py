"""What an item's label is, and what state the item is in, as one documented rule over its decisions.

THE RULE. Skips, escalations and undone acts say nothing. Each reviewer's latest standing answer to a task counts
once. The answer that most reviewers gave is the item's label; where several answers have as many, the one given most
recently is. The answer to a multi-label task is its whole set of labels. A conditional task's answer counts only
while its `when` holds for the resolved labels. An answer whose task or label the taxonomy no longer knows says
nothing.

THE STATE. The latest standing act decides: an escalation makes the item escalated, a skip makes it skipped, an
answer makes it decided if every task that is due then has an answer. Everything else is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.taxonomy import Taxonomy
from engine.types import Action, Decision

Labels = tuple[str, ...]


class Resolution(NamedTuple):
    """The rule's result for one item: labels per task, the decision rows they rest on, the state, the latest row.

    `last` is the number of the latest standing row, 0 where none stands.
    """

    labels: dict[str, Labels]
    decisions: tuple[int, ...]
    state: str
    last: int


UNTOUCHED = Resolution({}, (), "open", 0)


def standing(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the rows that no undo took back, without the undos themselves, in order of their numbers."""
    undone = {decision.undoes for decision in decisions if decision.action is Action.UNDO}
    rows = [row for row in decisions if row.action is not Action.UNDO and row.act not in undone]
    return sorted(rows, key=lambda row: row.number)


def resolve(decisions: Sequence[Decision], taxonomy: Taxonomy, kind: str) -> Resolution:
    """Apply the rule above to all the decisions of one item of this kind."""
    rows = standing(decisions)
    if not rows:
        return UNTOUCHED
    winners = {task.name: _winner(rows, task.name, task.label_names) for task in taxonomy.tasks_for(kind)}
    answered = {task: votes for task, votes in winners.items() if votes}
    due = [task.name for task in taxonomy.due(kind, {task: votes[-1].labels for task, votes in answered.items()})]
    labels = {task: answered[task][-1].labels for task in due if task in answered}
    numbers = sorted(vote.number for task in labels for vote in answered[task])
    return Resolution(labels, tuple(numbers), _state(rows[-1], complete=len(labels) == len(due)), rows[-1].number)


def standing_answers(decisions: Sequence[Decision], taxonomy: Taxonomy, kind: str) -> dict[str, list[Decision]]:
    """Return per task each reviewer's latest standing answer in order of their numbers, outvoted ones too.

    Tasks without any are left out.
    """
    rows = standing(decisions)
    found = {task.name: _votes(rows, task.name, task.label_names) for task in taxonomy.tasks_for(kind)}
    return {task: votes for task, votes in found.items() if votes}


def _votes(rows: Sequence[Decision], task: str, known: Labels) -> list[Decision]:
    latest = {row.reviewer: row for row in rows if row.task == task and _answers(row, known)}
    return sorted(latest.values(), key=lambda vote: vote.number)


def _winner(rows: Sequence[Decision], task: str, known: Labels) -> list[Decision]:
    """Return the votes for the winning answer to a task in order of their numbers; empty where there is none."""
    groups: dict[frozenset[str], list[Decision]] = {}
    for row in _votes(rows, task, known):
        groups.setdefault(frozenset(row.labels), []).append(row)
    return max(groups.values(), key=lambda votes: (len(votes), votes[-1].number), default=[])


def _answers(row: Decision, known: Labels) -> bool:
    return row.action in {Action.CONFIRM, Action.CORRECT} and set(row.labels) <= set(known)


def _state(last: Decision, *, complete: bool) -> str:
    if last.action is Action.ESCALATE:
        return "escalated"
    if last.action is Action.SKIP:
        return "skipped"
    return "decided" if complete else "open"
