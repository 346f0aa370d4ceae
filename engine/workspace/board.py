"""Keeps the queue rows true: what each item's shown verdict, state, label and sort keys are right now.

Called inside the transaction that changed a verdict, a decision or a split, so that a queue never disagrees with the
facts it is made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from engine.errors import NotFoundError, did_you_mean
from engine.taxonomy import Taxonomy
from engine.types import Decision, ModelCard
from engine.workspace import meta, ranking
from engine.workspace.chain import COLUMNS as DECISION_COLUMNS
from engine.workspace.chain import decision_of
from engine.workspace.database import Database, Row
from engine.workspace.encoding import dump, read_labels, rows_parameter
from engine.workspace.facets import Facet, FacetBook
from engine.workspace.resolution import UNTOUCHED, Resolution, resolve

EVERYTHING = 0
"""As a model number in `restart`: every row is refreshed, not only those that a model has judged."""

BATCH = 2_000
_COLUMNS = ("bucket", "facet", "uncertain", "risk", "recent", "model", "label", "probability", "resolved")
LINEAGE = 8
"""How many champions back a verdict is looked for."""

_card = msgspec.json.Decoder(ModelCard)


class Shown(NamedTuple):
    """The verdicts that an item shows: one model's, by task as (label, probability, labels)."""

    model: int
    tasks: dict[str, tuple[str, float, tuple[str, ...]]]


def lineage(db: Database) -> list[int]:
    """Return the numbers of the champion and of those before it, newest first.

    An item shows the first of them that has judged it, so that a promotion never empties the queue.
    """
    champion = meta.get(db, meta.CHAMPION)
    former = db.all("SELECT model FROM promotions GROUP BY model ORDER BY MAX(number) DESC LIMIT ?", (LINEAGE,))
    numbers = [] if champion is None else [int(champion)]
    return numbers + [row[0] for row in former if row[0] not in numbers]


def shown(db: Database, rows: Sequence[int]) -> dict[int, Shown]:
    """Return the verdicts that these rows show; rows that no champion has judged are left out."""
    found: dict[int, Shown] = {}
    for model in lineage(db):
        missing = rows_parameter(row for row in rows if row not in found)
        verdicts = db.all(
            "SELECT row, task, label, probability, labels FROM json_each(?) AS wanted"
            " CROSS JOIN verdicts ON verdicts.model = ? AND verdicts.row = wanted.value",
            (missing, model),
        )
        for row, task, label, probability, labels in verdicts:
            tasks = found.setdefault(row, Shown(model, {})).tasks
            tasks[task] = (label, probability, read_labels(labels))
        if len(found) == len(rows):
            break
    return found


def decisions_of_rows(db: Database, rows: Sequence[int]) -> dict[int, list[Decision]]:
    """Return every decision row about these items, by item row."""
    found: dict[int, list[Decision]] = {}
    for row in db.all(
        f"SELECT row, {DECISION_COLUMNS} FROM json_each(?) AS wanted"
        " CROSS JOIN decisions ON decisions.row = wanted.value ORDER BY number",
        (rows_parameter(rows),),
    ):
        found.setdefault(row[0], []).append(decision_of(row[1:]))
    return found


def refresh(db: Database, taxonomy: Taxonomy, rows: Iterable[int]) -> None:
    """Bring the queue rows of these items up to date, inside the caller's transaction.

    Only columns that change are written: each has indexes behind it, whose pages would be written as well.
    """
    wanted = list(rows)
    book = FacetBook(db)
    verdicts = shown(db, wanted)
    decisions = decisions_of_rows(db, wanted)
    items = db.all(
        f"SELECT items.row, kind, split, items.exposure, {', '.join(f'queue.{column}' for column in _COLUMNS)}"
        " FROM json_each(?) AS wanted CROSS JOIN items ON items.row = wanted.value"
        " CROSS JOIN queue ON queue.row = items.row",
        (rows_parameter(wanted),),
    )
    changes: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
    for item in items:
        row = item[0]
        new = _queue_columns(book, taxonomy, item[:4], verdicts.get(row), decisions.get(row, ()))
        differing = [place for place, old in enumerate(item[4:]) if old != new[place]]
        columns = tuple(_COLUMNS[place] for place in differing)
        changes.setdefault(columns, []).append((*(new[place] for place in differing), row))
    for columns, values in changes.items():
        if columns:
            db.many(f"UPDATE queue SET {', '.join(f'{column} = ?' for column in columns)} WHERE row = ?", values)


def _queue_columns(
    book: FacetBook, taxonomy: Taxonomy, item: Row, verdict: Shown | None, decisions: Sequence[Decision]
) -> tuple[object, ...]:
    _, kind, split, exposure = item
    resolution = resolve(decisions, taxonomy, kind) if decisions else UNTOUCHED
    primary = taxonomy.primary(kind)
    task = "" if primary is None else primary.name
    label, probability, severity = "", None, 0
    if primary is not None and verdict is not None and task in verdict.tasks:
        label, probability, _ = verdict.tasks[task]
        severity = next((known.severity for known in primary.labels if known.name == label), 0)
    disagreement = verdict is not None and _disagrees(resolution, verdict)
    bucket, facet = book.numbers(Facet(resolution.state, kind, disagreement, label, split))
    return (
        bucket,
        facet,
        ranking.uncertain_key(probability),
        ranking.risk_key(severity, probability, exposure),
        resolution.last,
        None if verdict is None else verdict.model,
        label,
        probability,
        dump(resolution.labels.get(task, ())),
    )


def _disagrees(resolution: Resolution, verdict: Shown) -> bool:
    """Whether the reviewers' answer to any task differs from what confirming the shown verdict would have said."""
    return any(
        set(labels) != set(verdict.tasks[task][2])
        for task, labels in resolution.labels.items()
        if task in verdict.tasks
    )


def restart(db: Database, model: int) -> None:
    """Note that rows judged by this model (or `EVERYTHING`) are out of date, inside the caller's transaction.

    A refresh that was still under way starts over for every row.
    """
    scope = model if meta.get(db, meta.REFRESH) is None else EVERYTHING
    meta.put(db, meta.REFRESH, f"{scope}:0")


def refresh_some(db: Database, taxonomy: Taxonomy, limit: int = BATCH) -> bool:
    """Refresh the next rows that are out of date in one transaction; return whether there are more."""
    with db.transaction():
        note = meta.get(db, meta.REFRESH)
        if note is None:
            return False
        model, after = (int(part) for part in note.split(":"))
        rows = _out_of_date(db, model, after, limit)
        refresh(db, taxonomy, rows)
        more = len(rows) == limit
        meta.put(db, meta.REFRESH, f"{model}:{rows[-1]}" if more else None)
    return more


def _out_of_date(db: Database, model: int, after: int, limit: int) -> list[int]:
    if model == EVERYTHING:
        rows = db.all("SELECT row FROM queue WHERE row > ? ORDER BY row LIMIT ?", (after, limit))
    else:
        rows = db.all(
            "SELECT DISTINCT row FROM verdicts WHERE model = ? AND row > ? ORDER BY row LIMIT ?", (model, after, limit)
        )
    return [row[0] for row in rows]


def model_number(db: Database, model: str) -> int:
    """Return a registered model's number; raises `NotFoundError` with the nearest id."""
    number = db.value("SELECT number FROM models WHERE id = ?", (model,))
    if number is None:
        known = [row[0] for row in db.all("SELECT id FROM models")]
        raise NotFoundError(f"There is no model '{model}' in this workspace.", did_you_mean(model, known))
    return int(number)


def scorable(db: Database, taxonomy: Taxonomy, model: str) -> tuple[int, list[str]]:
    """Return the model's number and the kinds of items for which it has a task that applies."""
    number = model_number(db, model)
    card = _card.decode(db.value("SELECT card FROM models WHERE number = ?", (number,)))
    kinds = [row[0] for row in db.all("SELECT DISTINCT kind FROM facets")]
    return number, [kind for kind in kinds if any(task.name in card.tasks for task in taxonomy.tasks_for(kind))]


def row_numbers(db: Database, items: Iterable[str]) -> dict[str, int]:
    """Return the items' row numbers; raises `NotFoundError` for the first that does not exist."""
    wanted = list(items)
    found = db.all(
        "SELECT id, row FROM items WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(wanted).decode(),),
    )
    rows: dict[str, int] = dict(found)
    for item in wanted:
        if item not in rows:
            raise NotFoundError(f"There is no item '{item}' in this workspace.")
    return rows
