"""`secondlook refit`: corrections, then other verdicts, without a training run; its models are used as others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.taxonomy import preset
from engine.types import Action, Item
from engine.workspace import NewDecision, Workspace
from engine.workspace.runs import is_refit

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Runner

pytestmark = pytest.mark.usefixtures("same_priority")

ITEMS = 60


def words(number: int) -> str:
    return ("go away you fools", "what a lovely morning", "meh whatever then")[number % 3]


@pytest.fixture
def workspace(secondlook: Runner, tmp_path: Path, tiny_recipe: str) -> Path:
    """60 tweets of three kinds, all scored by a champion that learned that only fools are toxic."""
    path = tmp_path / "w.secondlook"
    with Workspace.create(path, preset("tweets")) as ws:
        items = [
            Item(
                id=f"t{number}",
                kind="tweet",
                author=f"author{number}",
                text=f"{words(number)} {number}",
                truths={"toxicity": ("toxic" if number % 3 == 0 else "non-toxic",)},
            )
            for number in range(ITEMS)
        ]
        ws.items.add((item, None) for item in items)
    (tmp_path / "tiny.toml").write_text(tiny_recipe)
    assert secondlook("retrain", path, "--recipe", tmp_path / "tiny.toml").status == 0
    assert secondlook("score", path).status == 0
    return path


def correct(path: Path) -> None:
    """Reviewers say that shrugging is toxic too."""
    with Workspace.open(path) as ws:
        numbers = range(2, ITEMS, 3)
        ws.decisions.record([decision(number) for number in numbers])


def decision(number: int) -> NewDecision:
    item, act = f"t{number}", f"a{number}"
    return NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada", act=act)


def verdicts(path: Path) -> dict[str, str]:
    with Workspace.open(path, read_only=True) as ws:
        found = ws.verdicts.of_many([f"t{number}" for number in range(ITEMS)])
    return {item: one["toxicity"].label for item, one in found.items()}


@pytest.mark.parametrize("head", ["linear", "hidden"])
def test_corrections_change_verdicts_without_a_training_run(secondlook: Runner, workspace: Path, head: str) -> None:
    before = verdicts(workspace)
    assert {before[f"t{n}"] for n in range(2, ITEMS, 3)} == {"non-toxic"}
    correct(workspace)
    ended = secondlook("refit", workspace, "--head", head, "--json")
    assert ended.status == 0, ended.err
    document = ended.json
    assert document["promoted"], document["reason"]
    assert document["items"] == ITEMS
    assert 10 <= document["answers"] <= 20
    assert is_refit(document["model"])
    assert document["seconds"]["features"] < 1.0
    assert secondlook("score", workspace).status == 0
    after = verdicts(workspace)
    assert {after[f"t{n}"] for n in range(2, ITEMS, 3)} == {"toxic"}
    assert all(after[f"t{n}"] == before[f"t{n}"] for n in range(ITEMS) if n % 3 != 2)


def test_a_refit_is_used_as_any_other_model(secondlook: Runner, workspace: Path) -> None:
    first = secondlook("models", workspace, "--json").json[0]["id"]
    correct(workspace)
    model = secondlook("refit", workspace, "--json").json["model"]
    measured = secondlook("evaluate", workspace, "--json").json
    assert measured["model"] == model
    assert measured["tasks"]["toxicity"]["macro_f1"] > 0.9
    explained = secondlook("explain", workspace, "t2", "--json")
    assert explained.status == 0, explained.err
    secondlook("models", workspace, "rollback")
    listed = {row["id"]: row["status"] for row in secondlook("models", workspace, "--json").json}
    assert listed == {first: "champion", model: "former champion"}
    assert secondlook("models", workspace, "promote", model).status == 0


def test_a_second_refit_is_as_good_and_takes_over(secondlook: Runner, workspace: Path) -> None:
    correct(workspace)
    first = secondlook("refit", workspace, "--json").json
    second = secondlook("refit", workspace, "--json").json
    assert second["base"] == first["base"] != first["model"]
    assert second["promoted"]
    assert "As good as the champion" in second["reason"]


def test_a_full_retrain_after_a_refit_does_what_it_did_before(
    secondlook: Runner, workspace: Path, tmp_path: Path
) -> None:
    correct(workspace)
    refit = secondlook("refit", workspace, "--head", "linear", "--json").json
    document = secondlook("retrain", workspace, "--recipe", tmp_path / "tiny.toml", "--json").json
    assert not document["resumed"]
    with Workspace.open(workspace) as ws:
        card = ws.models.get(document["model"]).card
    assert (card.parent, card.base) == (refit["model"], "")
    assert card.network["fusion"]["hidden"] == [16]


def test_people_get_a_calm_answer(secondlook: Runner, workspace: Path) -> None:
    correct(workspace)
    ended = secondlook("refit", workspace)
    assert ended.out.startswith("Learned from ")
    assert "It is the new champion." in ended.out


def test_vectors_may_be_deleted_at_any_time(secondlook: Runner, workspace: Path) -> None:
    correct(workspace)
    kept = list((workspace / "features").glob("*.vectors"))
    assert len(kept) == 1
    for path in kept:
        path.unlink()
    assert secondlook("refit", workspace, "--json").json["promoted"]
    assert list((workspace / "features").glob("*.vectors")) == kept


def test_a_missing_base_is_said_and_the_run_noted_as_failed(secondlook: Runner, workspace: Path) -> None:
    correct(workspace)
    refit = secondlook("refit", workspace, "--json").json
    (workspace / "models" / refit["base"]).rename(workspace / "elsewhere")
    ended = secondlook("refit", workspace)
    assert ended.status == 2
    assert f"uses the backbones of the model {refit['base']}, whose folder is missing" in ended.err
    with Workspace.open(workspace) as ws:
        assert [run.state for run in ws.runs.list() if is_refit(run.id)][:1] == ["failed"]


@pytest.mark.parametrize(("options", "words"), [(("--head", "round"), "refit.head"), ((), "no model yet")])
def test_what_cannot_be_done_is_one_sentence(
    secondlook: Runner, workspace: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    path: Any = workspace
    if not options:
        path = tmp_path / "empty.secondlook"
        Workspace.create(path, preset("tweets")).close()
    ended = secondlook("refit", path, *options)
    assert ended.status == 2
    assert words in ended.err
