"""Profiles from import to a model of authors, and any model measured author by author."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Runner

pytestmark = pytest.mark.usefixtures("same_priority")

TAXONOMY = """
name = "accounts"

[[tasks]]
name = "toxicity"
applies_to = ["tweet", "profile"]
labels = [{ name = "toxic", key = "1", severity = 3 }, { name = "fine", key = "2" }]
"""


@pytest.fixture
def workspace(secondlook: Runner, tmp_path: Path, tiny_recipe: str) -> Path:
    """30 accounts with two tweets and a profile each; every other one has a toxic tweet and a telling profile."""
    rows: list[dict[str, object]] = []
    for n in range(30):
        toxic, author = n % 2 == 1, f"author{n}"
        tweet = {"kind": "tweet", "author": author}
        worst = "go away you fools" if toxic else "such nice weather"
        rows += [
            {**tweet, "id": f"a{n}", "text": f"what a lovely morning {n}", "labels": {"toxicity": "fine"}},
            {**tweet, "id": f"b{n}", "text": f"{worst} {n}", "labels": {"toxicity": "toxic" if toxic else "fine"}},
            {"kind": "profile", "id": f"p{n}", "author": f"@{author}", "text": f"{'angry' if toxic else 'happy'} {n}"},
        ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tasks.toml").write_text(TAXONOMY)
    (tmp_path / "tiny.toml").write_text(tiny_recipe)
    path = tmp_path / "w.secondlook"
    assert secondlook("init", path, "--taxonomy", tmp_path / "tasks.toml").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    return path


def test_authors_are_learned_from_profiles_beside_the_champion(
    secondlook: Runner, workspace: Path, tmp_path: Path
) -> None:
    items = secondlook("retrain", workspace, "--recipe", tmp_path / "tiny.toml", "--json")
    assert items.status == 0, items.err
    ended = secondlook("retrain", workspace, "--recipe", tmp_path / "tiny.toml", "--json", "--set", "data.level=author")
    assert ended.status == 0, ended.err
    document = ended.json
    assert not document["promoted"]
    assert "judges authors by their profiles" in document["reason"]
    assert document["metrics"]["test"]["toxicity"]["macro_f1"] > 0.9
    with Workspace.open(workspace) as ws:
        champion = ws.models.champion()
        assert champion is not None
        assert champion.card.id == items.json["model"]
        assert sum(ws.models.get(document["model"]).card.counts[side] for side in ("train", "val", "test")) == 30
    scored = secondlook("evaluate", workspace, "--model", document["model"], "--level", "author", "--json").json
    assert scored["n"] == document["metrics"]["test"]["toxicity"]["n"]
    assert scored["tasks"]["toxicity"]["macro_f1"] == document["metrics"]["test"]["toxicity"]["macro_f1"]


def test_a_model_of_items_is_measured_on_authors(secondlook: Runner, workspace: Path, tmp_path: Path) -> None:
    longer = ("--recipe", tmp_path / "tiny.toml", "--set", "training.epochs=10")
    assert secondlook("retrain", workspace, *longer).status == 0
    by_item = secondlook("evaluate", workspace, "--split", "train", "--json").json
    by_author = secondlook("evaluate", workspace, "--split", "train", "--level", "author", "--json").json
    assert by_item["n"] == 2 * by_author["n"]
    scores = by_author["tasks"]["toxicity"]
    assert scores["labels"] == ["toxic", "fine"]
    assert scores["macro_f1"] > 0.9
    assert scores["per_class"]["toxic"]["support"] == by_item["tasks"]["toxicity"]["per_class"]["toxic"]["support"]
    shown = secondlook("evaluate", workspace, "--level", "author", "--positive", "toxic")
    assert "authors of labelled items" in shown.out


def test_what_cannot_be_asked_is_named(secondlook: Runner, workspace: Path, tmp_path: Path) -> None:
    assert "Did you mean 'author'?" in secondlook("evaluate", workspace, "--level", "autor").err
    quick = ("--recipe", tmp_path / "tiny.toml", "--set", "training.epochs=1")
    assert secondlook("retrain", workspace, *quick).status == 0
    assert "Give it with --level author." in secondlook("evaluate", workspace, "--positive", "toxic").err
    misspelt = secondlook("evaluate", workspace, "--level", "author", "--positive", "toxik")
    assert "Did you mean 'toxic'?" in misspelt.err
    author = ("--set", "data.level=author")
    ended = secondlook("retrain", workspace, *quick, *author, "--set", 'data.positive=["toxik"]')
    assert ended.status == 2
    assert "data.positive names 'toxik'" in ended.err
