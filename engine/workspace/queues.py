"""Queues: any page of any filter in any order, by key, however many items there are.

How it stays fast: each queue row carries its `bucket` (state, kind, disagreement) and its `facet` (those, the shown
label and the split), and each order's key is indexed behind both. A query is a set of buckets or facets; each is one
index range that is already in order, and the ranges are merged lazily. Nothing is sorted, nothing is skipped over.
The lists beside the queue (flips, items to teach the model with) repeat those columns and are read in the same way.
The exceptions are documented at `QueueQuery`: a probability range in an order other than "uncertain", and a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.errors import InputError, NotFoundError, did_you_mean
from engine.taxonomy import Taxonomy
from engine.types import Struct
from engine.workspace import board, listed, meta, search
from engine.workspace.database import Database
from engine.workspace.encoding import read_labels, rows_parameter
from engine.workspace.facets import STATES
from engine.workspace.walk import Pair, Walk, merged

MAX_LIMIT = 10_000


class Order(NamedTuple):
    """A sort key's column and direction; ties go by row in the same direction."""

    column: str
    descending: bool


ORDERS = {
    "uncertain": Order("uncertain", descending=False),
    "risk": Order("risk", descending=True),
    "exposure": Order("exposure", descending=True),
    "oldest": Order("moment", descending=False),
    "newest": Order("moment", descending=True),
    "recent": Order("recent", descending=True),
    "flips": Order("place", descending=True),
    "teach": Order("place", descending=False),
}
LISTS = {"flips": listed.FLIPS, "teach": listed.TEACH}
"""Orders that only items on a list have, and that list."""


class Cursor(Struct, frozen=True, kw_only=True):
    """Where a page ended: the last row's sort key and number."""

    key: float
    row: int


class QueueQuery(Struct, frozen=True, kw_only=True):
    """Which items, in which order, from where on.

    `label` is the shown verdict's for the kind's first task. `order` is "uncertain" (lowest top probability first,
    items without a verdict last), "risk" (severity times probability, then exposure), "exposure", "oldest" and
    "newest" (capture time, else import time), or "recent" (latest standing decision first). `disagreement` keeps
    items whose resolved label differs from the shown verdict. `listed` keeps the items of a list: "flips" (verdicts
    that a newer model changed) or "teach" (picked for labelling); the order of that name is the list's own. `search`
    keeps items in whose id, title, text or author every given word begins some word. `limit` is 1 to 10,000.

    A probability range (inclusive) costs nothing extra in the order "uncertain"; in another order rows outside it are
    passed over one by one. A search first collects its matches.
    """

    states: tuple[str, ...] = ("open",)
    kind: str | None = None
    label: str | None = None
    split: str | None = None
    order: str = "uncertain"
    min_probability: float | None = None
    max_probability: float | None = None
    disagreement: bool = False
    listed: str = ""
    search: str = ""
    limit: int = 100
    after: Cursor | None = None


class QueueRow(Struct, frozen=True, kw_only=True):
    """An item as a queue lists it.

    `title` is the item's, else the first 80 characters of its text. `task`, `label`, `probability` and `model` are
    the shown verdict for the kind's first task ("" and None where there is none); `resolved` is that task's label.
    """

    row: int
    item: str
    kind: str
    title: str
    author: str
    capture: str | None
    task: str
    label: str
    probability: float | None
    state: str
    resolved: tuple[str, ...]
    model: str = ""


class QueuePage(Struct, frozen=True, kw_only=True):
    """Some rows, and the cursor for the next page (None at the end)."""

    rows: list[QueueRow]
    after: Cursor | None


class QueueCounts(Struct, frozen=True, kw_only=True):
    """How many items are in each state."""

    open: int
    decided: int
    skipped: int
    escalated: int
    total: int


class _Ranges(NamedTuple):
    """The index ranges that make up a query: numbers of a `group` ("bucket" or "facet") and how many rows each has."""

    group: str
    sizes: dict[int, int]


class Queues:
    """Reads the queue rows that `board` keeps."""

    def __init__(self, db: Database, taxonomy: Taxonomy) -> None:
        self._db = db
        self._taxonomy = taxonomy

    def page(self, query: QueueQuery) -> QueuePage:
        """Return at most `limit` rows behind the cursor; raises `InputError` for an unknown order or state."""
        _check(query)
        with self._db.snapshot():
            keys = self._keys(query, query.limit)
            rows = self._details([row for _, row in keys])
        after = Cursor(key=keys[-1][0], row=keys[-1][1]) if len(keys) == query.limit else None
        return QueuePage(rows=rows, after=after)

    def row(self, item: str) -> QueueRow:
        """Return one item's queue row; raises `NotFoundError`."""
        number = self._db.value("SELECT row FROM items WHERE id = ?", (item,))
        if number is None:
            raise NotFoundError(
                f"There is no item '{item}' in this workspace.", "List the ids with: secondlook items WORKSPACE."
            )
        return self._details([number])[0]

    def counts(self) -> QueueCounts:
        """Return how many items are in each state; costs the same at any size."""
        found = dict.fromkeys(STATES, 0)
        for state, items in self._db.all("SELECT state, SUM(items) FROM facets GROUP BY state"):
            found[state] = items
        return QueueCounts(total=sum(found.values()), **found)

    def count(self, query: QueueQuery) -> int:
        """Return how many items the query has in all; only a probability range or a search makes it look at items."""
        _check(query)
        if query.search.strip() or query.min_probability is not None or query.max_probability is not None:
            with self._db.snapshot():
                return len(self._keys(msgspec.structs.replace(query, after=None), self.counts().total))
        counted, where, values = _conditions(query)
        return int(self._db.value(f"SELECT COALESCE(SUM({counted}.items), 0) FROM {where}", values))

    @property
    def pending(self) -> bool:
        """Whether rows still wait for `refresh` (after a promotion or a change of the taxonomy)."""
        return meta.get(self._db, meta.REFRESH) is not None

    def refresh(self, *, limit: int = board.BATCH) -> bool:
        """Bring the next `limit` rows that wait up to date in one short transaction; return whether more wait."""
        return self.pending and board.refresh_some(self._db, self._taxonomy, limit)

    def _keys(self, query: QueueQuery, limit: int) -> list[Pair]:
        """Return the first `limit` (sort key, row) behind the cursor, in order."""
        order = ORDERS[query.order]
        ranges = self._ranges(query)
        within, bounds = _probability(query, order)
        hits = search.hits(self._db, query.search) if query.search.strip() else None
        start = None if query.after is None else (query.after.key, query.after.row)
        if hits is not None and len(hits) <= search.FEW:
            return self._few(query, ranges, hits, start)[:limit]
        walk = Walk(ranges.group, order.column, order.descending, within, bounds, query.listed)
        return merged(self._db, walk, ranges.sizes, start, limit, hits)

    def _ranges(self, query: QueueQuery) -> _Ranges:
        group = "bucket" if query.label is None and query.split is None else "facet"
        counted, where, values = _conditions(query)
        rows = self._db.all(
            f"SELECT {group}, SUM({counted}.items) FROM {where} AND {counted}.items > 0 GROUP BY 1", values
        )
        return _Ranges(group, {row[0]: row[1] for row in rows})

    def _few(self, query: QueueQuery, ranges: _Ranges, hits: set[int], start: Pair | None) -> list[Pair]:
        """Return the search's matches within the ranges, sorted; for when there are few of them."""
        order = ORDERS[query.order]
        within, bounds = _probability(query, order)
        table = "listed" if query.listed else "queue"
        only = f"AND name = '{query.listed}'" if query.listed else ""
        pairs: list[Pair] = self._db.all(
            f"SELECT {order.column}, {table}.row FROM json_each(?) AS hit CROSS JOIN {table} ON {table}.row = hit.value"
            f" WHERE {ranges.group} IN (SELECT value FROM json_each(?)) {only} {within}",
            (rows_parameter(hits), rows_parameter(ranges.sizes), *bounds),
        )
        pairs.sort(reverse=order.descending)
        if start is None:
            return pairs
        return [pair for pair in pairs if (pair < start if order.descending else pair > start)]

    def _details(self, numbers: Sequence[int]) -> list[QueueRow]:
        rows = self._db.all(
            "SELECT queue.row, items.id, items.kind, items.title, substr(items.text, 1, 80), items.author,"
            " items.capture, queue.label, queue.probability, facets.state, queue.resolved, models.id"
            " FROM json_each(?) AS wanted CROSS JOIN queue ON queue.row = wanted.value"
            " CROSS JOIN items ON items.row = queue.row CROSS JOIN facets ON facets.facet = queue.facet"
            " LEFT JOIN models ON models.number = queue.model",
            (rows_parameter(numbers),),
        )
        tasks = {kind: self._primary(kind) for kind in {row[2] for row in rows}}
        found = {
            row[0]: QueueRow(
                row=row[0],
                item=row[1],
                kind=row[2],
                title=row[3] or row[4],
                author=row[5],
                capture=row[6],
                task=tasks[row[2]],
                label=row[7],
                probability=row[8],
                state=row[9],
                resolved=read_labels(row[10]),
                model=row[11] or "",
            )
            for row in rows
        }
        return [found[number] for number in numbers]

    def _primary(self, kind: str) -> str:
        task = self._taxonomy.primary(kind)
        return "" if task is None else task.name


def _check(query: QueueQuery) -> None:
    if query.order not in ORDERS:
        raise InputError(f"'{query.order}' is no order of a queue.", did_you_mean(query.order, ORDERS))
    if query.listed and query.listed not in LISTS.values():
        raise InputError(f"'{query.listed}' is no list of items.", did_you_mean(query.listed, LISTS.values()))
    if LISTS.get(query.order, query.listed) != query.listed:
        raise InputError(f"Only the queue '{query.order}' has the order '{query.order}'.", "Choose another order.")
    for state in query.states:
        if state not in STATES:
            raise InputError(f"'{state}' is no state of an item.", did_you_mean(state, STATES))
    if not 1 <= query.limit <= MAX_LIMIT:
        raise InputError(f"A page of {query.limit} rows cannot be had.", f"Ask for 1 to {MAX_LIMIT}.")


def _conditions(query: QueueQuery) -> tuple[str, str, list[object]]:
    """Return the table that counts the query's items, the facets' part of FROM and WHERE with it, and their values."""
    parts = [f"state IN ({', '.join('?' * len(query.states))})"]
    values: list[object] = [*query.states]
    for column, value in (("kind", query.kind), ("label", query.label), ("split", query.split)):
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    if query.disagreement:
        parts.append("disagreement = 1")
    if query.listed:
        parts.append("name = ?")
        values.append(query.listed)
        return "listed_counts", f"listed_counts JOIN facets USING (facet) WHERE {' AND '.join(parts)}", values
    return "facets", f"facets WHERE {' AND '.join(parts)}", values


def _probability(query: QueueQuery, order: Order) -> tuple[str, tuple[float, ...]]:
    """Return the condition on the shown probability and its bounds; in the order "uncertain" it is the index's own."""
    if query.min_probability is None and query.max_probability is None:
        return "", ()
    low = 0.0 if query.min_probability is None else query.min_probability
    high = 1.0 if query.max_probability is None else query.max_probability
    column = "uncertain" if order.column == "uncertain" else "probability"
    return f"AND {column} BETWEEN ? AND ?", (low, high)
