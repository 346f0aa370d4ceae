"""`secondlook open`: open the desktop, or render it off screen into a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, answer

EXAMPLES = (
    "secondlook open tweets.secondlook",
    "secondlook open tweets.secondlook --screenshot desk.png",
)


def open_desk(
    workspace: Annotated[
        Path | None, typer.Argument(metavar="[WORKSPACE]", help="The workspace's folder; the last one if left out.")
    ] = None,
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", metavar="FILE", help="Render the desk into a PNG file and exit.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Open the desktop: the given workspace, else the last one, else the start page."""
    from desktop.app import main as open_window

    status = open_window(workspace, screenshot)
    document = {
        "workspace": str(workspace) if workspace else None,
        "screenshot": str(screenshot) if screenshot else None,
        "status": status,
    }
    answer(document, "", as_json=as_json)
    return status
