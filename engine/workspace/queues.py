"""Queues: any page of any filter in any order, by key, however many items there are.

How it stays fast: each queue row carries its `bucket` (state, kind, disagreement) and its `facet` (those, the shown
label and the split), and each order's key is indexed behind both. A query is a set of buckets or facets; each is one
index range that is already in order, and the ranges are merged lazily. Nothing is sorted, nothing is skipped over.
The exceptions are documented at `QueueQuery`: a probability range in an order other than "uncertain", and a search.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.errors import InputError, NotFoundError, did_you_mean
from engine.taxonomy import Taxonomy
from engine.types import Struct
from engine.workspace import board, meta, search
from engine.workspace.database import Database
from engine.workspace.encoding import read_labels, rows_parameter
from engine.workspace.facets import STATES

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
}


class Cursor(Struct, frozen=True, kw_only=True):
    """Where a page ended: the last row's sort key and number."""

    key: float
    row: int


class QueueQuery(Struct, frozen=True, kw_only=True):
    """Which items, in which order, from where on.

    `label` is the shown verdict's for the kind's first task. `order` is "uncertain" (lowest top probability first,
    items without a verdict last), "risk" (severity times probability, then exposure), "exposure", "oldest" and
    "newest" (capture time, else import time), or "recent" (latest standing decision first). `disagreement` keeps
    items whose resolved label differs from the shown verdict. `search` keeps items in whose id, title, text or author
    every given word begins some word. `limit` is 1 to 10,000.

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
    """The index ranges that make up a query: `numbers` in `group` ("bucket" or "facet")."""

    group: str
    numbers: list[int]


class _Walk(NamedTuple):
    """How an index range is read: `first` from its start, `following` from behind a key; `sign` is -1 descending."""

    first: str
    following: str
    bounds: tuple[float, ...]
    sign: int


class Queues:
    """Reads the queue rows that `board` keeps."""

    def __init__(self, db: Database, taxonomy: Taxonomy) -> None:
        self._db = db
        self._taxonomy = taxonomy

    def page(self, query: QueueQuery) -> QueuePage:
        """Return at most `limit` rows behind the cursor; raises `InputError` for an unknown order or state."""
        _check(query)
        with self._db.snapshot():
            keys = list(itertools.islice(self._keys(query), query.limit))
            rows = self._details([row for _, row in keys])
        after = Cursor(key=keys[-1][0], row=keys[-1][1]) if len(keys) == query.limit else None
        return QueuePage(rows=rows, after=after)

    def row(self, item: str) -> QueueRow:
        """Return one item's queue row; raises `NotFoundError`."""
        number = self._db.value("SELECT row FROM items WHERE id = ?", (item,))
        if number is None:
            raise NotFoundError(f"There is no item '{item}' in this workspace.")
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
        if query.search or query.min_probability is not None or query.max_probability is not None:
            with self._db.snapshot():
                return sum(1 for _ in self._keys(query))
        where, values = _conditions(query)
        return int(self._db.value(f"SELECT COALESCE(SUM(items), 0) FROM facets WHERE {where}", values))

    @property
    def pending(self) -> bool:
        """Whether rows still wait for `refresh` (after a promotion or a change of the taxonomy)."""
        return meta.get(self._db, meta.REFRESH) is not None

    def refresh(self, *, limit: int = board.BATCH) -> bool:
        """Bring the next `limit` rows that wait up to date in one short transaction; return whether more wait."""
        return self.pending and board.refresh_some(self._db, self._taxonomy, limit)

    def _keys(self, query: QueueQuery) -> Iterator[tuple[float, int]]:
        """Yield (sort key, row) in order."""
        order = ORDERS[query.order]
        ranges = self._ranges(query)
        hits = search.hits(self._db, query.search) if query.search.strip() else None
        sign = -1 if order.descending else 1
        if hits is not None and len(hits) <= search.FEW:
            merged = iter(self._few(query, ranges, hits))
        else:
            chunk = max(8, min(query.limit, 2 * query.limit // max(1, len(ranges.numbers))))
            walk = _walk(query, ranges.group)
            branches = [self._branch(walk, number, query.after, chunk) for number in ranges.numbers]
            merged = branches[0] if len(branches) == 1 else heapq.merge(*branches)
        for key, row in merged:
            if hits is None or sign * row in hits:
                yield sign * key, sign * row

    def _ranges(self, query: QueueQuery) -> _Ranges:
        group = "bucket" if query.label is None and query.split is None else "facet"
        where, values = _conditions(query)
        rows = self._db.all(f"SELECT DISTINCT {group} FROM facets WHERE items > 0 AND {where}", values)
        return _Ranges(group, [row[0] for row in rows])

    def _branch(self, walk: _Walk, number: int, after: Cursor | None, chunk: int) -> Iterator[tuple[float, int]]:
        """Yield one range's (key, row), negated where the order descends, so that branches merge by ascending order."""
        while True:
            if after is None:
                pairs = self._db.all(walk.first, (number, *walk.bounds, chunk))
            else:
                values = (
                    number,
                    after.key,
                    after.row,
                    *walk.bounds,
                    chunk,
                    number,
                    after.key,
                    *walk.bounds,
                    chunk,
                    chunk,
                )
                pairs = self._db.all(walk.following, values)
            if walk.sign == 1:
                yield from pairs
            else:
                yield from [(-key, -row) for key, row in pairs]
            if len(pairs) < chunk:
                return
            after = Cursor(key=pairs[-1][0], row=pairs[-1][1])
            chunk *= 2

    def _few(self, query: QueueQuery, ranges: _Ranges, hits: set[int]) -> list[tuple[float, int]]:
        """Return the search's matches within the ranges, sorted; for when there are few of them."""
        order = ORDERS[query.order]
        sign = -1 if order.descending else 1
        within, bounds = _probability(query, order)
        pairs = self._db.all(
            f"SELECT {order.column}, queue.row FROM json_each(?) AS hit CROSS JOIN queue ON queue.row = hit.value"
            f" WHERE {ranges.group} IN (SELECT value FROM json_each(?)) {within}",
            (rows_parameter(hits), rows_parameter(ranges.numbers), *bounds),
        )
        found = sorted((sign * key, sign * row) for key, row in pairs)
        start = None if query.after is None else (sign * query.after.key, sign * query.after.row)
        return found if start is None else [pair for pair in found if pair > start]

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
    for state in query.states:
        if state not in STATES:
            raise InputError(f"'{state}' is no state of an item.", did_you_mean(state, STATES))
    if not 1 <= query.limit <= MAX_LIMIT:
        raise InputError(f"A page of {query.limit} rows cannot be had.", f"Ask for 1 to {MAX_LIMIT}.")


def _conditions(query: QueueQuery) -> tuple[str, list[object]]:
    """Return the condition on facets and its values."""
    parts = [f"state IN ({', '.join('?' * len(query.states))})"]
    values: list[object] = [*query.states]
    for column, value in (("kind", query.kind), ("label", query.label), ("split", query.split)):
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    if query.disagreement:
        parts.append("disagreement = 1")
    return " AND ".join(parts), values


def _walk(query: QueueQuery, group: str) -> _Walk:
    """Return the statements for a query. Behind a cursor come first the rows that share its key, then those past it.

    Asked for as one condition, SQLite would step through every row that shares the key.
    """
    order = ORDERS[query.order]
    direction, past = ("DESC", "<") if order.descending else ("ASC", ">")
    within, bounds = _probability(query, order)
    select = f"SELECT {order.column}, row FROM queue INDEXED BY queue_{group}_{order.column} WHERE {group} = ?"
    ordered = f"{within} ORDER BY {order.column} {direction}, row {direction} LIMIT ?"
    following = (
        f"SELECT * FROM ({select} AND {order.column} = ? AND row {past} ? {ordered})"
        f" UNION ALL SELECT * FROM ({select} AND {order.column} {past} ? {ordered}) LIMIT ?"
    )
    return _Walk(f"{select} {ordered}", following, bounds, -1 if order.descending else 1)


def _probability(query: QueueQuery, order: Order) -> tuple[str, tuple[float, ...]]:
    """Return the condition on the shown probability and its bounds; in the order "uncertain" it is the index's own."""
    if query.min_probability is None and query.max_probability is None:
        return "", ()
    low = 0.0 if query.min_probability is None else query.min_probability
    high = 1.0 if query.max_probability is None else query.max_probability
    column = "uncertain" if order.column == "uncertain" else "probability"
    return f"AND {column} BETWEEN ? AND ?", (low, high)
