"""`secondlook export`: write items, decisions and resolved labels to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, note, progress
from engine.counting import counted
from engine.intake import export as write_export
from engine.intake.formats import FORMATS
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook export tweets.secondlook decisions.jsonl",
    "secondlook export shop.secondlook labels.csv",
    "secondlook export tweets.secondlook tasks.json --format label-studio",
)
_WRITTEN = [name for name, one in FORMATS.items() if one.writes]


def export(
    workspace: WorkspaceArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; its name's end may say the format.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"One of: {', '.join(_WRITTEN)}.",
            show_default="by the file's name, where that says it",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Write all items with their labels and decisions, in the form of one of many tools.

    The name's end says the format: .jsonl and .csv are our own, complete ones, .json is Label Studio's.
    """
    with Workspace.open(workspace, read_only=True) as ws, progress("Exporting") as show:
        report = write_export(ws, file, format=format_name, progress=show)
    title = FORMATS[report.format].title
    written = f"{counted(report.items, 'item')} as {counted(report.rows, 'row')}"
    answer(report, f"Wrote {written} to {report.file} ({title}).", as_json=as_json)
    for one in report.notes:
        note(one)
