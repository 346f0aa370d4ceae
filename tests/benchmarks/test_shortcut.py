"""A model that is told of a planted shortcut loses it; the script measures that from end to end."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn


class FewFilters(nn.Module):
    """Two convolutions with batch statistics: enough to tell stripes that stand from stripes that lie."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5, stride=2, padding=2)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc: nn.Module = nn.Linear(16, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        seen = self.bn1(self.conv1(pixels)).relu()
        vectors: Tensor = self.fc(self.bn2(self.conv2(seen)).relu().mean(dim=(2, 3)))
        return vectors


@pytest.fixture
def shortcut(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script, with a tiny image backbone and the two rows that matter."""
    monkeypatch.setattr("torchvision.models.get_model", lambda name, weights=None: FewFilters())
    path = Path(__file__).with_name("shortcut.py")
    spec = importlib.util.spec_from_file_location("benchmark_shortcut", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    for row in set(module.ROWS) - {"not told", "told (the default)"}:
        monkeypatch.delitem(module.ROWS, row)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield module
    torch.set_num_threads(threads)


@pytest.mark.parametrize("modality", ["text", "image"])
def test_a_model_that_is_told_of_a_shortcut_loses_it(
    shortcut: ModuleType, modality: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcut, "TESTED", 80)
    out = tmp_path / "out.json"
    assert shortcut.main(["--items", "240", "--seeds", "1", "--only", modality, "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"][modality]
    (untold,), (told,) = rows["not told"], rows["told (the default)"]
    assert untold["along"] >= 0.9
    assert untold["against"] < 0.7, "nobody told it, so it trusts the badge and the word"
    assert told["against"] >= 0.85
    assert told["along"] >= 0.85, "and it has not merely turned the shortcut round"
