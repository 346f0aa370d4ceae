"""`secondlook export`: write items, decisions and resolved labels to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, progress
from engine.intake import export as write_export
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook export tweets.secondlook decisions.jsonl",
    "secondlook export shop.secondlook labels.csv",
)


def export(
    workspace: WorkspaceArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; .jsonl or .csv says the format.")],
    format_name: Annotated[
        str, typer.Option("--format", metavar="NAME", help="jsonl or csv, where the file's name does not say it.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Write all items with their labels, verdicts and decisions: one JSON line an item, or one CSV row a decision."""
    with Workspace.open(workspace, read_only=True) as ws, progress("Exporting") as show:
        report = write_export(ws, file, format=format_name, progress=show)
    answer(report, f"Wrote {report.items} items as {report.rows} rows to {report.file}.", as_json=as_json)
