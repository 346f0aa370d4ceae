"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import Progress, answer, note, progress, table

__all__ = [
    "DEMO_NAME",
    "ItemArgument",
    "JsonOption",
    "ModelOption",
    "Progress",
    "WorkspaceArgument",
    "answer",
    "note",
    "progress",
    "table",
]

DEMO_NAME = "demo.secondlook"

WorkspaceArgument = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="The workspace's folder.")]
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="The item's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="ID", help="The model's id; the champion where it is left out.")
]
