"""Options and arguments that several commands share."""

from __future__ import annotations

import getpass
import shlex
import unicodedata
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import Progress, answer, note, progress, table
from engine.errors import InputError, NotFoundError
from engine.workspace import Workspace, exclusive

__all__ = [
    "DEMO_NAME",
    "ItemArgument",
    "JsonOption",
    "ModelOption",
    "Progress",
    "WorkspaceArgument",
    "answer",
    "champion_of",
    "no_model_yet",
    "note",
    "progress",
    "reviewer_name",
    "table",
    "turn",
    "typed",
]

TURN_S = 600.0
"""How long a command waits for another one on the same workspace, in seconds."""
DEMO_NAME = "demo.secondlook"

WorkspaceArgument = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="The workspace's folder.")]
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="The item's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="ID", help="The model's id.", show_default="the champion")
]


def turn(workspace: Path, command: str) -> AbstractContextManager[None]:
    """Hold the workspace for a long command; where another one is at it, say so and wait for it.

    Raises `WorkspaceError` where the other one has not finished after `TURN_S` seconds.
    """
    return exclusive(workspace, command, wait_s=TURN_S, waiting=note)


def typed(path: Path | str) -> str:
    """Return a path as it is typed behind a command, in quotes where it has to be."""
    return shlex.quote(str(path))


def no_model_yet(workspace: Path) -> NotFoundError:
    """Return what to raise where a workspace has no champion."""
    return NotFoundError("There is no model yet.", f"Train one with: secondlook retrain {typed(workspace)}")


def champion_of(workspace: Workspace) -> str:
    """Return the champion's id. Raises `NotFoundError` where there is none."""
    champion = workspace.models.champion()
    if champion is None:
        raise no_model_yet(workspace.path)
    return champion.card.id


def reviewer_name(given: str | None) -> str:
    """Return who decides: the name given, else the login name. Raises `InputError` where that is no name."""
    if given is None:
        try:
            given = getpass.getuser()
        except (KeyError, OSError, ImportError):
            given = ""
        if not given.strip():
            raise InputError("Your login has no name to record a decision under.", "Give one with --reviewer.")
    name = given.strip()
    if not name:
        raise InputError("The reviewer's name is empty.", "Give a name with --reviewer, or leave the option out.")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise InputError(f"The reviewer's name {name[:60]!r} holds a control character.", "Take it out.")
    return name
