from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.intake import export, import_paths
from engine.types import Action, Box, Item
from engine.workspace import NewDecision, Workspace

Tasks = Callable[..., Path]


@pytest.fixture
def tasks(tmp_path: Path) -> Tasks:
    def write(*documents: dict[str, Any]) -> Path:
        path = tmp_path / "project.json"
        path.write_text(json.dumps(documents, indent=1))
        return path

    return write


def choice(*labels: str, task: str = "sentiment") -> dict[str, Any]:
    return {"from_name": task, "to_name": "t", "type": "choices", "value": {"choices": list(labels)}, "id": "x"}


def box(name: str, **more: Any) -> dict[str, Any]:
    value = {"x": 25.0, "y": 50.0, "width": 50.0, "height": 10.0, "rotation": 0, "rectanglelabels": [name]}
    size = {"original_width": 40, "original_height": 30}
    return {"from_name": "r", "to_name": "i", "type": "rectanglelabels", "value": value, **size, **more}


def test_annotators_answers_survive(ws: Workspace, tasks: Tasks) -> None:
    shown = {"model_version": "m9", "score": 0.8, "result": [choice("toxic")]}
    path = tasks(
        {
            "id": 3,
            "data": {"text": "hello", "lang": "el"},
            "annotations": [
                {
                    "id": 1,
                    "completed_by": 5,
                    "result": [choice("toxic")],
                    "lead_time": 4.5,
                    "prediction": shown,
                    "updated_at": "2026-01-02T04:04:05.123456+01:00",
                },
                {"id": 2, "completed_by": {"id": 6, "email": "g@example.org"}, "result": [], "was_cancelled": True},
            ],
        }
    )
    report = import_paths(ws, [path], kind="tweet")
    assert (report.errors, report.imported, report.decisions) == ((), 1, 2)
    assert ws.items.get("task-3").meta == {"lang": "el"}
    skip, row = sorted(ws.decisions.of("task-3"), key=lambda one: one.reviewer)
    assert (skip.reviewer, skip.action, skip.labels) == ("g@example.org", Action.SKIP, ())
    assert (row.reviewer, row.action, row.labels) == ("label-studio:5", Action.CONFIRM, ("toxic",))
    assert (row.seconds, row.at) == (4.5, "2026-01-02T03:04:05.123Z")
    assert (row.shown_model, row.shown_labels, row.shown_probability) == ("m9", ("toxic",), 0.8)


def test_ground_truth_is_a_truth_and_other_models_predictions_are_kept(ws: Workspace, tasks: Tasks) -> None:
    prediction = {"model_version": "other", "score": 0.3, "result": [choice("toxic")]}
    truth = {"id": 1, "result": [choice("non-toxic")], "ground_truth": True}
    path = tasks({"id": 1, "data": {"text": "x"}, "annotations": [truth], "predictions": [prediction]})
    assert import_paths(ws, [path], kind="tweet").errors == ()
    item = ws.items.get("task-1")
    assert (item.truths, item.meta) == ({"toxicity": ("non-toxic",)}, {"predictions": [prediction]})


def test_percent_boxes_become_regions_in_pixels(ws: Workspace, tasks: Tasks, picture: Any) -> None:
    image = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    turned = box("seal")
    turned["value"]["rotation"] = 30
    annotation = {"id": 1, "completed_by": 2, "result": [box("price"), turned]}
    report = import_paths(ws, [tasks({"id": 1, "data": {"image": image}, "annotations": [annotation]})], kind="product")
    item = ws.items.get("task-1")
    assert item.regions == {"price": ((10.0, 15.0, 20.0, 3.0),)}
    assert (item.width, item.height, item.meta["label_studio"]) == (40, 30, [turned])
    assert "turned" in report.warnings[0].reason


def test_regions_are_written_in_percent(ws: Workspace, tmp_path: Path, picture: Any) -> None:
    item = Item(id="p", kind="product", width=40, height=30, regions={"price": ((10.0, 15.0, 20.0, 3.0),)})
    ws.items.add([(item, picture())])
    export(ws, tmp_path / "out.json")
    (task,) = json.loads((tmp_path / "out.json").read_text())
    (result,) = task["predictions"][0]["result"]
    value = {"x": 25.0, "y": 50.0, "width": 50.0, "height": 10.0, "rotation": 0, "rectanglelabels": ["price"]}
    assert result["value"] == value
    assert (result["original_width"], result["original_height"]) == (40, 30)


def test_an_answer_that_was_changed_in_label_studio_is_a_new_one(ws: Workspace, tmp_path: Path) -> None:
    ws.items.add([(Item(id="a", kind="tweet", text="one"), None)])
    ws.decisions.record(
        [NewDecision(item="a", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada")]
    )
    export(ws, tmp_path / "out.json")
    (task,) = json.loads((tmp_path / "out.json").read_text())
    task["annotations"][0]["result"][0]["value"]["choices"] = ["non-toxic"]
    (tmp_path / "back.json").write_text(json.dumps([task]))
    report = import_paths(ws, [tmp_path / "back.json"])
    assert (report.errors, report.skipped, report.decisions) == ((), 1, 1)
    assert [one.labels for one in ws.decisions.of("a")] == [("toxic",), ("non-toxic",)]


KEPT = ("result", "was_cancelled", "ground_truth", "lead_time", "unique_id", "created_at", "updated_at")
"""What Label Studio keeps of an annotation that is imported without an account (its `Annotation`)."""


def through_label_studio(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task as Label Studio exports it again: its own ids and account, and nothing that it does not know."""
    annotations = [
        {name: one[name] for name in KEPT if name in one}
        | {"id": 900 + number, "import_id": one["id"], "completed_by": one.get("completed_by", 1), "updated_by": 1}
        for number, one in enumerate(task["annotations"])
    ]
    predictions = [
        {"id": 70 + number} | {name: value for name, value in one.items() if name != "secondlook"}
        for number, one in enumerate(task["predictions"])
    ]
    return {"id": 50, "data": task["data"], "annotations": annotations, "predictions": predictions}


def test_reviewers_without_an_account_come_back_through_label_studio(
    ws: Workspace, new_workspace: Any, tmp_path: Path, picture: Any, said: Any
) -> None:
    regions: dict[str, tuple[Box, ...]] = {"price": ((10.0, 15.0, 20.0, 3.0),)}
    truths: dict[str, tuple[str, ...]] = {"verdict": ("ok",)}
    item = Item(id="p", kind="product", text="one", width=40, height=30, regions=regions, truths=truths)
    ws.items.add([(item, picture())])
    for reviewer, label in (("ada", "adult"), ("label-studio:7", "ok")):
        new = NewDecision(item="p", task="verdict", action=Action.CORRECT, labels=(label,), reviewer=reviewer, note="n")
        ws.decisions.record([new])
    ws.decisions.record([NewDecision(item="p", action=Action.SKIP, reviewer="grace", seconds=2.0)])
    export(ws, tmp_path / "out.json")
    (task,) = json.loads((tmp_path / "out.json").read_text())
    returned = through_label_studio(task)
    fresh = {"id": 2, "import_id": None, "completed_by": 3, "result": [choice("prohibited", task="verdict")]}
    (tmp_path / "back.json").write_text(json.dumps([returned | {"annotations": [*returned["annotations"], fresh]}]))
    other = new_workspace()
    report = import_paths(other, [tmp_path / "back.json"])
    assert (report.errors, report.imported, report.decisions) == ((), 1, 4)
    assert other.items.get("p") == ws.items.get("p")
    new, *rows = sorted(other.decisions.of("p"), key=lambda one: one.reviewer != "label-studio:3")
    assert said(rows) == said(ws.decisions.of("p"))
    assert (new.reviewer, new.labels) == ("label-studio:3", ("prohibited",))
    assert import_paths(ws, [tmp_path / "back.json"]).decisions == 1


def test_what_was_changed_in_label_studio_is_its_accounts_answer(ws: Workspace, tmp_path: Path) -> None:
    ws.items.add([(Item(id="a", kind="tweet", text="one"), None)])
    new = NewDecision(item="a", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada")
    ws.decisions.record([new])
    export(ws, tmp_path / "out.json")
    (task,) = json.loads((tmp_path / "out.json").read_text())
    task["annotations"][0]["result"][0]["value"]["choices"] = ["non-toxic"]
    (tmp_path / "back.json").write_text(json.dumps([through_label_studio(task)]))
    assert import_paths(ws, [tmp_path / "back.json"]).decisions == 1
    rows = [(one.reviewer, one.labels) for one in ws.decisions.of("a")]
    assert rows == [("ada", ("toxic",)), ("label-studio:1", ("non-toxic",))]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"id": 2}, "no `data`"),
        ({"id": 2, "data": {"a": 1}}, "neither text nor image"),
        (
            {"id": 2, "data": {"text": "x"}, "annotations": [{"completed_by": 1, "result": [choice("nice")]}]},
            "no label",
        ),
        ({"id": 2, "data": {"text": "x"}, "annotations": [{"result": [choice("toxic")]}] * 2}, "--reviewer"),
        ({"data": {"text": "x"}}, "no `id`"),
        ({"id": 2, "data": {"image": "data:image/png;base64,!!"}}, "base64"),
        ({"id": 2, "data": {"image": "/data/local-files/?d=../../etc/passwd"}}, "stay in its folder"),
    ],
)
def test_bad_tasks_are_named_and_the_others_come_in(
    ws: Workspace, tasks: Tasks, task: dict[str, Any], words: str
) -> None:
    report = import_paths(ws, [tasks({"id": 1, "data": {"text": "good"}}, task)], kind="tweet", format="label-studio")
    assert report.imported == 1
    (error,) = report.errors
    assert error.line > 5
    assert words in error.reason
