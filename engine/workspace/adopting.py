"""Decisions that come in with a file: they wait in a temporary table until the file's items are written.

So memory stays bounded however many there are, and items and decisions of a file are one transaction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from engine.workspace.database import Database
from engine.workspace.decisions import Decisions, GivenDecision

_AT_ONCE = 500
"""Items whose decisions are recorded together."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[GivenDecision]).decode


class Waiting:
    """The decisions of one import; `adopted` counts the rows that `adopt` recorded, `known` those it passed over."""

    def __init__(self, db: Database, decisions: Decisions) -> None:
        self._db = db
        self._decisions = decisions
        self.adopted = self.known = 0

    def put(self, items: Sequence[Sequence[GivenDecision]]) -> None:
        """Let the decisions of some items wait; each sequence holds all of one item's, oldest first."""
        with self._db.snapshot():
            rows = [(_encode(given),) for given in items if given]
            self._db.many("INSERT INTO temp.given (decisions) VALUES (?)", rows)

    def adopt(self) -> None:
        """Record everything that waits, in the caller's transaction; raises as `Decisions.adopt`."""
        after = 0
        with self._db.transaction():
            while rows := self._db.all(
                "SELECT number, decisions FROM temp.given WHERE number > ? ORDER BY number LIMIT ?", (after, _AT_ONCE)
            ):
                given = [one for _, encoded in rows for one in _decode(encoded)]
                new = len(self._decisions.adopt(given))
                self.adopted += new
                self.known += len(given) - new
                after = rows[-1][0]


@contextlib.contextmanager
def waiting(db: Database, decisions: Decisions) -> Iterator[Waiting]:
    """Give an empty waiting list that is gone after the block."""
    db.execute("DROP TABLE IF EXISTS temp.given")
    db.execute("CREATE TEMP TABLE given (number INTEGER PRIMARY KEY, decisions BLOB NOT NULL)")
    try:
        yield Waiting(db, decisions)
    finally:
        db.execute("DROP TABLE IF EXISTS temp.given")
