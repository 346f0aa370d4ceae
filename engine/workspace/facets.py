"""Facets: every combination of state, kind, disagreement, label and split that occurs, numbered and counted.

A queue row carries two small numbers: its `facet` and its coarser `bucket` (state, kind, disagreement). Each sort
order is indexed behind both, so any filter is a handful of index ranges to merge, and counting is adding up a few
rows that triggers keep right.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.workspace.database import Database

STATES = ("open", "decided", "skipped", "escalated")


class Facet(NamedTuple):
    """What tells queue rows apart. `label` is the shown verdict's for the primary task, "" where there is none."""

    state: str
    kind: str
    disagreement: bool
    label: str
    split: str


class FacetBook:
    """Hands out facet numbers inside one transaction; make a new one for each, since a rollback forgets new facets."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[Facet, tuple[int, int]] = {}

    def numbers(self, facet: Facet) -> tuple[int, int]:
        """Return (bucket, facet) of a combination, numbering it if it is new."""
        if facet not in self._known:
            self._known[facet] = self._find(facet) or self._add(facet)
        return self._known[facet]

    def _find(self, facet: Facet) -> tuple[int, int] | None:
        row = self._db.one(
            "SELECT bucket, facet FROM facets"
            " WHERE state = ? AND kind = ? AND disagreement = ? AND label = ? AND split = ?",
            facet,
        )
        return None if row is None else (row[0], row[1])

    def _add(self, facet: Facet) -> tuple[int, int]:
        bucket = self._db.value(
            "SELECT bucket FROM facets WHERE state = ? AND kind = ? AND disagreement = ? LIMIT 1", facet[:3]
        )
        if bucket is None:
            bucket = self._db.value("SELECT COALESCE(MAX(bucket), 0) + 1 FROM facets")
        number = self._db.insert(
            "INSERT INTO facets (bucket, state, kind, disagreement, label, split) VALUES (?, ?, ?, ?, ?, ?)",
            (bucket, *facet),
        )
        return bucket, number
