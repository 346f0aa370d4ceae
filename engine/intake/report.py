"""What an import or an export did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from engine.types import Struct

MEND = "Mend these rows, then import the file again: what is in is passed over."
"""What to do about rows that were refused."""


class RowError(Struct, frozen=True, kw_only=True):
    """One bad row (or, among warnings, a row that needed mending): `line` counts from 1; 0 means the whole file.

    `kind` is the reason without what differs from row to row, such as a screenshot's name; "" where nothing does.
    """

    file: str
    line: int
    reason: str
    kind: str = ""


class ImportReport(Struct, frozen=True, kw_only=True):
    """How many items came in, how many were there already, and every row that was refused or mended.

    `decisions` counts the decisions that came in with them, `known` those that were there already. `read_as` says for
    each file which format it was read as (a name of `FORMATS`).
    """

    imported: int
    skipped: int
    decisions: int = 0
    known: int = 0
    read_as: dict[str, str] = msgspec.field(default_factory=dict)
    errors: tuple[RowError, ...] = ()
    warnings: tuple[RowError, ...] = ()


def grouped(rows: Iterable[RowError]) -> list[tuple[RowError, int]]:
    """Return the first row of each kind with how many rows are of that kind, in the order in which kinds first come."""
    firsts: dict[str, RowError] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        kind = row.kind or row.reason
        firsts.setdefault(kind, row)
        counts[kind] += 1
    return [(first, counts[kind]) for kind, first in firsts.items()]


class ExportReport(Struct, frozen=True, kw_only=True):
    """What was written: `rows` lines (or records) of `format` (a name of `FORMATS`) for `items` items.

    `notes` are sentences on what the format could not take.
    """

    file: str
    format: str
    items: int
    rows: int
    notes: tuple[str, ...] = ()
