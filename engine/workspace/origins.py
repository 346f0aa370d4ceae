"""Where decisions came from that were made in another workspace, in a form that proves itself.

A decision that came with a pack is a row of this workspace's own chain: same act, reviewer, time and answer, another
number and another row before. Kept beside it are the pack's id and the number, the hash before and the hash that it
had first. With these three the first hash can be taken again over the row itself, so a row that was changed on the
way, or later, does not pass `verify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from engine.types import Annotation, Decision, Struct
from engine.workspace import chain
from engine.workspace.annotations import genuine
from engine.workspace.chain import ChainReport
from engine.workspace.database import Database
from engine.workspace.encoding import dump, rows_parameter

READ_BATCH = 2_000
_OWN = "origins.pack, origins.number, origins.previous, origins.hash"


class Origin(Struct, frozen=True, kw_only=True):
    """Where a decision was first recorded: `pack` is the id (SHA-256) of the pack that it came with.

    `number` and `hash` are the row's in the chain of the workspace that it was recorded in, `previous` the hash of the
    row before it there.
    """

    pack: str
    number: int
    previous: str
    hash: str


class Carried(Struct, frozen=True, kw_only=True):
    """A decision on its way to another workspace, with its first origin where it has one, and what was crossed out."""

    decision: Decision
    origin: Origin | None = None
    crossed_out: tuple[Annotation, ...] = ()

    @property
    def identity(self) -> str:
        """The hash that the decision had where it was recorded first: the same wherever it goes."""
        return self.decision.hash if self.origin is None else self.origin.hash


class Origins:
    """Where this workspace's decisions came from; those that were recorded here have no origin."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, item: str) -> dict[int, Origin]:
        """Return the origins of an item's decisions by number; empty for an unknown item."""
        return self.of_many([item])

    def of_many(self, items: Sequence[str]) -> dict[int, Origin]:
        """Return the origins of the decisions on several items, by number."""
        rows = self._db.all("SELECT row FROM items WHERE id IN (SELECT value FROM json_each(?))", (dump(items),))
        return of_rows(self._db, [row for (row,) in rows])

    def count(self) -> int:
        """Return how many decisions came from elsewhere."""
        return int(self._db.value("SELECT COUNT(*) FROM origins"))

    def verify(self) -> ChainReport:
        """Check that every decision from elsewhere still gives the hash that it had where it was recorded."""
        after = good = 0
        while rows := self._db.all(
            f"SELECT origins.decision, origins.row, {_OWN}, decisions.row, {chain.COLUMNS_OF_DECISIONS} FROM origins"
            " LEFT JOIN decisions ON decisions.number = origins.decision WHERE origins.decision > ?"
            " ORDER BY origins.decision LIMIT ?",
            (after, READ_BATCH),
        ):
            for row in rows:
                origin = Origin(pack=row[2], number=row[3], previous=row[4], hash=row[5])
                if row[1] != row[6] or fault_of(chain.decision_of(row[7:]), origin):
                    reason = f"decision {row[0]} is not the one that came with the pack {origin.pack[:12]}"
                    return ChainReport(ok=False, rows=good, first_bad=row[0], reason=reason)
                good, after = good + 1, row[0]
        return ChainReport(ok=True, rows=good)


def of_rows(db: Database, rows: Iterable[int]) -> dict[int, Origin]:
    """Return the origins of all decisions on these item rows, by decision number."""
    found = db.all(
        f"SELECT origins.decision, {_OWN} FROM json_each(?) AS wanted CROSS JOIN origins ON origins.row = wanted.value",
        (rows_parameter(rows),),
    )
    return {row[0]: Origin(pack=row[1], number=row[2], previous=row[3], hash=row[4]) for row in found}


def note(db: Database, origins: Sequence[tuple[int, int, Origin]]) -> None:
    """Remember (decision number, item row, origin), inside the caller's transaction."""
    db.many(
        "INSERT INTO origins (decision, row, pack, number, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
        [(number, row, one.pack, one.number, one.previous, one.hash) for number, row, one in origins],
    )


def fault_of(decision: Decision, origin: Origin) -> bool:
    """Whether the decision is not the one whose first hash the origin names."""
    first = msgspec.structs.replace(decision, number=origin.number, previous=origin.previous)
    return chain.seal(first).hash != origin.hash


def fault(carried: Carried) -> str:
    """Return why a decision on its way is not what its hashes say, "" where it is."""
    decision = carried.decision
    if chain.seal(decision).hash != decision.hash:
        return f"decision {decision.number} was changed after it was written"
    if carried.origin is not None and fault_of(decision, carried.origin):
        return f"decision {decision.number} is not the one that its origin names"
    if not all(genuine(one, decision) for one in carried.crossed_out):
        return f"what was crossed out with decision {decision.number} was changed after it was written"
    return ""
