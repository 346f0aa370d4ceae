"""Where reviewers do not agree: tasks of an item that were answered differently, by standing answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from engine.taxonomy import Taxonomy
from engine.types import Action, Answer, Decision, Struct
from engine.workspace import board
from engine.workspace.database import Database
from engine.workspace.encoding import rows_parameter
from engine.workspace.resolution import resolve, standing, standing_answers

BATCH = 1_000


class Conflict(Struct, frozen=True, kw_only=True):
    """One task of an item with different answers; `counts` is what the item's label is taken to be now.

    `why` is "reviewers" where two reviewers said different things, "one reviewer" where one and the same reviewer
    did in two workspaces: of those the answer recorded here last counts, and the earlier one is listed too.
    """

    item: str
    task: str
    why: str
    answers: tuple[Answer, ...]
    counts: tuple[str, ...]


def conflicts_of(db: Database, taxonomy: Taxonomy, rows: Sequence[int], merged: Collection[int]) -> Iterator[Conflict]:
    """Give the conflicts of these item rows in which at least one of the decisions `merged` (numbers) takes part."""
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        decisions = board.decisions_of_rows(db, some)
        kinds: dict[int, str] = dict(
            db.all("SELECT row, kind FROM items WHERE row IN (SELECT value FROM json_each(?))", (rows_parameter(some),))
        )
        for row in some:
            if row in decisions:
                yield from _of_item(decisions[row], taxonomy, kinds[row], merged)


def _of_item(
    decisions: Sequence[Decision], taxonomy: Taxonomy, kind: str, merged: Collection[int]
) -> Iterator[Conflict]:
    labels = resolve(decisions, taxonomy, kind).labels
    for task, votes in standing_answers(decisions, taxonomy, kind).items():
        counts = labels.get(task, ())
        if len({vote.labels for vote in votes}) > 1 and any(vote.number in merged for vote in votes):
            yield _conflict(task, "reviewers", votes, counts)
        for vote in votes:
            pair = _twice(decisions, vote, merged)
            if pair is not None:
                yield _conflict(task, "one reviewer", pair, counts)


def _twice(decisions: Sequence[Decision], vote: Decision, merged: Collection[int]) -> list[Decision] | None:
    """Return the reviewer's answer from the other workspace and the standing one, where they differ.

    Only where the one that counts is not also the later one by the clock: a change of mind is no conflict.
    """
    others = [
        one
        for one in standing(decisions)
        if one.reviewer == vote.reviewer
        and one.task == vote.task
        and one.action in {Action.CONFIRM, Action.CORRECT}
        and (one.number in merged) != (vote.number in merged)
        and one.labels != vote.labels
        and one.at > vote.at
    ]
    return [others[-1], vote] if others else None


def _conflict(task: str, why: str, votes: Sequence[Decision], counts: tuple[str, ...]) -> Conflict:
    answers = tuple(Answer(labels=one.labels, reviewer=one.reviewer, at=one.at, decision=one.number) for one in votes)
    return Conflict(item=votes[0].item, task=task, why=why, answers=answers, counts=counts)
