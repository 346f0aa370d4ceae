"""`secondlook explain-eval`, with a model whose evidence is known."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.cli.main import run
from engine.models.predictor import Predictor
from engine.taxonomy import preset
from engine.types import Item, ItemContent, Verdict
from engine.workspace import Workspace, faithfulness


@pytest.fixture
def workspace(tmp_path: Path, page: str, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four items of the validation split, one of them without a screenshot, and one that trains."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "w.secondlook"
    with Workspace.create(folder, preset("tweets")) as ws:
        for number in range(5):
            item = Item(
                id=f"t{number}",
                kind="tweet",
                text=f"the glorp went home {number}",
                truths={"toxicity": ("toxic",)},
                split="train" if number == 4 else "val",
                width=300,
                height=240,
            )
            ws.items.add([(item, None if number == 3 else Path(page).read_bytes())])
        (folder / "models" / "fake").mkdir()
        ws.models.register(fake.card, folder / "models" / "fake")
        ws.models.promote("fake", "the first")

    def predict(contents: Sequence[ItemContent], **_: object) -> list[Verdict]:
        return [
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

    fake.predict = predict
    monkeypatch.setattr(Predictor, "load", lambda folder: fake)
    return folder


def test_the_table_is_printed_and_kept_beside_the_model(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain-eval", str(workspace), "--method", "occlusion", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["model"], document["items"], document["split"]) == ("fake", 4, "val")
    occlusion, chance = document["rows"]
    assert (occlusion["method"], chance["method"]) == ("occlusion", "random")
    assert occlusion["scores"]["deletion"]["n"] == 3
    assert occlusion["scores"]["comprehensiveness"]["n"] == 4
    assert occlusion["advantage"]["comprehensiveness"]["mean"] > 0.1
    kept = faithfulness.read(workspace / "models" / "fake")
    assert kept is not None
    assert kept.rows[0].scores["deletion"].mean == occlusion["scores"]["deletion"]["mean"]
    assert [file.name for file in (workspace / "models" / "fake").iterdir()] == ["faithfulness.json"]


def test_people_read_a_table_with_random_order_and_what_is_better(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain-eval", str(workspace), "--method", "occlusion", "--items", "2"]) == 0
    out = capsys.readouterr().out
    assert "2 held-out items" in out
    assert "Better than random order, item by item, by" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("occlusion", "random"))] == [
        "occlusion",
        "random",
        "occlusion",
    ]


def test_one_seed_gives_one_answer(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def scores(seed: int) -> Any:
        options = ["--method", "occlusion", "--items", "1", "--seed", str(seed), "--json"]
        assert run(["explain-eval", str(workspace), *options]) == 0
        return [row["scores"] for row in json.loads(capsys.readouterr().out)["rows"]]

    assert scores(1) == scores(1)
    assert scores(1)[1] != scores(2)[1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--method", "lume"], "There is no method 'lume'. Did you mean 'lime'?"),
        (["--model", "fak"], "Did you mean 'fake'?"),
        (["--items", "0"], "Invalid value for '--items'"),
    ],
)
def test_mistakes_are_named_with_a_way_out(
    workspace: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert run(["explain-eval", str(workspace), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert faithfulness.read(workspace / "models" / "fake") is None


@pytest.fixture
def without_attention(workspace: Path, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace, with a model whose text backbone has no attention."""
    spec = SimpleNamespace(text=SimpleNamespace(backbone="cnn"))
    fake.differentiable = lambda: SimpleNamespace(encoder=None, network=SimpleNamespace(spec=spec))
    return workspace


def test_a_named_method_that_the_model_does_not_allow_is_refused_before_any_work(
    without_attention: Path, fake: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fake, "predict", lambda *_, **__: pytest.fail("there was nothing to ask the model for"))
    assert run(["explain-eval", str(without_attention), "--method", "occlusion", "--method", "attention"]) == 2
    assert "The text backbone 'cnn' has no attention" in capsys.readouterr().err


def test_of_all_methods_those_that_the_model_does_not_allow_are_left_out_with_the_reason(
    without_attention: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.explain.methods.METHODS", {"occlusion": "", "attention": ""})
    assert run(["explain-eval", str(without_attention), "--method", "all", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in document["rows"]] == ["occlusion", "random"]
    (note,) = document["notes"]
    assert note.startswith("attention was left out: The text backbone 'cnn' has no attention;")


def test_without_held_out_items_it_says_where_they_come_from(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(workspace / "workspace.db") as database:
        database.execute("UPDATE items SET split = 'train'")
    assert run(["explain-eval", str(workspace)]) == 2
    assert "No labelled item is held out for validation." in capsys.readouterr().err


def test_a_smaller_measurement_takes_no_larger_ones_place_and_methods_are_kept_together(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*options: str) -> tuple[list[str], str]:
        assert run(["explain-eval", str(workspace), *options]) == 0
        kept = faithfulness.read(workspace / "models" / "fake")
        assert kept is not None
        return [f"{row.method} {row.scores['comprehensiveness'].n}" for row in kept.rows], capsys.readouterr().err

    assert measured("--method", "occlusion", "--items", "3")[0] == ["occlusion 3", "random 3"]
    rows, told = measured("--items", "2")
    assert rows == ["occlusion 3", "random 3"]
    assert "Not kept: what was measured on 3 items before says more. Measure on as many: --items 3." in told
    assert measured("--items", "3")[0] == ["occlusion 3", "lime 3", "random 3"]
    assert measured("--items", "3", "--method", "occlusion")[0] == ["lime 3", "occlusion 3", "random 3"]
    assert measured("--items", "3", "--seed", "1")[0] == ["lime 3", "random 3"], "other items"
    assert measured("--items", "4")[0] == ["lime 4", "random 4"]


def test_items_whose_screenshots_are_lost_are_counted_out(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Workspace.open(workspace) as ws:
        ws.captures.path_of(ws.items.get("t0").capture or "").write_bytes(b"no image")
    assert run(["explain-eval", str(workspace), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["items"] == 1, "three of four share the screenshot"
    assert document["notes"][0].startswith("3 items of 4 were left out. The screenshot of item 't")
    assert run(["explain-eval", str(workspace), "--items", "4"]) == 0
    assert "1 item is too few to tell: give more --items." in capsys.readouterr().out


def test_a_table_that_cannot_be_kept_is_shown_all_the_same(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "fsync", refuse)
    assert run(["explain-eval", str(workspace)]) != 0
    told = capsys.readouterr()
    assert "comprehensiveness" in told.out
    assert "(Read-only file system). Free some space or make the folder writable" in told.err
