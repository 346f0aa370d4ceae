"""`secondlook retrain` and `secondlook evaluate` on a real workspace with a tiny recipe."""

from __future__ import annotations

import errno
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import CancelledError
from engine.service.protocol import EpochEnded, RunEnded, RunStarted, decode_trainer_event
from engine.types import Action
from engine.workspace import NewDecision, Workspace

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Runner

pytestmark = pytest.mark.usefixtures("same_priority")


@pytest.fixture
def workspace(secondlook: Runner, tmp_path: Path, tiny_recipe: str) -> Path:
    """48 labelled tweets, each by an author of its own; every other one is toxic and says so."""
    path = tmp_path / "w.secondlook"
    rows = [
        {
            "id": f"t{number}",
            "kind": "tweet",
            "author": f"author{number}",
            "text": f"{'go away you fools' if number % 2 else 'what a lovely morning'} {number}",
            "labels": {"toxicity": "toxic" if number % 2 else "non-toxic"},
        }
        for number in range(48)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tiny.toml").write_text(tiny_recipe)
    assert secondlook("init", path, "--preset", "tweets").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    return path


@pytest.fixture
def retrain(secondlook: Runner, workspace: Path, tmp_path: Path) -> Any:
    def run(*options: str) -> Any:
        return secondlook("retrain", workspace, "--recipe", tmp_path / "tiny.toml", *options)

    return run


def test_the_first_model_becomes_champion_and_can_be_evaluated(
    retrain: Any, secondlook: Runner, workspace: Path
) -> None:
    ended = retrain("--json")
    assert ended.status == 0, ended.err
    document = ended.json
    assert document["promoted"]
    assert "first model" in document["reason"]
    assert document["metrics"]["test"]["toxicity"]["macro_f1"] > 0.9
    measured = secondlook("evaluate", workspace, "--json").json
    assert measured["model"] == document["model"]
    assert measured["split"] == "test"
    assert measured["n"] == document["metrics"]["test"]["toxicity"]["n"]
    scores = measured["tasks"]["toxicity"]
    assert scores["macro_f1"] == document["metrics"]["test"]["toxicity"]["macro_f1"]
    assert set(scores["per_class"]["toxic"]) == {"precision", "recall", "f1", "support"}
    assert scores["majority_macro_f1"] < 0.5


def test_a_candidate_that_is_not_better_is_kept_and_says_why(retrain: Any, secondlook: Runner, workspace: Path) -> None:
    first = retrain("--json").json
    second = retrain("--json").json
    assert not second["promoted"]
    assert "Not better" in second["reason"]
    with Workspace.open(workspace) as ws:
        assert ws.models.get(second["model"]).status == "kept"
        champion = ws.models.champion()
        assert champion is not None
        assert champion.card.id == first["model"]
        assert ws.models.get(second["model"]).card.parent == first["model"]


def test_corrections_change_what_the_next_model_says(retrain: Any, secondlook: Runner, workspace: Path) -> None:
    """Reviewers decide that lovely mornings are toxic too; the verdicts follow."""
    retrain()
    corrections = [
        NewDecision(
            item=f"t{n}", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada", act=f"a{n}"
        )
        for n in range(0, 48, 4)
    ] + [
        NewDecision(
            item=f"t{n}", task="toxicity", action=Action.CORRECT, labels=("non-toxic",), reviewer="ada", act=f"a{n}"
        )
        for n in range(1, 48, 2)
    ]
    with Workspace.open(workspace) as ws:
        ws.decisions.record(corrections)
    document = retrain("--json").json
    assert document["promoted"], document["reason"]
    assert document["reason"].startswith("Better: macro-F1")
    with Workspace.open(workspace) as ws:
        card = ws.models.get(document["model"]).card
    assert set(card.decisions) <= set(range(1, len(corrections) + 1))
    assert len(card.decisions) > 20


def test_events_are_lines_of_the_protocol(retrain: Any) -> None:
    ended = retrain("--events", "jsonl")
    assert ended.status == 0, ended.err
    events = [decode_trainer_event(line.encode()) for line in ended.out.splitlines()]
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunEnded)
    assert sum(isinstance(event, EpochEnded) for event in events) == 4


def test_people_get_a_table(retrain: Any, secondlook: Runner, workspace: Path) -> None:
    ended = retrain("--set", "training.epochs=1")
    assert ended.status == 0
    for part in ("new champion", "majority class", "toxicity"):
        assert part in ended.out
    assert "Training on CPU" in ended.err or "Training on CUDA" in ended.err
    shown = secondlook("evaluate", workspace, "--split", "val")
    assert "precision" in shown.out
    assert "non-toxic" in shown.out


def test_an_interrupted_retrain_goes_on(
    retrain: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch, secondlook: Runner
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    from engine.training import callbacks

    ended = callbacks.EarlyStop.epoch_ended

    def interrupt(self: callbacks.EarlyStop) -> None:
        ended(self)
        if self.loop.position.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(callbacks.EarlyStop, "epoch_ended", interrupt)
        broken = retrain("--json")
    assert broken.status == 130
    assert "goes on" in broken.err
    with Workspace.open(workspace) as ws:
        (run,) = ws.runs.list()
        assert run.state == "cancelled"
    document = retrain("--json").json
    assert document["resumed"]
    assert document["model"] == run.id
    assert signal.getsignal(signal.SIGINT) is handler


def test_other_settings_start_a_run_of_their_own(
    retrain: Any, monkeypatch: pytest.MonkeyPatch, workspace: Path
) -> None:
    from engine.training import run

    with monkeypatch.context() as patched:
        patched.setattr(run, "assign_splits", cancel)
        assert retrain().status == 130
    assert not retrain("--set", "training.seed=3", "--json").json["resumed"]


def cancel(*_: object, **__: object) -> None:
    raise CancelledError


def test_a_recipe_with_mistakes_is_refused_before_anything_is_written(retrain: Any, workspace: Path) -> None:
    ended = retrain("--set", "training.epoch=3", "--set", "txt.width=4")
    assert ended.status == 2
    assert "did you mean 'epochs'" in ended.err
    assert "did you mean 'text'" in ended.err
    with Workspace.open(workspace) as ws:
        assert ws.runs.list() == []


def test_two_things_cannot_share_standard_output(retrain: Any) -> None:
    assert retrain("--events", "jsonl", "--json").status == 2
    assert retrain("--events", "xml").status == 2


def test_evaluating_without_a_model_says_what_to_do(secondlook: Runner, workspace: Path) -> None:
    ended = secondlook("evaluate", workspace)
    assert ended.status == 2
    assert "secondlook retrain" in ended.err
    assert secondlook("evaluate", workspace, "--split", "tst").status == 2


def test_a_full_disk_stops_the_run_and_the_next_retrain_goes_on(
    retrain: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.training import state

    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patched.setattr(state, "save_file", full)
        ended = retrain("--json")
    assert ended.status == 2
    assert "No space left on device" in ended.err
    assert "MB free. Free some space and start again" in ended.err
    with Workspace.open(workspace) as ws:
        assert ws.models.champion() is None
    again = retrain("--json")
    assert again.status == 0, again.err
    assert again.json["resumed"]
