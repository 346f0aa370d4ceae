"""`secondlook import`: bring captured items into a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, note, progress, turn
from engine.intake import ImportReport, RowError, import_paths
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook import tweets.secondlook captured.jsonl",
    "secondlook import shop.secondlook pages/ more.csv --strict",
)
_SHOWN = 20


def import_items(
    workspace: WorkspaceArgument,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="JSON lines, CSV, or a folder of images with metadata.jsonl.")
    ],
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing if any row is bad.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Import captured items; bad rows are named with their line and reason, good ones come in.

    Each file is imported as a whole or not at all. Items that are already there with the same content are skipped.
    The exit status is 2 where bad rows kept everything out, else 0.

    Fields, as JSON keys or CSV columns: id, kind (tweet, product), text, title, author, url, screenshot (a path beside
    the file), captured_at, subsets, exposure, split, labels ({task: label}), regions ({name: [[x, y, w, h], …]}).
    In CSV, labels, regions and meta hold JSON, and a column 'label:TASK' holds that task's label, several parted by
    ';'. Other fields are kept in meta.
    """
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook import"), progress("Importing") as show:
        report = import_paths(ws, paths, strict=strict, progress=show)
    answer(report, lambda: _summary(report, strict), as_json=as_json)
    _explain("warning: ", report.warnings)
    _explain("", report.errors)
    return 2 if report.errors and not report.imported + report.skipped else 0


def _summary(report: ImportReport, strict: bool) -> str:
    kept_out = " Nothing was imported because of --strict." if strict and report.errors else ""
    bad = len(report.errors)
    return f"Imported {report.imported} items; {report.skipped} were there already, {bad} rows are bad.{kept_out}"


def _explain(prefix: str, rows: tuple[RowError, ...]) -> None:
    for row in rows[:_SHOWN]:
        note(f"{prefix}{row.file}, line {row.line}: {row.reason}")
    if len(rows) > _SHOWN:
        note(f"… and {len(rows) - _SHOWN} more; --json lists them all.")
