"""A process that records decisions as fast as it can is killed a hundred times; nothing it acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.workspace import Workspace
from engine.workspace.journal import journal_mode

KILLS = 100

REVIEWER = """
import os, sys
from engine.types import Action
from engine.workspace import NewDecision, Workspace

def say(text):
    os.write(1, f"{text}\\n".encode())

def review(path):
    workspace = Workspace.open(path, check=False)
    say(f"pid {os.getpid()}")
    count = 0
    while True:
        count += 1
        if count % 5 == 0:
            undone = workspace.decisions.undo("ann")
            rows = [undone.undo] if undone else []
        else:
            item = f"p{count % 4 + 1}"
            rows = workspace.decisions.record([
                NewDecision(item=item, task="verdict", action=Action.CORRECT, labels=("prohibited",), reviewer="ann"),
                NewDecision(item=item, task="reason", action=Action.CORRECT, labels=("alcohol",), reviewer="ann"),
            ])
        say(" ".join(f"{row.number}:{row.hash}" for row in rows))

for _ in sys.stdin:
    child = os.fork()
    if not child:
        review(sys.argv[1])
    os.waitpid(child, 0)
    say("end")
"""
"""Forks a fresh reviewer for each line on its standard input, so that a start costs no import."""


@pytest.fixture
def nursery(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    workspace.close()
    with subprocess.Popen(
        [sys.executable, "-c", REVIEWER, str(workspace.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def kill_one(nursery: subprocess.Popen[str], draw: random.Random) -> dict[int, str]:
    """Let a reviewer work for some acknowledged acts and a moment more, kill it, return what it acknowledged."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write("go\n")
    nursery.stdin.flush()
    pid = int(nursery.stdout.readline().split()[1])
    lines = [nursery.stdout.readline() for _ in range(draw.randrange(4))]
    until = time.perf_counter() + draw.uniform(0, 0.004)
    while time.perf_counter() < until:
        pass
    os.kill(pid, signal.SIGKILL)
    while (line := nursery.stdout.readline()) != "end\n":
        lines.append(line)
    return {int(number): value for pair in " ".join(lines).split() for number, value in [pair.split(":")]}


def test_no_acknowledged_decision_is_lost(nursery: subprocess.Popen[str], workspace: Workspace) -> None:
    draw = random.Random(20)
    path: Path = workspace.path
    acknowledged: dict[int, str] = {}
    hot = 0
    for _ in range(KILLS):
        acknowledged |= kill_one(nursery, draw)
        journal = path / "workspace.db-journal"
        hot += journal.exists() and journal.stat().st_size > 0
    with Workspace.open(path) as again:
        kept = {decision.number: decision.hash for decision in again.decisions.iter()}
        report = again.decisions.verify()
        assert report.ok, report.reason
        assert acknowledged.items() <= kept.items()
        assert len(acknowledged) > KILLS
        standing = {item: again.decisions.resolved(item) for item in ("p1", "p2", "p3", "p4")}
        assert {item: again.queues.row(item).state for item in standing} == {
            item: "decided" if labels else "open" for item, labels in standing.items()
        }
    if journal_mode(sqlite3.sqlite_version_info) == "TRUNCATE":
        assert hot > 0, "some of the kills came in the middle of a commit"
