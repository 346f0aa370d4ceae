"""The table scripts run from end to end on made-up data in the layout of the real one."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from torch import nn

from engine.training.experiment import baselines

TINY = [
    "text.backbone=cnn",
    "text.vocabulary=400",
    "text.width=16",
    "text.filters=16",
    "fusion.hidden=[16]",
    "training.epochs=1",
    "training.threads=1",
]
SETTINGS = [part for setting in TINY for part in ("--set", setting)]


@pytest.fixture(autouse=True)
def lighter(monkeypatch: pytest.MonkeyPatch, same_priority: None) -> None:
    """Peers choose among few settings."""
    monkeypatch.setattr(baselines, "_GRID", {baselines.SVM: (0.3,), baselines.LOGISTIC: (3.0,)})


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def tweets(path: Path, labels: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "text": f"word{number % len(labels)} on day {number}",
            "label": labels[number % len(labels)],
            "split": "val" if number % 12 > 7 else "train",
        }
        for number in range(36)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_the_text_table_has_means_distances_and_published_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tweets(tmp_path / "data" / "tweeteval" / "hate.jsonl", ("hate", "not-hate"))
    tweets(tmp_path / "data" / "tweeteval" / "stance.jsonl", ("against", "favor", "none"))
    text_table = script("text_table")
    call = ["--data", str(tmp_path / "data"), "--sets", "hate,stance", *SETTINGS]
    call += ["--records", str(tmp_path / "records"), "--out", str(tmp_path / "out.json")]
    assert text_table.main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    document = json.loads((tmp_path / "out.json").read_text("utf-8"))
    scores = {
        name: {row["name"]: row["macro_f1"]["mean"] for row in one["blocks"][0]["rows"]}
        for name, one in document["tables"].items()
    }
    gap = [100 * (scores[name]["default"] - scores[name][baselines.SVM]) for name in ("hate", "stance")]
    distance = next(line for line in lines if line.startswith("default less SVM"))
    assert distance.split()[3:] == [f"{gap[0]:+.1f}", f"{gap[1]:+.1f}", f"{sum(gap) / 2:+.1f}", "points"]
    stance = document["tables"]["stance"]["blocks"][0]["rows"][0]["per_class"]
    published = document["published"]["stance"]
    assert published["metric"] == "mean F1 of favor and against"
    mean = (stance["favor"]["mean"] + stance["against"]["mean"]) / 2
    assert published["scores"][baselines.MAJORITY] == pytest.approx(mean)


def test_data_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script("text_table").main(["--data", str(tmp_path), "--sets", "hate"]) == 2
    assert script("grocery").main(["--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("Not measured: ") == 2


class TinyImages(nn.Sequential):
    """Where a ResNet is expected; its last layer is replaced as a ResNet's is."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__(nn.Conv2d(3, 8, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc: nn.Module = nn.Linear(8, 8)


def test_the_grocery_table_compares_fusion_with_the_better_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.models.get_model", TinyImages)
    folder = tmp_path / "data" / "grocery_store"
    folder.mkdir(parents=True)
    rows = []
    for number in range(32):
        name, colour = ("Apple", "red") if number % 2 else ("Plum", "blue")
        Image.new("RGB", (40, 40), colour).save(folder / f"{number}.jpg")
        words = "a round apple of the north" if number % 2 else "a small plum of the south"
        split = "val" if number % 8 > 5 else "train"
        rows.append({"file_name": f"{number}.jpg", "title": name, "description": words, "coarse": name, "split": split})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    call = ["--data", str(tmp_path / "data"), "--texts", "masked", "--epochs", "1", "--size", "32", *SETTINGS]
    call += ["--records", str(tmp_path / "records"), "--out", str(tmp_path / "out.json")]
    assert script("grocery").main(call) == 0
    document = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert [row["name"] for row in document["tables"]["none"]["blocks"][0]["rows"]][-1] == "image alone"
    sentence = document["verdicts"]["masked"]
    assert sentence in capsys.readouterr().out
    for name in ("fusion, early", "fusion, late"):
        row = next(one for one in document["tables"]["masked"]["blocks"][0]["rows"] if one["name"] == name)
        assert f"{name} {row['macro_f1']['mean']:.3f} is" in sentence


def test_masked_words_name_no_class_and_scraps_are_the_same_each_time(tmp_path: Path) -> None:
    grocery = script("grocery")
    rows = [
        {
            "file_name": f"{number}.png",
            "title": "Red Apple",
            "description": "The apple, a red fruit from trees",
            "c": name,
        }
        for number, name in enumerate(("Red-Apple", "Plum"))
    ]
    for number in range(2):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = grocery.load_items(tmp_path)
    masked = grocery.with_text(source, "masked").items[0].content
    assert (masked.title, masked.text) == ("", "The a fruit from trees")
    scraps = [item.content.text.split() for item in grocery.with_text(source, "scraps").items]
    assert all(len(words) == grocery.SCRAPS and set(words) <= set(masked.text.split()) for words in scraps)
    assert grocery.with_text(source, "scraps").fingerprint == grocery.with_text(source, "scraps").fingerprint
    assert grocery.with_text(source, "title").items == source.items
