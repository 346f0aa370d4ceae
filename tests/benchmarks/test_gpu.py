"""The benchmark for a GPU runs everywhere with a few items, so that it cannot rot unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.benchmarks import gpu, report


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.device.os.sched_getaffinity", lambda _: {0})


def test_without_a_gpu_it_says_so_and_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main(["--out", str(tmp_path / "made" / "gpu.json")])
    assert "not measured: no GPU" in capsys.readouterr().out
    assert json.loads((tmp_path / "made" / "gpu.json").read_bytes()) == {"measured": False, "why": "no GPU"}


def test_the_same_code_runs_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--small", "--out", str(tmp_path / "gpu.json")])
    found = json.loads((tmp_path / "gpu.json").read_bytes())
    assert found["measured"]
    assert found["small"]
    for key in ("cached_seconds", "files_seconds", "training_seconds", "operations_per_item", "operations_per_step"):
        assert found[key] > 0
    for key in ("cached_share_of_peak", "files_share_of_peak", "training_share_of_peak"):
        assert found[key] > 0
    assert "20 items scored from PNG files" in capsys.readouterr().out


def test_the_report_reads_what_it_writes(tmp_path: Path) -> None:
    gpu.main(["--small", "--out", str(tmp_path / "gpu.json")])
    text = "\n".join(report.gpu(json.loads((tmp_path / "gpu.json").read_bytes())))
    assert "20 items from cached pixels" in text
    assert "Not measured: no GPU." in "\n".join(report.gpu({"measured": False, "why": "no GPU"}))
