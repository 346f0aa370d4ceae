"""The ResNet's graph over bytes beside torchvision's over normalised floats."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from engine.models.bulk.resnet import AT_ONCE, Resnet
from engine.models.int8 import Calibration
from engine.models.proof import Ranges
from engine.models.spec import DEVIATION, MEAN
from engine.models.weights import Arrays

SIZE = 48


def network_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = models.get_model(name, weights=None).eval()
    network.fc = nn.Identity()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # as after training
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.7, 1.3)
                module.bias.normal_(0, 0.1)
    return network


def normalised(squares: np.ndarray) -> torch.Tensor:
    pixels = (squares / 255 - np.array(MEAN)) / np.array(DEVIATION)
    return torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2)


def calibrated(tensors: dict[str, torch.Tensor], pixels: torch.Tensor) -> Ranges:
    calibration = Calibration(tensors)
    calibration.see(pixels)
    return calibration.ranges


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_it_is_near_the_float_one(tmp_path: Path, name: str) -> None:
    network = network_of(name)
    squares = np.random.default_rng(0).integers(0, 256, (2 * AT_ONCE, SIZE, SIZE, 3), dtype=np.uint8)
    pixels = normalised(squares)
    tensors = network.state_dict()
    ranges = calibrated(tensors, pixels)
    save_file(tensors, tmp_path / "w")
    graph = Resnet(Arrays(tmp_path / "w"), ranges, size=SIZE, threads=1)
    with torch.inference_mode():
        expected = network(pixels[:AT_ONCE]).numpy()
    found = graph(list(squares[:AT_ONCE]))
    error = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() < 0.06
    assert np.array_equal(graph(list(squares[:1])), found[:1])  # a part that is not full


def test_ranges_of_another_network_are_told(tmp_path: Path) -> None:
    save_file(network_of("resnet18").state_dict(), tmp_path / "w")
    with pytest.raises(ValueError, match="do not belong"):
        Resnet(Arrays(tmp_path / "w"), ((0.0, 1.0),) * 3, size=SIZE, threads=1)


def test_what_the_last_block_gives_is_averaged_unrounded(tmp_path: Path) -> None:
    network = network_of("resnet18")
    squares = np.random.default_rng(0).integers(0, 256, (AT_ONCE, SIZE, SIZE, 3), dtype=np.uint8)
    ranges = calibrated(network.state_dict(), normalised(squares))
    save_file(network.state_dict(), tmp_path / "w")
    found = [
        Resnet(Arrays(tmp_path / "w"), (*ranges[:-1], last), size=SIZE, threads=1)(list(squares))
        for last in (ranges[-1], (0.0, 0.0))
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_threads_and_calls_before_do_not_change_an_answer(tmp_path: Path) -> None:
    network = network_of("resnet18")
    squares = np.random.default_rng(0).integers(0, 256, (4 * AT_ONCE, SIZE, SIZE, 3), dtype=np.uint8)
    ranges = calibrated(network.state_dict(), normalised(squares))
    save_file(network.state_dict(), tmp_path / "w")
    graph = Resnet(Arrays(tmp_path / "w"), ranges, size=SIZE, threads=2)
    parts = [list(squares[start : start + 1 + start % AT_ONCE]) for start in range(len(squares) - AT_ONCE)]
    alone = [graph(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(graph, parts), alone, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert all(np.array_equal(part[0], graph([square])[0]) for part, square in zip(alone, squares, strict=False))
