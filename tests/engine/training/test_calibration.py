"""Temperatures against a fine grid and known cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.training.calibration import fit_temperature, negative_log_likelihood


def sample(n: int, scale: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `scale` times too sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, 3)) * 1.5
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([random.multinomial(1, row) for row in chances], dtype=float)
    return logits * scale, truth


def test_likelihoods_are_those_of_torch() -> None:
    logits, truth = sample(20, 2.0, 0)
    tensor, target = torch.tensor(logits) / 1.7, torch.tensor(truth)
    single = functional.cross_entropy(tensor, target.argmax(dim=1), reduction="sum")
    multi = functional.binary_cross_entropy_with_logits(tensor, target, reduction="sum") / 3
    assert negative_log_likelihood(logits, truth, 1.7, multi=False) == pytest.approx(float(single))
    assert negative_log_likelihood(logits, truth, 1.7, multi=True) == pytest.approx(float(multi))


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_overconfidence(scale: float) -> None:
    logits, truth = sample(20_000, scale, 1)
    assert fit_temperature(logits, truth, multi=False) == pytest.approx(scale, rel=0.05)


def test_a_fine_grid_finds_nothing_better() -> None:
    logits, truth = sample(2_000, 2.0, 2)
    found = fit_temperature(logits, truth, multi=True)
    grid = np.geomspace(0.1, 10, 2_000)
    costs = [negative_log_likelihood(logits, truth, t, multi=True) + 0.5 * np.log(t) ** 2 for t in grid]
    assert found == pytest.approx(grid[int(np.argmin(costs))], rel=0.01)


def test_a_few_items_all_right_do_not_ask_for_certainty() -> None:
    logits = np.array([[4.0, 0.0], [0.0, 4.0]] * 4)
    truth = np.array([[1.0, 0.0], [0.0, 1.0]] * 4)
    assert 0.5 < fit_temperature(logits, truth, multi=False) < 1.0


def test_no_items_leave_probabilities_as_they_are() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros((0, 3)), multi=False) == 1.0
