from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import InputError, NotFoundError, TrainingError, WorkspaceError
from engine.types import Item, ModelCard, TrainingItem
from engine.workspace import NewDecision, RunFolder, Workspace, board
from engine.workspace import runs as runs_module

Decide = Callable[..., NewDecision]


class Killed(BaseException):
    """Stands for a kill: nothing but the transaction's own rollback may happen after it."""


@pytest.fixture
def labelled(workspace: Workspace, decide: Decide) -> Workspace:
    truths: dict[str, tuple[str, ...]] = {"verdict": ("prohibited",), "reason": ("alcohol",)}
    workspace.items.add(
        (Item(id=name, kind="product", title=" Strong  DRINK", author=author, truths=truths, split=split), None)
        for name, author, split in (("a", "", "test"), ("b", "shop", ""), ("c", "", ""))
    )
    workspace.decisions.record([decide("b", "ok", task="verdict"), decide("t1", "toxic")])
    return workspace


def snapshot(run: RunFolder) -> dict[str, TrainingItem]:
    decode = msgspec.json.Decoder(TrainingItem).decode
    items = [decode(line) for line in (run.path / "snapshot.jsonl").read_bytes().splitlines()]
    return {item.content.id: item for item in items}


def test_a_prepared_run_holds_everything_the_trainer_needs(labelled: Workspace) -> None:
    run = labelled.runs.prepare("[training]\nepochs = 1\n", run_id="run-1")
    assert run.path == labelled.path / "runs" / "run-1"
    assert os.fspath(run) == str(run.path)
    assert (run.path / "recipe.toml").read_text(encoding="utf-8") == "[training]\nepochs = 1\n"
    assert (run.path / "parent.txt").read_text(encoding="utf-8") == ""
    assert "prohibited" in (run.path / "taxonomy.toml").read_text(encoding="utf-8")
    assert run.fingerprint == hashlib.sha256((run.path / "snapshot.jsonl").read_bytes()).hexdigest()
    assert run.items == 4
    items = snapshot(run)
    assert set(items) == {"a", "b", "c", "t1"}
    assert items["a"].labels == {"verdict": ("prohibited",), "reason": ("alcohol",)}
    assert (items["a"].split, items["a"].decisions) == ("test", ())
    assert items["b"].labels == {"verdict": ("ok",)}, "a reviewer's answer closes the branch its truth had opened"
    assert items["b"].decisions == (1,)
    assert items["b"].group == "author:shop"
    assert items["a"].group == items["c"].group != items["t1"].group
    assert labelled.runs.labelled_counts() == {
        "verdict": {"prohibited": 2, "ok": 1},
        "reason": {"alcohol": 2},
        "toxicity": {"toxic": 1},
    }


def test_items_that_were_only_skipped_are_not_training_data(labelled: Workspace, decide: Decide) -> None:
    labelled.decisions.record([decide("t2", action=runs_action("skip"))])
    labelled.decisions.undo("ann")
    labelled.decisions.undo("ann")
    assert set(snapshot(labelled.runs.prepare(""))) == {"a", "b", "c"}


def runs_action(name: str) -> Any:
    from engine.types import Action

    return Action(name)


def test_a_large_snapshot_is_read_in_batches(labelled: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.workspace.snapshot.BATCH", 1)
    assert set(snapshot(labelled.runs.prepare(""))) == {"a", "b", "c", "t1"}


def test_nothing_labelled_is_a_plain_sentence(workspace: Workspace) -> None:
    with pytest.raises(TrainingError, match="no item has a label"):
        workspace.runs.prepare("")
    assert workspace.runs.list() == []
    assert list((workspace.path / "runs").iterdir()) == []


def test_a_kill_while_preparing_leaves_nothing_or_a_whole_run(
    labelled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = labelled.path / "runs" / ".run-1.part"
    stale.mkdir()
    (stale / "snapshot.jsonl").write_text("half")
    assert labelled.runs.list() == []
    with monkeypatch.context() as patch:
        patch.setattr(labelled.runs._db, "transaction", _kill)
        with pytest.raises(Killed):
            labelled.runs.prepare("first", run_id="run-1")
    assert [(info.id, info.state) for info in labelled.runs.unfinished()] == [("run-1", "prepared")]
    run = labelled.runs.prepare("second", run_id="run-1")
    assert (run.path / "recipe.toml").read_text(encoding="utf-8") == "first"
    assert len(labelled.runs.list()) == 1


def _kill(*_: object, **__: object) -> None:
    raise Killed


def leave_candidate(run: RunFolder, card: ModelCard, *, better: bool, splits: dict[str, str]) -> None:
    folder = run.path / "candidate"
    folder.mkdir()
    (folder / "card.json").write_bytes(msgspec.json.encode(card))
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "splits.json").write_text(json.dumps(splits))
    (folder / "outcome.json").write_text(json.dumps({"model": card.id, "better": better, "reason": "because"}))


@pytest.fixture
def run(labelled: Workspace, card: Callable[[str], ModelCard]) -> RunFolder:
    prepared = labelled.runs.prepare("", run_id="run-1")
    leave_candidate(prepared, card("m1"), better=True, splits={"a": "train", "b": "val", "t1": "train", "gone": "val"})
    return prepared


def adopted(workspace: Workspace) -> None:
    """Everything that an adopted better candidate changes."""
    champion = workspace.models.champion()
    assert champion is not None
    assert (champion.card.id, champion.reason) == ("m1", "because")
    assert (workspace.models.folder("m1") / "weights.safetensors").read_bytes() == b"weights"
    assert [workspace.items.get(item).split for item in ("a", "b", "t1", "c")] == ["test", "val", "train", ""]
    (info,) = workspace.runs.list()
    assert (info.state, info.model, info.message) == ("finished", "m1", "because")
    assert not (info.path / "candidate").exists()
    assert not workspace.queues.pending
    assert workspace.runs.unfinished() == []


def test_adopting_a_better_candidate_promotes_it(labelled: Workspace, run: RunFolder) -> None:
    outcome = labelled.runs.adopt(run)
    assert (outcome.model, outcome.better) == ("m1", True)
    adopted(labelled)
    assert labelled.runs.adopt(run.path) == outcome
    labelled.runs.mark("run-1", "failed", "too late")
    adopted(labelled)


@pytest.mark.parametrize("place", ["move", "register", "splits", "promote", "commit", "refresh"])
def test_adopting_can_be_killed_anywhere_and_done_again(
    labelled: Workspace, run: RunFolder, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patch:
        targets: dict[str, tuple[object, str]] = {
            "move": (runs_module, "sync_folder"),
            "register": (labelled.models, "note"),
            "splits": (labelled.items, "set_splits"),
            "promote": (labelled.models, "crown"),
            "commit": (labelled.runs, "_note"),
            "refresh": (board, "refresh_some"),
        }
        patch.setattr(*targets[place], _kill)
        with pytest.raises(Killed):
            labelled.runs.adopt(run)
    labelled.close()
    with Workspace.open(labelled.path) as again:
        again.runs.adopt(run)
        adopted(again)


def test_a_worse_candidate_is_kept_and_says_why(
    labelled: Workspace, run: RunFolder, card: Callable[[str], ModelCard]
) -> None:
    labelled.runs.adopt(run)
    second = labelled.runs.prepare("", run_id="run-2")
    assert (second.path / "parent.txt").read_text(encoding="utf-8") == "m1"
    leave_candidate(second, card("m2"), better=False, splits={})
    assert not labelled.runs.adopt(second).better
    row = labelled.models.get("m2")
    assert (row.status, row.reason) == ("kept", "because")
    champion = labelled.models.champion()
    assert champion is not None
    assert champion.card.id == "m1"


def test_a_run_without_a_candidate_is_not_adopted(labelled: Workspace) -> None:
    run = labelled.runs.prepare("", run_id="run-1")
    with pytest.raises(TrainingError, match="left no candidate"):
        labelled.runs.adopt(run)


def test_a_candidate_never_replaces_another_model(
    labelled: Workspace, run: RunFolder, card: Callable[[str], ModelCard]
) -> None:
    labelled.runs.adopt(run)
    second = labelled.runs.prepare("", run_id="run-2")
    leave_candidate(second, card("m1"), better=True, splits={})
    with pytest.raises(WorkspaceError, match="already is one of that name"):
        labelled.runs.adopt(second)


def test_states_are_noted_for_the_desk(labelled: Workspace) -> None:
    labelled.runs.prepare("", run_id="run-1")
    for state in ("running", "cancelled", "failed"):
        labelled.runs.mark("run-1", state, "why")
        (info,) = labelled.runs.list()
        assert (info.state, info.message) == (state, "why")
        assert bool(labelled.runs.unfinished()) == (state == "running")
    with pytest.raises(InputError, match="no state"):
        labelled.runs.mark("run-1", "done")
    with pytest.raises(NotFoundError, match="no run"):
        labelled.runs.folder("run-9")
    with pytest.raises(InputError, match="name of a run"):
        labelled.runs.prepare("", run_id="../up")


def test_paths_of_a_run_are_where_the_contract_says(labelled: Workspace, tmp_path: Path) -> None:
    run = labelled.runs.prepare("")
    assert run.path.parent == labelled.path / "runs"
    assert labelled.runs.folder(run.id) == run


def test_a_snapshot_holds_every_standing_answer(labelled: Workspace, decide: Decide) -> None:
    recorded = labelled.decisions.record(
        [
            decide("t2", "toxic", reviewer="ann"),
            decide("t2", "non-toxic", reviewer="bob"),
            decide("t2", "non-toxic", reviewer="ann"),
            decide("t2", "toxic", reviewer="eve"),
            decide("t2", "toxic", reviewer="dan"),
            decide("t2", action=runs_action("skip"), reviewer="flo"),
        ]
    )
    labelled.decisions.undo("eve")
    items = snapshot(labelled.runs.prepare(""))
    answers = items["t2"].answers["toxicity"]
    assert [(one.reviewer, one.labels) for one in answers] == [
        ("bob", ("non-toxic",)),
        ("ann", ("non-toxic",)),
        ("dan", ("toxic",)),
    ]
    numbers = {(one.number, one.at) for one in recorded}
    assert {(one.decision, one.at) for one in answers} <= numbers
    assert items["t2"].labels == {"toxicity": ("non-toxic",)}
    assert items["t2"].decisions == tuple(one.decision for one in answers[:2])
    assert items["a"].answers == {}


def test_profiles_come_along_where_authors_are_trained(labelled: Workspace) -> None:
    profiles = [Item(id=f"u{n}", kind="profile", author=f"shop{n}", text="about us") for n in range(2)]
    labelled.items.add((profile, None) for profile in profiles)
    assert "u0" not in snapshot(labelled.runs.prepare(""))
    items = snapshot(labelled.runs.prepare('[data]\nlevel = "author"\n'))
    assert set(items) == {"a", "b", "c", "t1", "u0", "u1"}
    assert (items["u1"].labels, items["u1"].group, items["u1"].content.kind) == ({}, "author:shop1", "profile")
    assert "u0" not in {item.content.id for item in labelled.runs.labelled()}
    assert "u0" not in snapshot(labelled.runs.prepare("this is no recipe"))
