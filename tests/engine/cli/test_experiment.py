"""`secondlook experiment` on a small data set with a tiny recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.training.experiment import baselines

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Runner

pytestmark = pytest.mark.usefixtures("same_priority")

Place = tuple[Path, Path, Path]


@pytest.fixture(autouse=True)
def lighter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers choose among few settings."""
    monkeypatch.setattr(baselines, "_GRID", {baselines.SVM: (0.3,), baselines.LOGISTIC: (3.0,)})


@pytest.fixture
def place(tmp_path: Path, tiny_recipe: str) -> Place:
    """A recipe, a data set and where records go."""
    rows = [
        {
            "text": f"{'go away you fools' if number % 2 else 'what a lovely morning'} {number}",
            "label": "toxic" if number % 2 else "fine",
            "split": "val" if number % 8 > 5 else "train",
        }
        for number in range(32)
    ]
    (tmp_path / "mood.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "tiny.toml").write_text(tiny_recipe, encoding="utf-8")
    return tmp_path / "tiny.toml", tmp_path / "mood.jsonl", tmp_path / "out"


def test_a_table_for_people_names_peers_and_figures(secondlook: Runner, place: Place) -> None:
    recipe, data, out = place
    ended = secondlook("experiment", recipe, "--data", data, "--split", "fixed", "--out", out)
    assert ended.status == 0
    lines = ended.out.splitlines()
    assert lines[0] == "mood: 32 items, fixed split."
    assert lines[2] == "mood, measured on 8 items (fine 4, toxic 4)"
    header = next(line for line in lines if line.startswith("row"))
    assert header.split("  ")[-1] == "cells"
    for name in ("accuracy", "macro-F1", "F1 fine", "F1 toxic", "AUROC", "ECE"):
        assert name in header
    assert [line.split("  ")[0] for line in lines if line.endswith(" 1")] == [*baselines.BASELINES, "tiny"]
    assert "4/4 mood: tiny, seed 0" in ended.err


def test_json_holds_the_figures_and_a_second_call_measures_nothing(secondlook: Runner, place: Place) -> None:
    recipe, data, out = place
    call = ("experiment", recipe, "--data", data, "--split", "fixed", "--out", out, "--no-baselines", "--json")
    first, again = secondlook(*call), secondlook(*call)
    assert first.json == again.json
    row = first.json["tables"][0]["blocks"][0]["rows"][0]
    assert row["name"] == "tiny"
    assert set(row["per_class"]) == {"fine", "toxic"}
    assert "seed 0" in first.err
    assert "seed 0" not in again.err


def test_settings_change_every_recipe(secondlook: Runner, place: Place) -> None:
    recipe, data, out = place
    call = ("experiment", recipe.parent, "--data", data, "--split", "fixed", "--out", out, "--no-baselines")
    assert secondlook(*call, "--set", "training.epochs=1").status == 0
    record = next(out.glob("records/*/*.json")).read_text("utf-8")
    assert "epochs = 1" in json.loads(record)["recipe"]


def test_two_data_sets_can_be_taken_as_one(secondlook: Runner, place: Place, tmp_path: Path) -> None:
    recipe, data, out = place
    (tmp_path / "other.jsonl").write_bytes(data.read_bytes())
    sets = ("--data", data, "--data", tmp_path / "other.jsonl")
    call = ("experiment", recipe, *sets, "--split", "fixed", "--out", out, "--no-baselines", "--json")
    assert [one["data"] for one in secondlook(*call).json["tables"]] == ["mood", "other"]
    joined = secondlook(*call, "--join").json["tables"]
    assert [[block["task"] for block in one["blocks"]] for one in joined] == [["mood", "other"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--split", "random"), "There is no split 'random'"),
        (("--split", "fixed", "--folds", "3"), "exclude each other"),
        (("--task", "moot"), "Did you mean 'mood'"),
        (("--set", "training.epoch=3"), "did you mean 'epochs'"),
    ],
)
def test_wrong_options_are_told_in_words(secondlook: Runner, place: Place, change: tuple[str, ...], words: str) -> None:
    recipe, data, out = place
    ended = secondlook("experiment", recipe, "--data", data, "--out", out, *change)
    assert ended.status == 2
    assert words in ended.err


def test_unknown_recipes_and_empty_folders_are_told(secondlook: Runner, place: Place, tmp_path: Path) -> None:
    _, data, out = place
    assert "Did you mean 'default'" in secondlook("experiment", "defualt", "--data", data, "--out", out).err
    (tmp_path / "empty").mkdir()
    assert "holds no recipe" in secondlook("experiment", tmp_path / "empty", "--data", data, "--out", out).err


def test_a_recipe_that_cannot_be_trained_ends_with_status_2_after_the_table(secondlook: Runner, place: Place) -> None:
    recipe, data, out = place
    lines = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    data.write_text("".join(json.dumps(line | {"label": "fine"}) + "\n" for line in lines), encoding="utf-8")
    ended = secondlook("experiment", recipe, "--data", data, "--split", "fixed", "--out", out)
    assert ended.status == 2
    assert "majority" in ended.out
    assert "1 cell could not be measured" in ended.err
    assert "all of its training items" in ended.err
