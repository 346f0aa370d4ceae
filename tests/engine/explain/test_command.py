"""`secondlook explain`, with a model whose evidence is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.cli.main import run
from engine.models.predictor import Predictor
from engine.taxonomy import preset
from engine.types import Item, Verdict
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, page: str, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "w.secondlook"
    item = Item(id="t1", kind="tweet", text="Καλημέρα glorp", width=300, height=240)
    with Workspace.create(folder, preset("tweets")) as ws:
        ws.items.add([(item, Path(page).read_bytes())])
        (folder / "models" / "fake").mkdir()
        ws.models.register(fake.card, folder / "models" / "fake")
        ws.models.promote("fake", "the first")
    fake.predict = lambda contents: [
        Verdict(
            item=content.id,
            task="toxicity",
            model="fake",
            label="toxic",
            probability=0.9,
            labels=("toxic",),
            probabilities={"toxic": 0.9, "non-toxic": 0.1},
        )
        for content in contents
    ]
    monkeypatch.setattr(Predictor, "load", lambda folder: fake)
    return folder


def explained(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert run(["explain", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_document_names_words_and_segments(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = explained(capsys, workspace, "t1")
    assert (document["item"], document["model"], document["task"], document["label"]) == (
        "t1",
        "fake",
        "toxicity",
        "toxic",
    )
    glorp = document["tokens"][1]
    assert (glorp["start"], glorp["end"], glorp["text"]) == (9, 14, "glorp")
    assert glorp["weight"] > 0.05
    assert {"id", "weight", "box", "area"} <= set(document["segments"][0])
    assert 0 < document["probability"] < 1
    assert document["seconds"] >= 0
    assert document["note"] == ""
    assert "segment_map" not in document


def test_a_stored_explanation_is_shown_again_unless_another_seed_is_asked_for(
    workspace: Path, fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = explained(capsys, workspace, "t1", "--label", "toxic", "--seed", 3)
    asked = fake.images
    assert explained(capsys, workspace, "t1", "--label", "toxic") == first
    assert explained(capsys, workspace, "t1", "--label", "toxic", "--seed", 3) == first
    assert fake.images == asked
    other = explained(capsys, workspace, "t1", "--label", "toxic", "--seed", 4)
    assert other["seed"] == 4
    assert fake.images > asked


def test_the_picture_is_written(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", str(workspace), "t1", "--png", str(tmp_path / "why.png")]) == 0
    out = capsys.readouterr().out
    assert "glorp" in out
    assert str(tmp_path / "why.png") in out
    with Image.open(tmp_path / "why.png") as image:
        assert image.width == 480


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["t1", "--label", "toxik"], "Did you mean 'toxic'?"),
        (["t1", "--task", "verdict"], "does not answer the task 'verdict'"),
        (["t1", "--model", "fak"], "Did you mean 'fake'?"),
        (["t2"], "There is no item 't2'"),
    ],
)
def test_mistakes_are_named_with_a_way_out(
    workspace: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert run(["explain", str(workspace), *options]) == 2
    assert sentence in capsys.readouterr().err
