"""`secondlook explain`, with a model whose evidence is known."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.cli.explain import _text
from engine.cli.main import run
from engine.explain.methods import METHODS
from engine.models.predictor import Predictor
from engine.taxonomy import preset
from engine.types import Explanation, Item, Segment, TokenWeight, Verdict
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, page: str, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "w.secondlook"
    item = Item(id="t1", kind="tweet", text="Καλημέρα glorp went home", width=300, height=240)
    short = Item(id="short", kind="tweet", text="Καλημέρα glorp", width=300, height=240)
    alone = Item(id="alone", kind="tweet", text="Καλημέρα glorp")
    with Workspace.create(folder, preset("tweets")) as ws:
        ws.items.add([(item, Path(page).read_bytes()), (short, Path(page).read_bytes()), (alone, None)])
        (folder / "models" / "fake").mkdir()
        ws.models.register(fake.card, folder / "models" / "fake")
        ws.models.promote("fake", "the first")
    fake.predict = lambda contents, cancelled: [
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


def test_the_document_says_how_sure_it_is(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = explained(capsys, workspace, "t1")
    assert document["method"] == "lime"
    assert document["samples"] > 0
    assert document["reliability"].keys() == document["modality_share"].keys() == {"image", "text"}
    assert sum(document["modality_share"].values()) == pytest.approx(1)
    assert document["region_share"] == {}
    assert all(one["error"] >= 0 for one in (*document["tokens"], *document["segments"]))
    assert explained(capsys, workspace, "short")["reliability"].keys() == {"image"}  # two words agree by 1 or by -1
    assert explained(capsys, workspace, "alone")["reliability"] == {"text": 1.0}  # nothing is left to chance
    exact = explained(capsys, workspace, "t1", "--method", "occlusion")
    assert exact["method"] == "occlusion"
    assert {one["error"] for one in (*exact["tokens"], *exact["segments"])} == {None}


def test_the_desks_explanation_is_kept_and_no_other(
    workspace: Path, fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    other = explained(capsys, workspace, "t1", "--label", "toxic", "--seed", 3)
    assert other["seed"] == 3
    explained(capsys, workspace, "t1", "--label", "toxic", "--method", "occlusion")
    fewer = explained(capsys, workspace, "t1", "--label", "toxic", "--samples", 16)
    assert fewer["samples"] <= 32
    with Workspace.open(workspace) as ws:
        assert ws.explanations.get("t1", "toxicity", "toxic", "fake") is None
    first = explained(capsys, workspace, "t1", "--label", "toxic")
    assert (first["seed"], first["method"]) == (0, "lime")
    asked = fake.images
    explained(capsys, workspace, "t1", "--label", "toxic", "--method", "occlusion")
    asked_again = fake.images
    assert asked_again > asked
    assert explained(capsys, workspace, "t1", "--label", "toxic") == first
    assert fake.images == asked_again
    with Workspace.open(workspace) as ws:
        stored = ws.explanations.get("t1", "toxicity", "toxic", "fake")
    assert stored is not None
    assert stored.method == "lime"


def test_a_workspace_that_cannot_be_written_is_explained_all_the_same(
    workspace: Path, fake: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = explained(capsys, workspace, "t1", "--label", "toxic")
    asked = fake.images
    monkeypatch.setattr("engine.workspace.database.os.access", lambda _path, mode: mode != os.W_OK)
    assert explained(capsys, workspace, "t1", "--label", "toxic") == kept
    assert fake.images == asked
    assert explained(capsys, workspace, "t1", "--label", "toxic", "--seed", 3)["seed"] == 3
    assert run(["explain", str(workspace), "short", "--label", "toxic"]) == 0
    told = capsys.readouterr()
    assert "glorp" in told.out
    assert "This explanation was not kept in the workspace. The folder" in told.err
    assert "is read-only. Make it writable" in told.err


def test_a_kept_explanation_is_not_shown_over_another_picture(
    workspace: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    explained(capsys, workspace, "t1", "--label", "toxic")
    with Workspace.open(workspace) as ws:
        file = ws.captures.path_of(ws.items.get("t1").capture or "")
    Image.new("RGB", (300, 240), "blue").save(file)
    for more in ([], ["--png", str(tmp_path / "why.png")], ["--method", "occlusion"]):
        assert run(["explain", str(workspace), "t1", "--label", "toxic", *more]) == 2
        assert "its file is not the one that was imported. Import the item again." in capsys.readouterr().err
    assert not (tmp_path / "why.png").exists()


def test_a_verdict_that_was_made_of_something_else_is_told(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = {"item": "t1", "task": "toxicity", "model": "fake", "label": "toxic", "labels": ("toxic",)}
    explanation = explained(capsys, workspace, "t1", "--label", "toxic")

    def said(probability: float) -> str:
        chances = {"toxic": probability, "non-toxic": 1 - probability}
        with Workspace.open(workspace) as ws:
            ws.verdicts.put([Verdict(**verdict, probability=probability, probabilities=chances)])  # type: ignore[arg-type]
        assert run(["explain", str(workspace), "t1"]) == 0
        return capsys.readouterr().err

    assert "the kept verdict says 60%: it was made of something else" in said(0.6)
    assert "kept verdict" not in said(explanation["probability"] + 0.01)


def test_the_text_says_what_is_clear_and_what_it_rests_on(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", str(workspace), "t1"]) == 0
    out = capsys.readouterr().out
    assert "(model fake; LIME, " in out
    assert "This explanation is reliable: two independent halves" in out
    assert "Looks at words " in out
    assert "glorp" in out
    assert "±" in out
    assert run(["explain", str(workspace), "t1", "--method", "occlusion"]) == 0
    exact = capsys.readouterr().out
    assert "Occlusion, " in exact
    assert "±" not in exact


def test_words_that_may_be_nothing_are_counted_and_not_shown() -> None:
    words = [("glorp", 0.4, 0.05), ("home", 0.03, 0.02), ("went", 0.0, 0.0), ("the", -0.01, 0.02)]
    tokens = tuple(
        TokenWeight(field="text", start=0, end=1, text=text, weight=weight, error=error)
        for text, weight, error in words
    )
    text = _text(Explanation(item="i", task="t", label="l", model="m", probability=0.5, tokens=tokens), None)
    assert "glorp  +0.400 ± 0.050\n2 more words cannot be told from nothing." in text
    assert "home" not in text


def test_words_that_were_weighed_together_are_one_row() -> None:
    """Ten rows with the same weight would be one group of neighbours, ten times."""
    text = [f"word{number}" for number in range(48)]
    tokens = tuple(
        TokenWeight(field="text", start=0, end=1, text=word, weight=weight, error=0.01, group=group)
        for group, weight in enumerate((0.4, 0.2, 0.001))
        for word in text[16 * group : 16 * group + 16]
    )
    told = _text(Explanation(item="i", task="t", label="l", model="m", probability=0.5, tokens=tokens), None)
    first, second = (" ".join(text[16 * group : 16 * group + 16]) for group in (0, 1))
    assert f"{first[:59]}…  +0.400 ± 0.010\n{second[:59]}…  +0.200 ± 0.010\n" in told
    assert "1 more group of words cannot be told from nothing." in told


def segment(number: int, weight: float) -> Segment:
    return Segment(id=number, weight=weight, box=(0, 0, 1, 1), area=1, error=0.001)


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [
        (0.3, "1 part of the screenshot weighs something, +0.300 ± 0.001 at most; see them with --png."),
        (0.02, "1 part of the screenshot weighs something, +0.020 ± 0.001 at most, faint beside the words; see them"),
    ],
)
def test_parts_of_the_screenshot_are_counted_with_the_strongest(weight: float, sentence: str) -> None:
    token = TokenWeight(field="text", start=0, end=1, text="glorp", weight=0.4, error=0.05)
    segments = segment(0, weight), segment(1, 0.001)
    found = Explanation(item="i", task="t", label="l", model="m", probability=0.5, tokens=(token,), segments=segments)
    assert sentence in _text(found, None)


def test_no_word_that_can_be_told_from_nothing_has_no_more_words_beside_it() -> None:
    token = TokenWeight(field="text", start=0, end=1, text="home", weight=0.01, error=0.05)
    text = _text(Explanation(item="i", task="t", label="l", model="m", probability=0.5, tokens=(token,)), None)
    assert "\n1 word cannot be told from nothing." in text


def test_every_method_is_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--help"]) == 0
    shown = capsys.readouterr().out
    for method in METHODS:
        assert re.search(rf"\b{method}\b", shown)


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
        (["t1", "--method", "gradcan"], "Did you mean 'gradcam'?"),
        (["t1", "--method", "occlusion", "--samples", "9"], "'occlusion' takes no samples"),
        (["t1", "--method", "ig", "--samples", "2"], "at least 3 samples"),
    ],
)
def test_mistakes_are_named_with_a_way_out(
    workspace: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert run(["explain", str(workspace), *options]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("agree", "samples", "method", "told"),
    [
        (0.3, 400, "lime", True),
        (0.8, 400, "lime", False),
        (0.3, 5_000, "lime", False),
        (0.3, 400, "occlusion", False),
    ],
)
def test_shaky_words_say_how_to_make_them_surer(agree: float, samples: int, method: str, *, told: bool) -> None:
    explanation = Explanation(
        item="i",
        task="t",
        label="l",
        model="m",
        probability=0.5,
        method=method,
        samples=samples,
        reliability={"text": agree},
        tokens=(TokenWeight(field="text", start=0, end=2, text="on", weight=0.2, error=0.05),),
    )
    assert ("More samples make it surer: --samples 5000." in _text(explanation, None)) is told
