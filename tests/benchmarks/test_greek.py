"""The Greek script runs from end to end on made-up tweets, goes on from what is there, and computes its p-values."""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy import stats

from engine.training.experiment import baselines


@pytest.fixture
def greek(monkeypatch: pytest.MonkeyPatch, same_priority: None) -> Iterator[ModuleType]:
    """The script, with few settings for its peers to choose among."""
    monkeypatch.setattr(baselines, "_GRID", {baselines.SVM: (0.3,), baselines.LOGISTIC: (3.0,)})
    path = Path(__file__).with_name("greek.py")
    spec = importlib.util.spec_from_file_location("benchmark_greek", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    for name, size in (("vocabulary", 400), ("width", 16)):
        monkeypatch.setitem(module.PRETRAINING, name, size)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def _tweets(data: Path) -> None:
    words = ("καλή μέρα σε όλους", "τι κακός καιρός", "πάμε θάλασσα αύριο", "δεν μου αρέσει η βροχή")
    rows = [f"{n}\t@USER {words[n % 4]} {n} 😀\t{'OFF' if n % 4 in {1, 3} else 'NOT'}" for n in range(72)]
    file = data / "ogtd_greek" / "offenseval-gr-training-v1.tsv"
    file.parent.mkdir(parents=True)
    file.write_text("id\ttweet\tsubtask_a\n" + "\n".join(rows) + "\n", encoding="utf-8")


def test_all_rows_on_the_same_folds_and_nothing_is_measured_twice(
    greek: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _tweets(tmp_path)
    places = ("--work", str(tmp_path / "work"), "--out", str(tmp_path / "greek.json"))
    arguments = ["--data", str(tmp_path), "--folds", "2", "--pretrain-epochs", "1", "--epochs", "1", "--threads", "1"]
    assert greek.main([*arguments, *places]) == 0
    shown = capsys.readouterr()
    rows = (
        "majority",
        "TF-IDF + SVM",
        "TF-IDF + logistic regression",
        "same encoder, not pretrained",
        "pretrained here",
    )
    assert all(row in shown.out for row in rows)
    assert shown.err.count("macro-F1") == 10
    document = json.loads((tmp_path / "greek.json").read_text())
    found = {row["name"]: row["macro_f1s"] for row in document["table"]["blocks"][0]["rows"]}
    assert list(found) == list(rows)
    assert all(cells.keys() == {"1-of-2/0", "2-of-2/0"} for cells in found.values())
    train = {card["texts"]["read"] for card in document["pretraining"]}
    assert max(train) < 72, "an encoder read texts of the fold that it is measured on"
    gaps = [found["pretrained here"][fold] - found["majority"][fold] for fold in found["majority"]]
    (paired,) = (one for one in document["paired"] if one["peer"] == "majority")
    assert paired["mean"] == pytest.approx(statistics.mean(gaps))
    assert greek.main([*arguments, *places]) == 0
    again = capsys.readouterr()
    assert again.err == ""
    assert again.out.split("This run took")[0] == shown.out.split("This run took")[0]


def test_p_values_are_the_corrected_resampled_t_test(greek: ModuleType) -> None:
    """For k folds the t statistic shrinks by the root of (1/k) / (1/k + 1/(k-1)) beside the plain paired test."""
    gaps = [0.01, 0.03, -0.005, 0.02, 0.015]
    plain = stats.ttest_1samp(gaps, 0.0)
    shrunk = plain.statistic * np.sqrt((1 / 5) / (1 / 5 + 1 / 4))
    assert greek._p_value(gaps, statistics.stdev(gaps)) == pytest.approx(2 * stats.t.sf(shrunk, 4))
    assert greek._p_value([0.0, 0.0], 0.0) == 1.0


def test_without_the_data_it_says_so(greek: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert greek.main(["--data", str(tmp_path)]) == 2
    assert "Give --data FOLDER" in capsys.readouterr().err
