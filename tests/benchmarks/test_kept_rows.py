"""Rows of a benchmark that was stopped."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.kept_rows import KeptRows, code_version


def test_a_row_is_measured_once(tmp_path: Path) -> None:
    file = tmp_path / "a" / "rows.jsonl"
    assert KeptRows(file, {"model": "m"}).row("one", lambda: {"x": 1.5}) == {"x": 1.5}
    again = KeptRows(file, {"model": "m"})
    assert "one" in again
    assert again.row("one", lambda: {"x": 2.0}) == {"x": 1.5}


def test_rows_of_another_model_are_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    KeptRows(file, {"model": "m"}).row("one", lambda: {"x": 1.5})
    assert KeptRows(file, {"model": "n"}).row("one", lambda: {"x": 2.0}) == {"x": 2.0}
    assert KeptRows(file, {"model": "m"}).row("one", lambda: {"x": 3.0}) == {"x": 1.5}


def test_a_line_that_a_kill_cut_short_is_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    kept = KeptRows(file, {})
    kept.row("one", lambda: {"x": 1.0})
    kept.row("two", lambda: {"x": 2.0})
    file.write_bytes(file.read_bytes()[:-5])
    again = KeptRows(file, {})
    assert "one" in again
    assert again.row("two", lambda: {"x": 4.0}) == {"x": 4.0}
    assert KeptRows(file, {}).row("two", lambda: {"x": 5.0}) == {"x": 4.0}


def test_the_version_changes_with_the_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = code_version([tmp_path])
    (tmp_path / "a.py").write_text("2")
    assert code_version([tmp_path]) != before
    (tmp_path / "a.py").write_text("1")
    assert code_version([tmp_path]) == before
