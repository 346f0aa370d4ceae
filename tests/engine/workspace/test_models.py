from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.errors import InputError, ModelUnavailableError, NotFoundError, WorkspaceError
from engine.types import ModelCard
from engine.workspace import Workspace

Add = Callable[[str], None]


def test_a_new_workspace_has_no_champion(workspace: Workspace) -> None:
    assert workspace.models.champion() is None
    assert workspace.models.list() == []
    with pytest.raises(NotFoundError, match="no earlier champion"):
        workspace.models.rollback()


def test_promotions_stack_up_and_roll_back_one_by_one(workspace: Workspace, add_model: Add) -> None:
    for name in ("a", "b", "c"):
        add_model(name)
        workspace.models.promote(name, f"{name} is better")
    workspace.models.promote("c", "again")
    assert [(row.card.id, row.champion, row.reason) for row in workspace.models.list()] == [
        ("c", True, "c is better"),
        ("b", False, "b is better"),
        ("a", False, "a is better"),
    ]
    assert workspace.models.rollback().card.id == "b"
    assert workspace.models.rollback().card.id == "a"
    with pytest.raises(NotFoundError, match="no earlier champion"):
        workspace.models.rollback()
    workspace.models.promote("c", "after all")
    row = workspace.models.rollback()
    assert (row.card.id, row.status, row.champion) == ("a", "champion", True)
    assert workspace.models.get("c").status == "former champion"


def test_the_champion_survives_a_restart(workspace: Workspace, champion: str) -> None:
    workspace.close()
    with Workspace.open(workspace.path) as again:
        row = again.models.champion()
        assert row is not None
        assert (row.card.id, row.reason) == (champion, "the first one")
        assert row.promoted_at


def test_registering_copies_a_folder_from_elsewhere(
    workspace: Workspace, tmp_path: Path, card: Callable[[str], ModelCard]
) -> None:
    source = tmp_path / "elsewhere"
    source.mkdir()
    (source / "weights.safetensors").write_bytes(b"weights")
    row = workspace.models.register(card("m1"), source, reason="trained elsewhere")
    assert (row.status, row.reason, row.champion) == ("kept", "trained elsewhere", False)
    assert (workspace.models.folder("m1") / "weights.safetensors").read_bytes() == b"weights"
    assert workspace.models.register(card("m1"), source) == row
    with pytest.raises(WorkspaceError, match="another model 'm1'"):
        workspace.models.register(msgspec.structs.replace(card("m1"), seed=5), source)
    with pytest.raises(ModelUnavailableError, match="no model folder"):
        workspace.models.register(card("m2"), tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "x" * 101, "a\n"])
def test_ids_that_could_not_be_folders_are_refused(
    workspace: Workspace, card: Callable[[str], ModelCard], name: str
) -> None:
    with pytest.raises(InputError, match="name of a model"):
        workspace.models.register(card(name), workspace.path)


def test_a_model_whose_folder_is_gone_is_not_promoted(workspace: Workspace, champion: str, add_model: Add) -> None:
    add_model("m2")
    shutil.rmtree(workspace.path / "models" / "m2")
    with pytest.raises(ModelUnavailableError, match="missing"):
        workspace.models.promote("m2", "better")
    row = workspace.models.champion()
    assert row is not None
    assert row.card.id == champion


def test_an_unknown_model_is_named_with_the_nearest(workspace: Workspace, champion: str) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'm1'"):
        workspace.models.promote("m11", "")


def test_a_refresh_can_be_left_for_later_and_goes_on_after_a_restart(
    workspace: Workspace, champion: str, add_model: Add, judge: Callable[..., object]
) -> None:
    add_model("m2")
    workspace.verdicts.put([judge(f"t{n}", "toxic", 0.9, model="m2") for n in range(1, 5)])  # type: ignore[misc]
    workspace.models.promote("m2", "better", refresh=False)
    assert workspace.queues.pending
    assert workspace.queues.refresh(limit=2)
    assert [workspace.queues.row(f"t{n}").model for n in range(1, 5)] == ["m2", "m2", "", ""]
    workspace.close()
    with Workspace.open(workspace.path) as again:
        assert not again.queues.pending
        assert {again.queues.row(f"t{n}").model for n in range(1, 5)} == {"m2"}
