"""What a capture's journal knows of pages that failed."""

from __future__ import annotations

from pathlib import Path

from engine.intake.capture.record_journal import Journal, Line

AT = "2026-01-31T12:00:00.000Z"


def written(folder: Path, *keys: str) -> Journal:
    """A journal with a failed try for each key; "" ends a run."""
    folder.mkdir()
    with Journal(folder) as journal:
        for number, key in enumerate(keys):
            journal.write(
                Line(at=AT, key=key, kind="blank", reason=f"try {number}", again=True) if key else Line(at=AT)
            )
    return journal


def test_an_end_gives_new_tries_but_what_failed_stays_failed(tmp_path: Path) -> None:
    journal = written(tmp_path / "j", "a", "b", "a", "b", "a", "", "b", "")
    assert journal.tried() == {}
    runs = journal.last_runs()
    assert {key: (one.tries, one.last.reason) for key, one in runs.items()} == {"a": (3, "try 4"), "b": (1, "try 6")}


def test_tries_after_an_end_count_anew(tmp_path: Path) -> None:
    journal = written(tmp_path / "j", "a", "a", "", "a")
    assert journal.tried()["a"].tries == 1
    assert journal.last_runs()["a"].tries == 1
    assert journal.last_runs()["a"].last.reason == "try 3"
