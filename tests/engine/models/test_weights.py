"""Tensors straight from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ModelUnavailableError
from engine.models.weights import Weights


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "w.safetensors"
    save_file({"text.a": torch.arange(6.0).view(2, 3), "text.b": torch.tensor(3), "image.a": torch.ones(1)}, path)
    return path


def test_a_prefix_chooses_and_is_left_out(file: Path) -> None:
    weights = Weights(file, "text.")
    assert sorted(weights) == ["a", "b"]
    assert len(weights) == 2
    assert "a" in weights
    assert "text.a" not in weights
    torch.testing.assert_close(weights["a"], torch.arange(6.0).view(2, 3))
    assert weights["b"].dtype == torch.int64
    with pytest.raises(KeyError):
        weights["image.a"]


def test_a_tensor_outlives_its_file(file: Path) -> None:
    tensor = Weights(file)["image.a"]
    file.write_bytes(b"\0" * file.stat().st_size)
    assert tensor.item() == 1
    tensor += 1
    assert tensor.item() == 2


def test_damage_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="cannot be read"):
        Weights(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not tensors")
    with pytest.raises(ModelUnavailableError, match="damaged"):
        Weights(broken)
