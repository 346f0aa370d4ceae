"""The training set of a run: every labelled item as it is at one moment, written once and never changed."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence

from engine.taxonomy import PROFILE, Taxonomy
from engine.types import Answer, CrossedOut, Decision, Item, Mark, TrainingItem
from engine.workspace import board
from engine.workspace.annotations import crossed_out, of_rows
from engine.workspace.database import Database
from engine.workspace.items import Items, item_of
from engine.workspace.resolution import UNTOUCHED, resolve, standing_answers
from engine.workspace.staging import COLUMNS

BATCH = 1_000


def training_items(db: Database, taxonomy: Taxonomy, items: Items, *, profiles: bool = False) -> Iterator[TrainingItem]:
    """Yield every item that has a resolved label or a truth for some task, in the order they were added.

    Per task the label is the resolved one, else the truth; a conditional task's only while its `when` holds for these.
    With `profiles` those profiles follow that have no label of their own: theirs comes from their authors' items.
    """
    known: set[str] = set()
    for item in _labelled(db, taxonomy, items):
        known.add(item.content.id)
        yield item
    for profile in items.iter(kind=PROFILE) if profiles else ():
        if profile.id not in known:
            yield TrainingItem(content=items.content(profile), labels={}, group=group_of(profile), split=profile.split)


def _labelled(db: Database, taxonomy: Taxonomy, items: Items) -> Iterator[TrainingItem]:
    after = 0
    while True:
        rows = db.all(
            f"SELECT row, {COLUMNS} FROM items WHERE row IN (SELECT row FROM items INDEXED BY items_with_truths"
            " WHERE truths <> '{}' AND row > ? UNION SELECT row FROM decisions WHERE row > ? ORDER BY row LIMIT ?)"
            " ORDER BY row",
            (after, after, BATCH),
        )
        decisions = board.decisions_of_rows(db, [row[0] for row in rows])
        annotations = of_rows(db, [row[0] for row in rows])
        for row in rows:
            item = item_of(row[1:])
            rows_of_item = decisions.get(row[0], ())
            resolution = resolve(rows_of_item, taxonomy, item.kind) if rows_of_item else UNTOUCHED
            labels = labels_of(taxonomy, item, resolution.labels)
            if labels:
                yield TrainingItem(
                    content=items.content(item),
                    labels=labels,
                    group=group_of(item),
                    split=item.split,
                    decisions=resolution.decisions,
                    answers=answers_to(taxonomy, item, rows_of_item),
                    crossed_out=_seen(item, crossed_out(annotations.get(row[0], ()), resolution.decisions)),
                )
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


def _seen(item: Item, crossed: tuple[CrossedOut, ...]) -> tuple[CrossedOut, ...]:
    """Return what can be hidden from a model: without the screenshot there are no parts of it."""
    return crossed if item.capture is not None else tuple(one for one in crossed if one.kind is Mark.WORD)


def labels_of(taxonomy: Taxonomy, item: Item, resolved: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return what the item is taken to be: the reviewers' labels over the truths, without branches that do not hold."""
    answers = {**item.truths, **resolved}
    due = taxonomy.due(item.kind, answers)
    return {
        task.name: answers[task.name]
        for task in due
        if task.name in answers and set(answers[task.name]) <= set(task.label_names)
    }


def answers_to(taxonomy: Taxonomy, item: Item, decisions: Sequence[Decision]) -> dict[str, tuple[Answer, ...]]:
    """Return per task every reviewer's standing answer, also to tasks whose condition does not hold any more."""
    return {
        task: tuple(Answer(labels=row.labels, reviewer=row.reviewer, at=row.at, decision=row.number) for row in rows)
        for task, rows in standing_answers(decisions, taxonomy, item.kind).items()
    }


def group_of(item: Item) -> str:
    """Return what must stay on one side of a split: the author, else the same words, else the same picture."""
    if item.author.strip():
        return f"author:{item.author.strip()}"
    words = " ".join(unicodedata.normalize("NFKC", f"{item.title} {item.text}").casefold().split())
    if words:
        return f"text:{hashlib.sha256(words.encode()).hexdigest()}"
    return f"capture:{item.capture}" if item.capture is not None else f"item:{item.id}"
