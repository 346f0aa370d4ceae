"""What an import or an export did."""

from __future__ import annotations

from engine.types import Struct


class RowError(Struct, frozen=True, kw_only=True):
    """One bad row (or, among warnings, a row that needed mending): `line` counts from 1; 0 means the whole file."""

    file: str
    line: int
    reason: str


class ImportReport(Struct, frozen=True, kw_only=True):
    """How many items came in, how many were there already, and every row that was refused or mended."""

    imported: int
    skipped: int
    errors: tuple[RowError, ...] = ()
    warnings: tuple[RowError, ...] = ()


class ExportReport(Struct, frozen=True, kw_only=True):
    """What was written: `rows` lines of `format` ("jsonl" or "csv") for `items` items."""

    file: str
    format: str
    items: int
    rows: int
