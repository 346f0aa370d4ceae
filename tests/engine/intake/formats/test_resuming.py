"""An import that ends in the middle leaves nothing of its file, and the same command again goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import StorageError
from engine.intake import export, import_paths
from engine.workspace import Workspace
from engine.workspace.decisions import Decisions


def test_decisions_and_items_of_a_file_come_in_together_or_not_at_all(
    new_workspace: Any, fill: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = new_workspace(), new_workspace()
    fill(source, 5, ["one", "two", "three", "four"])
    export(source, tmp_path / "out.jsonl")

    def full(*_: object) -> list[object]:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(Decisions, "adopt", full)
        with pytest.raises(StorageError):
            import_paths(target, [tmp_path / "out.jsonl"])
    assert (target.items.count(), target.decisions.head()) == (0, (0, ""))
    report = import_paths(target, [tmp_path / "out.jsonl"])
    assert (report.imported, report.decisions) == (4, source.decisions.head()[0])


def test_an_act_of_another_item_is_recorded_under_a_name_of_its_own(ws: Workspace, tmp_path: Path) -> None:
    row = (
        '{"id": "%s", "kind": "tweet", "text": "x", "resolved": {}, "verdict": {}, "annotations": [], "decisions": ['
        '{"number": 1, "act": "same", "item": "%s", "task": "toxicity", "action": "correct", "labels": ["toxic"],'
        ' "reviewer": "ada", "at": "2026-01-02T03:04:05.000Z"}]}\n'
    )
    (tmp_path / "in.jsonl").write_text(row % ("a", "a") + row % ("b", "b"))
    for expected in (2, 0):
        report = import_paths(ws, [tmp_path / "in.jsonl"])
        assert (report.errors, report.decisions) == ((), expected)
    assert {ws.decisions.of("a")[0].act, ws.decisions.of("b")[0].act} > {"same"}
    assert ws.decisions.undo("ada") is not None
    assert ws.decisions.verify().ok
