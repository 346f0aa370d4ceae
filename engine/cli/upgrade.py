"""`secondlook upgrade`: bring a workspace of an older version up to date."""

from __future__ import annotations

from engine.cli.common import JsonOption, WorkspaceArgument, answer, turn
from engine.workspace import Workspace
from engine.workspace.schema import LATEST

EXAMPLES = ("secondlook upgrade tweets.secondlook",)


def upgrade(workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Bring a workspace of an older version up to date, after a backup; one that is current is left as it is.

    The desktop, and every command that writes, does the same unasked. Commands that only read never do.
    """
    with turn(workspace, "upgrade"), Workspace.open(workspace) as ws:
        before = ws.made_by
    document = {"workspace": str(workspace), "from": before, "to": LATEST}
    answer(document, f"{workspace} {_outcome(before)}", as_json=as_json)


def _outcome(before: int) -> str:
    if before == LATEST:
        return f"is up to date (format {LATEST})."
    return f"was brought from format {before} to {LATEST}; a backup of before is in its folder 'backups'."
