from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.types import Action, Decision
from engine.workspace import Workspace
from engine.workspace.chain import canonical, check, seal


@pytest.fixture
def chained(workspace: Workspace, decide: Callable[..., Any]) -> Workspace:
    for number in range(1, 5):
        workspace.decisions.record([decide(f"t{number}", "toxic")])
    workspace.decisions.undo("ann")
    return workspace


def tamper(folder: Path, sql: str, *triggers: str) -> None:
    """Do what our own code never does: take the guards off and change the file."""
    connection = sqlite3.connect(folder / "workspace.db")
    for trigger in triggers:
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(sql)
    connection.commit()
    connection.close()


def test_hash_is_sha256_over_a_json_array_that_anybody_can_rebuild(chained: Workspace) -> None:
    row = chained.decisions.of("t1")[0]
    fields = [
        *(1, row.act, "t1", "toxicity", "correct", ["toxic"], "ann", row.at, 0.0, "", "", [], None, "", ""),
    ]
    text = "second look decision 1\n" + json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    assert row.hash == hashlib.sha256(text.encode()).hexdigest()


def test_verify_follows_the_whole_chain(chained: Workspace) -> None:
    report = chained.decisions.verify()
    assert (report.ok, report.rows, report.first_bad) == (True, 5, None)


def test_an_empty_chain_is_whole(workspace: Workspace) -> None:
    assert workspace.decisions.verify().ok


@pytest.mark.parametrize(
    ("sql", "first_bad", "words"),
    [
        ("UPDATE decisions SET labels = '[\"non-toxic\"]' WHERE number = 2", 2, "changed"),
        ("UPDATE decisions SET seconds = 0.5 WHERE number = 5", 5, "changed"),
        ("DELETE FROM decisions WHERE number = 3", 3, "missing"),
        ("DELETE FROM decisions WHERE number = 5", 5, "missing from the end"),
        ("UPDATE decisions SET previous = 'x' WHERE number = 4", 4, "continue"),
        ("UPDATE meta SET value = '4:x' WHERE key = 'chain_head'", 5, "the last"),
    ],
)
def test_verify_names_the_first_row_that_was_tampered_with(
    chained: Workspace, sql: str, first_bad: int, words: str
) -> None:
    tamper(chained.path, sql, "decisions_never_change", "decisions_never_vanish")
    report = chained.decisions.verify()
    assert not report.ok
    assert report.first_bad == first_bad
    assert words in report.reason


def test_verify_sees_a_row_past_the_noted_end(chained: Workspace) -> None:
    copy = "act, item, task, action, labels, reviewer, at, seconds, note, shown_model, shown_labels, undoes, row"
    tamper(
        chained.path,
        f"INSERT INTO decisions ({copy}, number, previous, hash) SELECT {copy}, 6, hash, 'x' FROM decisions"
        " WHERE number = 5",
    )
    assert chained.decisions.verify().first_bad == 6


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE decisions SET note = 'x'",
        "DELETE FROM decisions WHERE number = 1",
        "INSERT OR REPLACE INTO decisions SELECT * FROM decisions WHERE number = 2",
        "UPDATE items SET truths = '{}' WHERE id = 't1'",
        "DELETE FROM items WHERE id = 't4'",
        "DELETE FROM promotions",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_said(chained: Workspace, champion: str, sql: str) -> None:
    connection = sqlite3.connect(chained.path / "workspace.db")
    with pytest.raises(sqlite3.IntegrityError, match=r"never|append-only"):
        connection.execute(sql)
    connection.close()
    assert chained.decisions.verify().ok


def test_check_goes_on_from_a_given_row() -> None:
    first = seal(Decision(number=1, act="a", item="i", task="t", action=Action.SKIP, labels=(), reviewer="r", at="x"))
    second = seal(msgspec.structs.replace(first, number=2, previous=first.hash, hash=""))
    assert check([second], 1, first.hash) == (2, second.hash, "")
    assert check([second], 1, "other")[2]


def test_every_field_is_part_of_the_hash() -> None:
    row = Decision(number=1, act="a", item="i", task="t", action=Action.SKIP, labels=(), reviewer="r", at="x")
    other: dict[str, Any] = {"number": 2, "action": Action.UNDO, "labels": ("l",), "seconds": 1.0}
    other |= {"shown_labels": ("l",), "shown_probability": 0.5}
    for field in msgspec.structs.fields(Decision):
        if field.name != "hash":
            changed = msgspec.structs.replace(row, **{field.name: other.get(field.name, "other")})
            assert canonical(changed) != canonical(row), field.name
