from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import StorageError, WorkspaceError
from engine.workspace import NewDecision, Workspace, backup

Decide = Callable[..., NewDecision]


def backups(workspace: Workspace) -> list[Path]:
    return sorted((workspace.path / "backups").iterdir())


def test_a_backup_is_a_whole_database_that_can_be_put_back(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("t1", "toxic")])
    made = workspace.backup.make()
    workspace.decisions.record([decide("t2", "toxic")])
    workspace.close()
    (workspace.path / "workspace.db").write_bytes(made.read_bytes())
    with Workspace.open(workspace.path) as again:
        assert again.decisions.verify().rows == 1
        assert again.queues.row("t1").state == "decided"
        assert again.queues.row("t2").state == "open"


def test_due_every_half_hour_of_change(workspace: Workspace, decide: Decide) -> None:
    assert workspace.backup.due()
    made = workspace.backup.make()
    assert not workspace.backup.due()
    workspace.decisions.record([decide("t1", "toxic")])
    assert not workspace.backup.due(), "changed, but the backup is new"
    past = time.time() - backup.EVERY_SECONDS - 1
    os.utime(made, (past, past))
    assert workspace.backup.due()
    os.utime(workspace.path / "workspace.db", (past - 10, past - 10))
    assert not workspace.backup.due(), "old, but nothing has changed since"


def test_the_five_newest_are_kept(workspace: Workspace) -> None:
    made = [workspace.backup.make() for _ in range(7)]
    assert backups(workspace) == made[-5:]


def test_decisions_go_on_between_the_steps_and_are_in_the_copy(
    workspace: Workspace, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "STEP_PAGES", 5)
    monkeypatch.setattr(backup, "_PROGRESS_INSTRUCTIONS", 1)
    recorded = 0

    def between() -> None:
        nonlocal recorded
        if recorded < 10:
            workspace.decisions.record([decide("t1", "toxic")])
            recorded += 1

    made = workspace.backup.make(between=between)
    assert recorded == 10
    connection = sqlite3.connect(made)
    (kept,) = connection.execute("SELECT COUNT(*) FROM decisions").fetchone()
    assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    connection.close()
    assert kept >= 5


def test_a_busy_neighbour_cannot_keep_a_backup_from_ending(
    workspace: Workspace, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another connection's commit makes SQLite start over; after a few times the copy is made in one go."""
    monkeypatch.setattr(backup, "STEP_PAGES", 5)
    with Workspace.open(workspace.path, check=False) as other:

        def between() -> None:
            other.decisions.record([decide("t1", "toxic")])

        made = workspace.backup.make(between=between)
    assert made.exists()


def test_no_half_made_backup_is_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="backup of"):
        workspace.backup.make()
    assert backups(workspace) == []


def test_a_copy_that_does_not_pass_the_check_is_not_kept(workspace: Workspace) -> None:
    workspace.close()
    file = workspace.path / "workspace.db"
    content = bytearray(file.read_bytes())
    middle = 4096 * (len(content) // 4096 // 2)
    content[middle : middle + 64] = b"\xff" * 64
    file.write_bytes(bytes(content))
    with Workspace.open(workspace.path, check=False) as again, pytest.raises(WorkspaceError, match="is damaged"):
        again.backup.make()
    assert backups(workspace) == []


def test_a_backup_in_another_thread_uses_its_own_connection(workspace: Workspace, decide: Decide) -> None:
    made: list[Path] = []

    def run() -> None:
        with Workspace.open(workspace.path, check=False) as own:
            made.append(own.backup.make())

    thread = threading.Thread(target=run)
    thread.start()
    workspace.decisions.record([decide("t1", "toxic")])
    thread.join()
    assert made[0].exists()
