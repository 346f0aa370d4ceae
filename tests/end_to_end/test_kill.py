"""kill -9 on the window, the service and the trainer, about a hundred times: nothing acknowledged is ever lost."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Window

ROUNDS = 34
LONG_ROUNDS = 4
"""In these the children get the time to load and work before they are killed."""

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]
PATIENCE = 240.0
"""Seconds for the end of a run that takes ten on two idle cores."""


class Killer:
    """One life of the window: reads what it acknowledges, and kills the processes at random moments of that."""

    def __init__(self, window: Window, chance: random.Random) -> None:
        self.window = window
        self.chance = chance
        self.acknowledged: dict[int, str] = {}
        self.killed: list[str] = []
        self.stages: set[str] = set()

    def read(self, lines: int = 1, *, until: str = "", timeout: float = 20.0) -> None:
        """Read some more lines or, with `until`, all of them until the training has this stage."""
        deadline = time.monotonic() + timeout
        while (until or lines > 0) and until not in self.stages and time.monotonic() < deadline:
            line = self.window.line(timeout)
            if line is None:
                return
            if "ack" in line:
                self.acknowledged[line["ack"]] = line["hash"]
            self.stages.add(line.get("training") or "none")
            lines -= 1

    def kill(self, name: str) -> None:
        """Kill a child by what it does ("serve", "train") where it is there."""
        for child in self.window.children():
            with contextlib.suppress(psutil.Error):
                if name in child.cmdline():
                    child.kill()
                    self.killed.append(name)

    def kill_window(self) -> None:
        """Kill the window, and read what it had still said."""
        self.window.kill()
        self.killed.append("window")
        while not self.window.ended:
            self.read(timeout=1.0)


def live(killer: Killer, *, long: bool) -> None:
    """Let the window live for a while, and kill all three processes in a random order."""
    if long:
        killer.read(until="train")
    order = ["serve", "train"]
    killer.chance.shuffle(order)
    killer.read(killer.chance.randrange(3, 30))
    for name in order:
        killer.kill(name)
        killer.read(killer.chance.randrange(0, 20))
    killer.kill_window()


def check(path: Path, acknowledged: dict[int, str]) -> None:
    """Look at what is on the disk after the kill."""
    with contextlib.closing(sqlite3.connect(path / "workspace.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Workspace.open(path) as workspace:
        report = workspace.decisions.verify()
        assert report.ok, report
        kept = {decision.number: decision.hash for decision in workspace.decisions.iter()}
    lost = {number for number, digest in acknowledged.items() if kept.get(number) != digest}
    assert not lost, f"Acknowledged and gone: {sorted(lost)}"


def test_no_acknowledged_decision_is_lost_whatever_is_killed(
    make_workspace: Callable[..., Path], recipe: Path, settings_file: Path, open_window: Callable[..., Window]
) -> None:
    path = make_workspace()
    chance = random.Random(20260101)
    acknowledged: dict[int, str] = {}
    killed: list[str] = []
    for number in range(ROUNDS):
        window = open_window(path, settings_file, "press", str(number), recipe)
        killer = Killer(window, chance)
        live(killer, long=number % (ROUNDS // LONG_ROUNDS) == ROUNDS // LONG_ROUNDS - 1)
        window.close()
        acknowledged |= killer.acknowledged
        killed += killer.killed
        check(path, acknowledged)
    assert len(killed) >= 0.9 * 3 * ROUNDS
    assert len(acknowledged) > 5 * ROUNDS

    window = open_window(path, settings_file, "serve")
    assert window.line() is not None
    window.wait_until(lambda now: now["champion"] != "", PATIENCE)
    window.close()
    check(path, acknowledged)
