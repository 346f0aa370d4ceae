"""`secondlook doctor`: check the installation and, where one is named, a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import checkup
from engine.cli.checkup import Check
from engine.cli.common import JsonOption, answer

EXAMPLES = (
    "secondlook doctor",
    "secondlook doctor tweets.secondlook --json",
)


def doctor(
    workspace: Annotated[
        Path | None, typer.Argument(metavar="[WORKSPACE]", help="A workspace to check as well.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Check versions, display, GPU, browser and SQLite; with a workspace its database, decisions, captures and models.

    Reads only: nothing is repaired or changed. A note says what cannot be done here, or is left to be done. The exit
    status is 2 where a check fails.
    """
    checks = list(_checks(workspace))
    ok = all(check.ok for check in checks)
    answer({"ok": ok, "checks": checks}, lambda: _text(checks), as_json=as_json)
    return 0 if ok else 2


def _checks(workspace: Path | None) -> Iterator[Check]:
    yield from checkup.installation()
    if workspace is not None:
        yield from checkup.workspace(workspace)


def _text(checks: list[Check]) -> str:
    return "\n".join(f"{_level(check)}  {check.name}: {check.detail}" for check in checks)


def _level(check: Check) -> str:
    return "FAIL" if not check.ok else "note" if check.note else "ok  "
