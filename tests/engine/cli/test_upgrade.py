from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from engine.workspace.schema import LATEST, STEPS, migrations


@pytest.fixture
def current(secondlook: Any, tmp_path: Path) -> Path:
    path = tmp_path / "w.secondlook"
    assert secondlook("init", path, "--preset", "tweets").status == 0
    return path


@pytest.fixture
def older(current: Path) -> Path:
    """The workspace as the version before left it."""
    before = sqlite3.connect(":memory:", isolation_level=None)
    migrations().apply(sqlite_utils.Database(before, execute_plugins=False), stop_before=STEPS[-1])
    connection = sqlite3.connect(current / "workspace.db")
    with connection:
        for table in tables(connection) - tables(before):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (STEPS[-1],))
        connection.execute(f"PRAGMA user_version = {LATEST - 1}")
    connection.close()
    before.close()
    return current


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_reading_an_older_workspace_names_the_command_that_upgrades_it(secondlook: Any, older: Path) -> None:
    refused = secondlook("items", older)
    assert refused.status == 2
    assert "secondlook upgrade" in refused.err
    upgraded = secondlook("upgrade", older, "--json")
    assert upgraded.json == {"workspace": str(older), "from": LATEST - 1, "to": LATEST}
    assert len(list((older / "backups").glob("*.db"))) == 1
    assert secondlook("items", older).status == 0


def test_upgrading_a_current_workspace_changes_nothing(secondlook: Any, current: Path) -> None:
    ended = secondlook("upgrade", current)
    assert (ended.status, ended.out.strip()) == (0, f"{current} is up to date (format {LATEST}).")
    assert list((current / "backups").iterdir()) == []
