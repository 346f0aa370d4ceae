"""`secondlook open`: open the desktop, or render it off screen into a picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, answer
from engine.errors import InputError

EXAMPLES = (
    "secondlook open tweets.secondlook",
    "secondlook open tweets.secondlook --screenshot desk.png --theme dark --size 1440x900",
)


def open_desk(
    workspace: Annotated[
        Path | None, typer.Argument(metavar="[WORKSPACE]", help="The workspace's folder.", show_default="the last one")
    ] = None,
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", metavar="FILE", help="Render the desk into a PNG file and exit.")
    ] = None,
    theme: Annotated[
        str | None,
        typer.Option("--theme", metavar="NAME", help="system, light or dark.", show_default="as in the settings"),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(
            "--page",
            metavar="NAME",
            help="Which page to render, with --screenshot: start, review, models, capture, settings.",
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="The window's size, such as 1440x900.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Open the desktop: the given workspace, else the last one, else the start page."""
    chosen_size = _size(size)
    from desktop.app import main as open_window

    status = open_window(workspace, screenshot, theme=theme, page=page, size=chosen_size)
    document = {
        "workspace": str(workspace) if workspace else None,
        "screenshot": str(screenshot) if screenshot else None,
        "status": status,
    }
    answer(document, "", as_json=as_json)
    return status


def _size(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    match = re.fullmatch(r"(\d{3,5})x(\d{3,5})", given)
    if match is None:
        raise InputError(f"'{given}' is no size.", "Write it like 1440x900.")
    return int(match[1]), int(match[2])
