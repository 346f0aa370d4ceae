"""The demo command around stand-ins for training and scoring; the real ones have tests of their own."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

import resources
from engine.service.protocol import RunProgress, TrainerEvent
from engine.types import Explanation, ItemContent, LabelScores, ModelCard, Outcome, TaskMetrics, Verdict
from engine.workspace import Workspace

SCORES = TaskMetrics(
    n=30,
    accuracy=0.9,
    macro_f1=0.88,
    majority_accuracy=0.5,
    majority_macro_f1=0.33,
    ece=0.1,
    labels=("toxic", "non-toxic"),
    per_class={"toxic": LabelScores(precision=1, recall=1, f1=1, support=15)},
)


@pytest.fixture
def small_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship a demo of two items and a recipe."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    rows = [{"id": name, "kind": "tweet", "text": name, "labels": {"toxicity": "toxic"}} for name in ("a", "b")]
    (folder / "metadata.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    (folder / "starter.toml").write_text("[text]\n")
    shipped = {"demo": folder, "recipes": folder / "starter.toml"}
    real = resources.path
    monkeypatch.setattr(resources, "path", lambda *parts: shipped.get(parts[0]) or real(*parts))
    return folder


class Stage:
    """What the stand-ins did, and whether training is to be interrupted."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.scored = 0
        self.explained: list[str] = []
        self.settled_by: list[str] = []
        self.interrupt = False
        self.better = True


@pytest.fixture
def stage(small_demo: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Put stand-ins where training and scoring are."""
    stage = Stage()

    def train(run: Path, *, emit: Callable[[TrainerEvent], None], cancelled: Callable[[], bool]) -> None:
        assert not cancelled()
        stage.trained.append(run.name)
        emit(RunProgress(run=run.name, stage="train", done=1, total=2))
        if stage.interrupt:
            raise KeyboardInterrupt
        leave_candidate(run, better=stage.better)

    def score_workspace(ws: Workspace, **options: Any) -> None:
        stage.scored += 1
        (model,) = (row.card.id for row in ws.models.list())
        ws.verdicts.put([toxic(item, model) for item in ("a", "b")])

    module = types.ModuleType("engine.training.run")  # the real one takes seconds to import torch
    module.train = train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "engine.training.run", module)
    stand_in_for_explaining(stage, monkeypatch)
    monkeypatch.setattr("engine.cli.demo.score_workspace", score_workspace)
    return stage


def toxic(item: str, model: str) -> Verdict:
    return Verdict(
        item=item,
        task="toxicity",
        model=model,
        label="toxic",
        labels=("toxic",),
        probability=0.9,
        probabilities={"toxic": 0.9, "non-toxic": 0.1},
    )


def stand_in_for_explaining(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Predictor:
        def __init__(self, model: str) -> None:
            self.model = model

        @classmethod
        def load(cls, folder: Path) -> Predictor:
            return cls(folder.name)

        def settle(self, contents: Sequence[ItemContent]) -> Iterator[None]:
            stage.settled_by = [content.id for content in contents]
            yield

    def explain(model: Predictor, content: ItemContent, task: str, label: str) -> Explanation:
        stage.explained.append(content.id)
        return Explanation(item=content.id, task=task, label=label, model=model.model, probability=0.9)

    predictor = types.ModuleType("engine.models.predictor")
    predictor.Predictor = Predictor  # type: ignore[attr-defined]
    explaining = types.ModuleType("engine.explain")
    explaining.explain = explain  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "engine.models.predictor", predictor)
    monkeypatch.setitem(sys.modules, "engine.explain", explaining)


def leave_candidate(run: Path, *, better: bool) -> None:
    tasks: dict[str, tuple[str, ...]] = {"toxicity": ("toxic", "non-toxic")}
    metrics = {"test": {"toxicity": SCORES}}
    card = ModelCard(id=run.name, created="2026-01-01T00:00:00.000Z", recipe="", tasks=tasks, metrics=metrics)
    candidate = run / "candidate"
    candidate.mkdir()
    for name, content in (
        ("card.json", card),
        ("splits.json", {"a": "train", "b": "test"}),
        ("outcome.json", Outcome(model=run.name, better=better, reason="The first model.")),
    ):
        (candidate / name).write_bytes(msgspec.json.encode(content))


def test_the_demo_is_imported_trained_and_scored(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    ended = secondlook("demo", tmp_path / "d.secondlook", "--json")
    assert ended.status == 0
    document = ended.json
    assert (document["imported"], document["items"], document["promoted"]) == (2, 2, True)
    assert document["metrics"]["test"]["toxicity"]["majority_macro_f1"] == 0.33
    assert (len(stage.trained), stage.scored) == (1, 1)
    with Workspace.open(tmp_path / "d.secondlook") as ws:
        assert ws.items.get("b").split == "test"


def test_the_score_stands_beside_the_majoritys(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    ended = secondlook("demo", tmp_path / "d.secondlook")
    assert "toxicity 0.88 (0.33)" in ended.out


def test_a_second_time_nothing_is_done_again(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    secondlook("demo", tmp_path / "d.secondlook")
    ended = secondlook("demo", tmp_path / "d.secondlook", "--json")
    assert (ended.status, ended.json["imported"], len(stage.trained)) == (0, 0, 1)


def test_the_items_that_the_desk_opens_on_are_explained_once(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    for _ in range(2):
        secondlook("demo", tmp_path / "d.secondlook")
    assert stage.explained == stage.settled_by == ["a", "b"]
    with Workspace.open(tmp_path / "d.secondlook") as ws:
        (model,) = (row.card.id for row in ws.models.list())
        assert ws.explanations.get("a", "toxicity", "toxic", model) is not None


def test_an_interrupted_demo_goes_on_with_the_same_run(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    stage.interrupt = True
    assert secondlook("demo", tmp_path / "d.secondlook").status == 130
    stage.interrupt = False
    assert secondlook("demo", tmp_path / "d.secondlook").status == 0
    assert len(stage.trained) == 2
    assert len(set(stage.trained)) == 1


def test_a_starter_that_is_not_promoted_is_an_error(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    stage.better = False
    ended = secondlook("demo", tmp_path / "d.secondlook")
    assert ended.status == 2
    assert "was not promoted: The first model." in ended.err


def test_without_a_name_the_demo_has_a_place_of_its_own(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    ended = secondlook("demo", "--json")
    assert ended.json["workspace"] == str(tmp_path / "data" / "secondlook" / "demo.secondlook")


def test_a_folder_that_is_no_workspace_is_left_alone(secondlook: Any, stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    ended = secondlook("demo", tmp_path / "mine")
    assert ended.status == 2
    assert "not a workspace" in ended.err
