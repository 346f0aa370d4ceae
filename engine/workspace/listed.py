"""Lists beside the queue: a few items, each with a place of its own and the queue's sort keys repeated.

A list is read exactly as the queue is, by index ranges behind `bucket` and `facet`, and its items are counted by
triggers. An item that is on no list costs nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.workspace.database import Database
from engine.workspace.encoding import dump, rows_parameter

FLIPS = "flips"
TEACH = "teach"
NAMES = (FLIPS, TEACH)

KEYS = ("bucket", "facet", "uncertain", "risk", "exposure", "moment", "recent", "probability")
"""The queue's columns that are repeated."""

_COPIED = ", ".join(KEYS)
_TAKEN = ", ".join(f"{column} = excluded.{column}" for column in ("place", *KEYS))


def places(db: Database, rows: Iterable[int]) -> dict[int, dict[str, float]]:
    """Return the lists that these items are on, and their place on each; items on no list are left out."""
    found: dict[int, dict[str, float]] = {}
    for row, name, place in db.all(
        "SELECT listed.row, name, place FROM json_each(?) AS wanted CROSS JOIN listed ON listed.row = wanted.value",
        (rows_parameter(rows),),
    ):
        found.setdefault(row, {})[name] = place
    return found


def put(db: Database, name: str, wanted: Mapping[int, float]) -> None:
    """Put items on a list at these places, or bring what it repeats of the queue up to date, inside a transaction."""
    if wanted:
        db.execute(
            f"INSERT INTO listed (name, row, place, {_COPIED})"
            f" SELECT ?, queue.row, json_extract(pair.value, '$[1]'), {_COPIED} FROM json_each(?) AS pair"
            " CROSS JOIN queue ON queue.row = json_extract(pair.value, '$[0]') WHERE true"
            f" ON CONFLICT (row, name) DO UPDATE SET {_TAKEN}",
            (name, dump(list(wanted.items()))),
        )


def drop(db: Database, name: str, rows: Iterable[int]) -> None:
    """Take items off a list, inside the caller's transaction."""
    gone = list(rows)
    if gone:
        db.execute(
            "DELETE FROM listed WHERE name = ? AND row IN (SELECT value FROM json_each(?))",
            (name, rows_parameter(gone)),
        )


def clear(db: Database, name: str) -> None:
    """Take every item off a list, inside the caller's transaction."""
    db.execute("DELETE FROM listed WHERE name = ?", (name,))
