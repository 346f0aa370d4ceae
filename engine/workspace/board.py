"""Keeps the queue rows true: what each item's shown verdict, state, label and sort keys are right now.

Called inside the transaction that changed a verdict, a decision or a split, so that a queue never disagrees with the
facts it is made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from engine.errors import NotFoundError, did_you_mean
from engine.taxonomy import Task, Taxonomy
from engine.types import Decision, ModelCard
from engine.workspace import flips, listed, meta, ranking
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

_NO_LABELS = dump(())
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
    """Bring the queue rows of these items up to date, and the lists they are on, inside the caller's transaction.

    Only columns that change are written: each has indexes behind it, whose pages would be written as well.
    """
    wanted = list(rows)
    book, ledger, lists = FacetBook(db), flips.Ledger(db, wanted), _Lists(db, wanted)
    verdicts, decisions = shown(db, wanted), decisions_of_rows(db, wanted)
    changes: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
    first = _FirstTasks(taxonomy)
    for item in _items(db, wanted):
        row, kind = item[:2]
        resolution = resolve(decisions[row], taxonomy, kind) if row in decisions else UNTOUCHED
        new = _queue_columns(book, first[kind], item[:4], verdicts.get(row), resolution)
        differing = [place for place, old in enumerate(item[4:]) if old != new[place]]
        columns = tuple(_COLUMNS[place] for place in differing)
        changes.setdefault(columns, []).append((*(new[place] for place in differing), row))
        lists.note(row, _flip_place(ledger, first[kind], item, verdicts.get(row), resolution), bool(differing))
    for columns, values in changes.items():
        if columns:
            db.many(f"UPDATE queue SET {', '.join(f'{column} = ?' for column in columns)} WHERE row = ?", values)
    ledger.write()
    lists.write(db)


def _items(db: Database, rows: Iterable[int]) -> list[Row]:
    """Return each item's row, kind, split and exposure, and then its queue columns as they stand."""
    return db.all(
        f"SELECT items.row, kind, split, items.exposure, {', '.join(f'queue.{column}' for column in _COLUMNS)}"
        " FROM json_each(?) AS wanted CROSS JOIN items ON items.row = wanted.value"
        " CROSS JOIN queue ON queue.row = items.row",
        (rows_parameter(rows),),
    )


class _Lists:
    """The lists that some items are on: read once, and written once the queue's rows are."""

    def __init__(self, db: Database, rows: Iterable[int]) -> None:
        self._known = listed.places(db, rows)
        self._put: dict[str, dict[int, float]] = {name: {} for name in listed.NAMES}
        self._unflipped: list[int] = []

    def note(self, row: int, flip: float | None, changed: bool) -> None:
        """Keep an item's places on the lists as they are, but for its place among the flips."""
        before = self._known.get(row)
        if before is None and flip is None:
            return
        now = {} if before is None else {name: place for name, place in before.items() if name != listed.FLIPS}
        if flip is not None:
            now[listed.FLIPS] = flip
        elif before is not None and listed.FLIPS in before:
            self._unflipped.append(row)
        for name, place in now.items():
            if changed or before is None or before.get(name) != place:
                self._put[name][row] = place

    def write(self, db: Database) -> None:
        """Write them, inside the caller's transaction."""
        listed.drop(db, listed.FLIPS, self._unflipped)
        for name, places in self._put.items():
            listed.put(db, name, places)


class _FirstTasks(dict[str, Task | None]):
    """The first task of each kind, looked up once."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        self._taxonomy = taxonomy

    def __missing__(self, kind: str) -> Task | None:
        self[kind] = self._taxonomy.primary(kind)
        return self[kind]


def _flip_place(
    ledger: flips.Ledger, task: Task | None, item: Row, verdict: Shown | None, resolution: Resolution
) -> float | None:
    """Follow the flip of a row of `_items` and return its place on the list of flips, None where it is on none."""
    if task is None or verdict is None or task.name not in verdict.tasks:
        return None
    if item[9] == verdict.model and not ledger.knows(item[0]):
        return None
    now = flips.Judged(verdict.model, *verdict.tasks[task.name])
    if now.label == item[10] and not task.multi and not ledger.knows(item[0]):
        return None
    record = ledger.follow(item[0], task, item[9:12], now, resolution)
    return None if record is None else flips.place_of(record, now.probability)


def _queue_columns(
    book: FacetBook, primary: Task | None, item: Row, verdict: Shown | None, resolution: Resolution
) -> tuple[object, ...]:
    _, kind, split, exposure = item
    task = "" if primary is None else primary.name
    label, probability, severity = "", None, 0
    if primary is not None and verdict is not None and task in verdict.tasks:
        label, probability, _ = verdict.tasks[task]
        severity = next((known.severity for known in primary.labels if known.name == label), 0)
    disagreement = bool(resolution.labels) and verdict is not None and _disagrees(resolution, verdict)
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
        dump(resolution.labels[task]) if task in resolution.labels else _NO_LABELS,
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
        way_out = did_you_mean(model, known) or "Train one with: secondlook retrain."
        raise NotFoundError(f"There is no model '{model}' in this workspace.", way_out)
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
            raise NotFoundError(
                f"There is no item '{item}' in this workspace.", "List the ids with: secondlook items WORKSPACE."
            )
    return rows
