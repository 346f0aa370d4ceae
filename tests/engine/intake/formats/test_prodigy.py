from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.intake import import_paths
from engine.types import Action
from engine.workspace import Workspace

Lines = Callable[..., Path]
OPTIONS = [{"id": "toxic", "text": "Toxic"}, {"id": "non-toxic", "text": "Not toxic"}]


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    def write(*documents: dict[str, Any]) -> Path:
        path = tmp_path / "db-out.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in documents))
        return path

    return write


def line(answer: str, who: str | None = "ada", number: int = 1, **more: Any) -> dict[str, Any]:
    hashes = {"_input_hash": number, "_task_hash": number * 10, "_timestamp": 1767323045}
    return {"text": f"text {number}", "answer": answer, "_annotator_id": who, **hashes, **more}


def test_lines_about_one_text_are_one_item_with_everyones_answers(ws: Workspace, lines: Lines) -> None:
    path = lines(
        line("accept", options=OPTIONS, accept=["toxic"]),
        line("accept", number=2, options=OPTIONS, accept=["non-toxic"]),
        line("accept", "grace", options=OPTIONS, accept=["non-toxic"]),
        line("ignore", "eve", options=OPTIONS, accept=[]),
        line("reject", "bob", options=OPTIONS, accept=["toxic"]),
    )
    report = import_paths(ws, [path], kind="tweet")
    assert (report.errors, report.imported, report.decisions) == ((), 2, 5)
    told = {one.reviewer: (one.action, one.labels, one.note) for one in ws.decisions.of("input-1")}
    assert told == {
        "ada": (Action.CORRECT, ("toxic",), ""),
        "grace": (Action.CORRECT, ("non-toxic",), ""),
        "eve": (Action.SKIP, (), ""),
        "bob": (Action.SKIP, (), "rejected"),
    }
    assert ws.decisions.of("input-1")[0].at == "2026-01-02T03:04:05.000Z"
    again = import_paths(ws, [path], kind="tweet")
    assert (again.imported, again.skipped, again.decisions, again.known) == (0, 2, 0, 5)


def test_a_yes_or_no_is_an_answer_only_where_it_says_enough(ws: Workspace, lines: Lines) -> None:
    path = lines(
        line("accept", label="toxic"),
        line("reject", number=2, label="toxic"),
        line("reject", number=3, label="adult", kind="product"),
        line("accept", number=4, label="alcohol", kind="product"),
        line("reject", None, number=5, label="toxic"),
    )
    report = import_paths(ws, [path], kind="tweet")
    assert report.errors == ()
    said = {number: [one.labels for one in ws.decisions.of(f"input-{number}")] for number in range(1, 6)}
    assert said == {1: [("toxic",)], 2: [("non-toxic",)], 3: [], 4: [], 5: []}
    assert [one.line for one in report.warnings if "says too little" in one.reason] == [3, 4]
    assert ws.items.get("input-5").truths == {"toxicity": ("non-toxic",)}


def test_data_uris_are_decoded_and_paths_are_checked(ws: Workspace, lines: Lines, tmp_path: Path, picture: Any) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    inline = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    path = lines(
        {"image": inline, "answer": "ignore", "_input_hash": 1},
        {"image": "a.png", "answer": "ignore", "_input_hash": 2},
        {"image": "/etc/passwd", "answer": "ignore", "_input_hash": 3},
        {"image": "data:image/png;base64,AAAA", "answer": "ignore", "_input_hash": 4},
        {"image": "data:text/html;base64,AAAA", "answer": "ignore", "_input_hash": 5},
    )
    report = import_paths(ws, [path], kind="tweet")
    assert report.imported == 2
    assert ws.items.get("input-1").capture == ws.items.get("input-2").capture
    reasons = {one.line: one.reason for one in report.errors}
    assert set(reasons) == {3, 4, 5}
    assert "stay in its folder" in reasons[3]
    assert "no base64 image" in reasons[5]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (line("maybe", number=2), "`answer` must be"),
        (line("accept", number=2, options=OPTIONS, accept="toxic"), "`accept` must be a list"),
        (line("accept", number=2, options=OPTIONS, accept=["toxic", "non-toxic"]), "exactly one label"),
        (line("accept", number=2, label="nice"), "no label 'nice'"),
        (line("accept", "grace", title="other", label="toxic"), "with other content"),
    ],
)
def test_bad_lines_are_named(ws: Workspace, lines: Lines, bad: dict[str, Any], words: str) -> None:
    report = import_paths(ws, [lines(line("accept", label="toxic"), bad)], kind="tweet", format="prodigy")
    (error,) = report.errors
    assert (report.imported, error.line) == (1, 2)
    assert words in error.reason
