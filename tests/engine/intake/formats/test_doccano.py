from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.intake import export, import_paths
from engine.types import Action
from engine.workspace import NewDecision, Workspace

Lines = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    def write(*documents: dict[str, Any]) -> Path:
        path = tmp_path / "all.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in documents))
        return path

    return write


CLASSIFIED = {"id": 7, "text": "hello", "label": ["Toxic"], "Comments": ["why"], "shop": "a"}


def test_labels_of_nobody_become_truths_and_comments_are_kept(ws: Workspace, lines: Lines) -> None:
    report = import_paths(ws, [lines(CLASSIFIED)], kind="tweet")
    assert (report.imported, report.decisions, report.errors) == (1, 0, ())
    item = ws.items.get("7")
    assert (item.text, item.truths) == ("hello", {"toxicity": ("toxic",)})
    assert item.meta == {"shop": "a", "comments": ["why"]}


def test_labels_of_a_named_reviewer_become_decisions(ws: Workspace, lines: Lines) -> None:
    path = lines(CLASSIFIED, {"id": 8, "text": "nothing said", "label": [], "Comments": []})
    report = import_paths(ws, [path], kind="tweet", reviewer="ada")
    assert (report.imported, report.decisions) == (2, 1)
    (row,) = ws.decisions.of("7")
    assert (row.reviewer, row.task, row.action, row.labels) == ("ada", "toxicity", Action.CORRECT, ("toxic",))
    assert (row.note, ws.items.get("7").truths) == ("why", {})
    again = import_paths(ws, [path], kind="tweet", reviewer="ada")
    assert (again.imported, again.skipped, again.decisions, again.known) == (0, 2, 0, 1)


@pytest.mark.parametrize(
    "told",
    [
        {"label": [[0, 2, "name"], [3, 5, "place"]]},
        {
            "entities": [
                {"id": 1, "label": "name", "start_offset": 0, "end_offset": 2},
                {"id": 2, "label": "place", "start_offset": 3, "end_offset": 5},
            ],
            "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "in"}],
        },
    ],
)
def test_spans_are_kept_and_written_again(ws: Workspace, lines: Lines, tmp_path: Path, told: dict[str, Any]) -> None:
    path = lines({"id": 1, "text": "Jo in Rome", "Comments": [], **told})
    assert import_paths(ws, [path], kind="tweet").errors == ()
    meta = ws.items.get("1").meta
    assert meta["spans"] == [[0, 2, "name"], [3, 5, "place"]]
    assert meta.get("relations") == told.get("relations")
    export(ws, tmp_path / "out.jsonl", format="doccano-spans")
    assert json.loads((tmp_path / "out.jsonl").read_text())["label"] == [[0, 2, "name"], [3, 5, "place"]]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"label": ["tox"]}, "There is no label 'tox' in this workspace. Did you mean 'toxic'?"),
        ({"label": ["toxic", "non-toxic"]}, "takes exactly one label"),
        ({"label": [[5, 2, "x"]]}, "`label` must be a list of names or of [start, end, name]"),
        ({"label": {"a": 1}}, "`label` must be a list"),
        ({"text": None}, "no text, title or screenshot"),
    ],
)
def test_bad_lines_are_named(ws: Workspace, lines: Lines, broken: dict[str, Any], words: str) -> None:
    report = import_paths(ws, [lines(CLASSIFIED, {**CLASSIFIED, "id": 8, **broken})], kind="tweet", format="doccano")
    assert report.imported == 1
    (error,) = report.errors
    assert error.line == 2
    assert words.rstrip("?") in error.reason


def test_a_trip_through_doccano_brings_only_new_answers(ws: Workspace, tmp_path: Path) -> None:
    from engine.types import Item

    ws.items.add([(Item(id="a", kind="tweet", text="one"), None), (Item(id="b", kind="tweet", text="two"), None)])
    said = NewDecision(item="a", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada", note="n")
    ws.decisions.record([said])
    export(ws, tmp_path / "out.jsonl", format="doccano")
    a, b = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert (a["label"], a["Comments"], b["label"]) == (["toxic"], ["n"], [])
    b |= {"label": ["non-toxic"], "Comments": ["fine"]}
    back = tmp_path / "back.jsonl"
    back.write_text(f"{json.dumps(a)}\n{json.dumps(b)}\n")
    report = import_paths(ws, [back], reviewer="grace")
    assert (report.errors, report.skipped, report.decisions) == ((), 2, 1)
    (row,) = ws.decisions.of("b")
    assert (row.reviewer, row.labels, row.note) == ("grace", ("non-toxic",), "fine")
    assert [one.reviewer for one in ws.decisions.of("a")] == ["ada"]


def test_items_without_words_are_left_out_and_counted(ws: Workspace, tmp_path: Path, picture: Any) -> None:
    from engine.types import Item

    ws.items.add([(Item(id="p", kind="tweet", width=40, height=30), picture())])
    report = export(ws, tmp_path / "out.jsonl", format="doccano")
    assert (report.items, report.notes) == (
        0,
        ("1 item without text or title was left out: doccano takes texts only.",),
    )
