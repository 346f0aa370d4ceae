"""The benchmark of people's rationales, end to end on made-up posts whose telling word everybody marks."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

TINY = [
    "text.backbone=cnn",
    "text.vocabulary=400",
    "text.width=16",
    "text.filters=16",
    "training.epochs=8",
    "training.batch_size=16",
    "training.learning_rate=1e-2",
    "training.threads=1",
]
TELLING = {"hatespeech": "gloomp", "offensive": "brissle", "normal": "meadow"}
OTHERS = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter")


@pytest.fixture
def script(same_priority: None) -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_rationales", Path(__file__).with_name("rationales.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def post(number: int, random: np.random.Generator) -> dict[str, Any]:
    """Seven tokens, one of which tells the label; two of three annotators agree on it and mark that token."""
    label = list(TELLING)[number % 3]
    tokens = [*random.choice(OTHERS, 6), TELLING[label]]
    random.shuffle(tokens)
    marks = [int(token == TELLING[label]) for token in tokens]
    return {
        "id": f"post-{number}",
        "tokens": tokens,
        "labels": [label, label, "normal"],
        "rationales": [] if label == "normal" else [marks, marks],
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "hatexplain"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    held_out = [post(number, random) for number in range(24)]
    train = [post(number, random) for number in range(24, 144)]
    rows = [{"text": " ".join(row["tokens"]), "label": row["labels"][0]} for row in train]
    for name, lines in (("val", held_out), ("train", rows)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder.parent


def arguments(data: Path, out: Path) -> list[str]:
    settings = [part for setting in TINY for part in ("--set", setting)]
    return ["--data", str(data), "--work", str(data / "work"), "--methods", "occlusion", "--out", str(out), *settings]


def test_a_telling_word_that_everybody_marks_is_found_and_measured(script: ModuleType, data: Path) -> None:
    out = data / "out.json"
    assert script.main(arguments(data, out)) == 0
    first = json.loads(out.read_text())
    rows = first["tables"][0]["rows"]
    chosen = next(row for name, row in rows.items() if name.startswith("chosen: occlusion"))
    chance = rows["random, top 5"]
    assert first["posts"]["choose"] + first["posts"]["report"] == 16
    assert chosen["auprc"] > 0.7 > chance["auprc"]
    assert chosen["comprehensiveness"] > 0.2
    assert rows["one annotator, the others"]["token_f1"] == 1.0
    assert rows["published: BiAtt-BiRNN, LIME"]["token_f1"] == 0.41

    (weights,) = (data / "work" / "weights").iterdir()
    file = weights / "occlusion-predicted.jsonl"
    complete = file.read_bytes()
    file.write_bytes(complete[: len(complete) // 2])
    models = sorted(path for path in (data / "work").glob("text-*/model/*") if path.is_file())
    before = [path.stat().st_mtime_ns for path in models]
    assert script.main(arguments(data, out)) == 0
    again = json.loads(out.read_text())["tables"]
    assert [table["chosen"] for table in again] == [table["chosen"] for table in first["tables"]]
    for table, other in zip(again, first["tables"], strict=True):
        assert all(table["rows"][name] == pytest.approx(row, abs=1e-5) for name, row in other["rows"].items())
    assert [path.stat().st_mtime_ns for path in models] == before
    known = [script._read(line) for line in file.read_bytes().splitlines()]
    assert len({one.id for one in known if one is not None}) == 16


def test_without_the_data_it_says_so(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--data", str(tmp_path)]) == 2
    assert "Not measured" in capsys.readouterr().err


def test_sizes_are_numbers_or_shares_and_weights_spread_to_neighbours(script: ModuleType) -> None:
    one = script.Post("a", tuple("abcdefghij"), ("offensive",) * 3, ((1, 1, 0) + (0,) * 7, (1, 0, 0) + (0,) * 7))
    assert [script.tokens_of(size, one) for size in ("3", "30%", "1%", "50")] == [3, 3, 1, 10]
    assert one.truth("union").sum() == 2
    assert one.truth("majority").sum() == 1
    weighed = script.Weighed("a", ((1.0, 0.5), (), (0.0,), (2.0,)))
    assert script.Setting("m", "l", "sum", 0.0, "3").scores(weighed).tolist() == [1.5, 0.0, 0.0, 2.0]
    assert script.Setting("m", "l", "max", 0.5, "3").scores(weighed).tolist() == [1.0, 0.5, 1.0, 2.0]
