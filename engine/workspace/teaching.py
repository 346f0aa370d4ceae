"""The batch of items picked for labelling: one at a time, ranked, each with the reason it was picked.

A new batch takes the place of the one before. An item stays in it when it is decided; the queue "teach" shows those
that are still open.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from engine.types import Struct
from engine.workspace import board, listed, meta
from engine.workspace.database import Database
from engine.workspace.encoding import dump, now, read_probabilities, rows_parameter
from engine.workspace.queues import ORDERS, QueueQuery, Queues

CHUNK = 500
FEW_OPEN = 20_000
"""Up to as many open items are listed to draw from; of more, rows are drawn until enough of them are open."""


class Pick(Struct, frozen=True, kw_only=True):
    """An item of a batch: why it was picked, in words, and the score that placed it (None for one drawn at random)."""

    item: str
    why: str
    score: float | None = None


class Batch(Struct, frozen=True, kw_only=True):
    """What is known of the batch as a whole: how it was ordered, how many items, how many of them at random, when."""

    order: str
    items: int
    at_random: int
    seed: int
    at: str = ""


class Candidate(NamedTuple):
    """An open item with the shown verdict on its kind's first task: calibrated probabilities by label."""

    row: int
    item: str
    task: str
    top: float
    probabilities: Mapping[str, float]


_batch = msgspec.json.Decoder(Batch)


class Teaching:
    """Keeps the batch, and reads what there is to pick from."""

    def __init__(self, db: Database, queues: Queues) -> None:
        self._db = db
        self._queues = queues

    def put(self, picks: Sequence[Pick], batch: Batch) -> Batch:
        """Keep a batch, the first pick first, in place of the one before; one transaction.

        Returns it with its moment. Raises `NotFoundError` for an item that does not exist.
        """
        kept = msgspec.structs.replace(batch, items=len(picks), at=now())
        with self._db.transaction():
            rows = board.row_numbers(self._db, [pick.item for pick in picks])
            listed.clear(self._db, listed.TEACH)
            self._db.execute("DELETE FROM teaching")
            self._db.many(
                "INSERT INTO teaching (row, rank, score, why) VALUES (?, ?, ?, ?)",
                [(rows[pick.item], rank, pick.score, pick.why) for rank, pick in enumerate(picks, start=1)],
            )
            listed.put(self._db, listed.TEACH, {rows[pick.item]: rank for rank, pick in enumerate(picks, start=1)})
            meta.put(self._db, meta.TEACHING, dump(kept))
        return kept

    def batch(self) -> Batch | None:
        """Return what is known of the present batch, or None before the first one."""
        note = meta.get(self._db, meta.TEACHING)
        return None if note is None else _batch.decode(note)

    def picks(self) -> list[Pick]:
        """Return the present batch in its order, decided items included."""
        rows = self._db.all("SELECT id, why, score FROM teaching JOIN items ON items.row = teaching.row ORDER BY rank")
        return [Pick(item=row[0], why=row[1], score=row[2]) for row in rows]

    def why(self, item: str) -> str:
        """Return why an item was picked; "" for one that is not in the present batch."""
        return self.why_many([item]).get(item, "")

    def why_many(self, items: Sequence[str]) -> dict[str, str]:
        """Return why these items were picked; those that are not in the present batch are left out."""
        rows = self._db.all(
            "SELECT id, why FROM items CROSS JOIN teaching ON teaching.row = items.row"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(items)),),
        )
        return dict(rows)

    def least_certain(self, kind: str | None = None) -> Iterator[Candidate]:
        """Yield the open items that have a verdict, the one with the lowest top probability first.

        Reads on only as far as is asked for; no lock is held between chunks.
        """
        query = QueueQuery(states=("open",), kind=kind, order="uncertain", max_probability=1.0, limit=CHUNK)
        while True:
            page = self._queues.page(query)
            shown = {row.row: (row.item, row.task, row.probability) for row in page.rows}
            verdicts = self._db.all(
                "SELECT verdicts.row, verdicts.task, verdicts.probabilities FROM json_each(?) AS wanted"
                " CROSS JOIN queue ON queue.row = wanted.value"
                " CROSS JOIN verdicts ON verdicts.model = queue.model AND verdicts.row = queue.row",
                (rows_parameter(shown),),
            )
            found = {(row, task): probabilities for row, task, probabilities in verdicts}
            for row, (item, task, top) in shown.items():
                if (row, task) in found and top is not None:
                    yield Candidate(row, item, task, top, read_probabilities(found[row, task]))
            if page.after is None:
                return
            query = msgspec.structs.replace(query, after=page.after)

    def draw(self, count: int, seed: int, kind: str | None = None) -> list[str]:
        """Return `count` open items drawn at random, all equally likely, or all where there are fewer.

        The same seed draws the same items from the same workspace.
        """
        draw = random.Random(seed)
        query = QueueQuery(states=("open",), kind=kind)
        there = self._queues.count(query)
        if there <= max(FEW_OPEN, 2 * count):
            rows = self._open_rows(kind)
            chosen = draw.sample(rows, min(count, len(rows)))
        else:
            chosen = self._draw_rows(draw, count, kind)
        names = self._db.all(
            "SELECT row, id FROM items WHERE row IN (SELECT value FROM json_each(?))", (rows_parameter(chosen),)
        )
        found: dict[int, str] = dict(names)
        return [found[row] for row in chosen]

    def _draw_rows(self, draw: random.Random, count: int, kind: str | None) -> list[int]:
        """Draw rows until enough of them are open: every open one is as likely, however many others there are."""
        last = int(self._db.value("SELECT MAX(row) FROM items"))
        chosen: dict[int, None] = {}
        while len(chosen) < count:
            drawn = [draw.randint(1, last) for _ in range(4 * count)]
            open_rows = set(self._open_rows(kind, among=drawn))
            chosen |= dict.fromkeys(row for row in drawn if row in open_rows)
        return list(chosen)[:count]

    def _open_rows(self, kind: str | None, among: Sequence[int] | None = None) -> list[int]:
        """Return the rows of open items, of these where given, in order."""
        facets = "(SELECT facet FROM facets WHERE state = 'open' AND (? IS NULL OR kind = ?))"
        if among is None:
            index = f"queue_facet_{ORDERS['uncertain'].column}"
            rows = self._db.all(
                f"SELECT row FROM queue INDEXED BY {index} WHERE facet IN {facets} ORDER BY row", (kind, kind)
            )
        else:
            rows = self._db.all(
                "SELECT row FROM json_each(?) AS wanted CROSS JOIN queue ON queue.row = wanted.value"
                f" WHERE facet IN {facets}",
                (rows_parameter(among), kind, kind),
            )
        return [row[0] for row in rows]
