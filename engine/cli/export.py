"""`secondlook export`: write items, decisions and resolved labels to a file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, note, progress
from engine.counting import counted
from engine.errors import InputError
from engine.intake import ExportReport
from engine.intake import export as write_export
from engine.intake.formats import FORMATS, named
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook export tweets.secondlook decisions.jsonl",
    "secondlook export shop.secondlook labels.csv",
    "secondlook export tweets.secondlook tasks.json --format label-studio",
    "secondlook export tweets.secondlook - | gzip > decisions.jsonl.gz",
)
_STANDARD_OUTPUT = Path("-")
_PLAIN = ("jsonl", "csv", "doccano", "doccano-spans", "label-studio", "prodigy", "crowdkit", "cleanlab")
"""Formats that are one file of text."""
_WRITTEN = [name for name, one in FORMATS.items() if one.writes]


def export(
    workspace: WorkspaceArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The file to write; its name's end may say the format. - for standard output."
        ),
    ],
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

    The name's end says the format: .jsonl and .csv are our own, complete ones, .json is Label Studio's. What goes to
    standard output are JSON lines where no --format says otherwise.
    """
    if file == _STANDARD_OUTPUT:
        report = _to_standard_output(workspace, format_name or "jsonl", as_json=as_json)
        note(_sentence(report))
    else:
        report = _written(workspace, file, format_name)
        answer(report, _sentence(report), as_json=as_json)
    for one in report.notes:
        note(one)


def _written(workspace: Path, file: Path, format_name: str) -> ExportReport:
    with Workspace.open(workspace, read_only=True) as ws, progress("Exporting") as show:
        return write_export(ws, file, format=format_name, progress=show)


def _to_standard_output(workspace: Path, format_name: str, *, as_json: bool) -> ExportReport:
    """Write the export whole to a file first: what stands on standard output is all of it, or nothing."""
    if as_json:
        raise InputError("The export and --json both want standard output.", "Give a file name, or leave --json out.")
    chosen = named(format_name, writing=True)
    if format_name not in _PLAIN:
        way_out = f"Give a file name, or --format: {', '.join(_PLAIN)}."
        raise InputError(f"The format '{format_name}' cannot be written to standard output.", way_out)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / f"export{chosen.extension}"
        report = _written(workspace, whole, format_name)
        with whole.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return msgspec.structs.replace(report, file="standard output")


def _sentence(report: ExportReport) -> str:
    title = FORMATS[report.format].title
    written = f"{counted(report.items, 'item')} as {counted(report.rows, 'row')}"
    return f"Wrote {written} to {report.file} ({title})."
