"""Walking index ranges that are each in order, as if they were one: a merge that reads only what a page needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.workspace.database import Database

Pair = tuple[float, int]
"""A sort key and a row number."""

SMALLEST_CHUNK = 4


class Walk(NamedTuple):
    """How ranges are read: the equality column `group`, the key `column`, and an extra condition with its values.

    `listed` names a list beside the queue whose items alone are walked; "" is the queue itself.
    """

    group: str
    column: str
    descending: bool
    within: str
    bounds: tuple[float, ...]
    listed: str = ""

    def statements(self) -> tuple[str, str]:
        """Return how to read a range from its start, and from behind a key.

        Behind a key come first the rows that share it, then those past it. Asked for as one condition, SQLite would
        step through every row that shares the key.
        """
        direction, past = ("DESC", "<") if self.descending else ("ASC", ">")
        table = "listed" if self.listed else "queue"
        index = f"{table}_{self.group}_{self.column}"
        only = f"name = '{self.listed}' AND " if self.listed else ""
        select = f"SELECT {self.column}, row FROM {table} INDEXED BY {index} WHERE {only}{self.group} = ?"
        ordered = f"{self.within} ORDER BY {self.column} {direction}, row {direction} LIMIT ?"
        following = (
            f"SELECT * FROM ({select} AND {self.column} = ? AND row {past} ? {ordered})"
            f" UNION ALL SELECT * FROM ({select} AND {self.column} {past} ? {ordered}) LIMIT ?"
        )
        return f"{select} {ordered}", following


def merged(
    db: Database, walk: Walk, sizes: Mapping[int, int], start: Pair | None, limit: int, hits: set[int] | None = None
) -> list[Pair]:
    """Return the first `limit` pairs of all the ranges together, behind `start`, only rows in `hits` where given.

    `sizes` says how many rows each range has. Reads a chunk of every range as large as its likely share, then more
    only of those that could still hold something before the last pair needed: a range read up to a pair beyond it has
    nothing more to say.
    """
    first, following = walk.statements()
    total = sum(sizes.values())
    chunks = {number: min(limit, SMALLEST_CHUNK + 3 * limit * size // (2 * total)) for number, size in sizes.items()}
    found: list[Pair] = []
    unread: dict[int, Pair | None] = dict.fromkeys(sizes, start)
    while unread:
        reached: dict[int, Pair] = {}
        for number, after in unread.items():
            chunk = chunks[number]
            chunks[number] *= 2
            if after is None:
                pairs: list[Pair] = db.all(first, (number, *walk.bounds, chunk))
            else:
                behind = (number, *after, *walk.bounds, chunk, number, after[0], *walk.bounds, chunk, chunk)
                pairs = db.all(following, behind)
            found += pairs if hits is None else [pair for pair in pairs if pair[1] in hits]
            if len(pairs) == chunk:
                reached[number] = pairs[-1]
        found.sort(reverse=walk.descending)
        unread = {number: pair for number, pair in reached.items() if not _beyond(pair, found, limit, walk.descending)}
    return found[:limit]


def _beyond(pair: Pair, found: Sequence[Pair], limit: int, descending: bool) -> bool:
    """Whether everything behind this pair comes after the last one needed."""
    if len(found) < limit:
        return False
    last = found[limit - 1]
    return pair <= last if descending else pair >= last
