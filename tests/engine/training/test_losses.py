"""Losses against torch's own on the items that have an answer."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.models.spec import HeadSpec
from engine.training.losses import TaskLosses, class_weights

SINGLE = HeadSpec(task="verdict", labels=("a", "b", "c"))
MULTI = HeadSpec(task="why.so", labels=("x", "y"), multi=True)
NAN = float("nan")


@pytest.fixture
def logits() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"verdict": torch.randn(4, 3, requires_grad=True), "why.so": torch.randn(4, 2, requires_grad=True)}


@pytest.fixture
def targets() -> dict[str, torch.Tensor]:
    return {
        "verdict": torch.tensor([[1.0, 0, 0], [0, 0, 1], [NAN] * 3, [0, 1, 0]]),
        "why.so": torch.tensor([[NAN, NAN], [1.0, 1.0], [0.0, 0.0], [NAN, NAN]]),
    }


def test_items_without_an_answer_add_nothing(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> None:
    loss = TaskLosses([SINGLE, MULTI])(logits, targets)
    single = functional.cross_entropy(logits["verdict"][[0, 1, 3]], torch.tensor([0, 2, 1]), reduction="sum")
    multi = functional.binary_cross_entropy_with_logits(
        logits["why.so"][1:3], torch.tensor([[1.0, 1], [0, 0]]), reduction="none"
    )
    assert torch.allclose(loss, single + multi.mean(dim=1).sum())
    loss.backward()
    gradient = logits["verdict"].grad
    assert gradient is not None
    assert torch.equal(gradient[2], torch.zeros(3))


def test_parts_of_a_batch_add_up(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> None:
    losses = TaskLosses([SINGLE, MULTI], label_smoothing=0.1, weights={"why.so": torch.tensor([2.0, 0.5])})
    parts = [
        losses({k: v[rows] for k, v in logits.items()}, {k: v[rows] for k, v in targets.items()})
        for rows in (slice(0, 1), slice(1, 4))
    ]
    assert torch.allclose(losses(logits, targets), parts[0] + parts[1])


def test_a_batch_without_any_answer_still_has_a_gradient(logits: dict[str, torch.Tensor]) -> None:
    empty = {"verdict": torch.full((4, 3), NAN), "why.so": torch.full((4, 2), NAN)}
    loss = TaskLosses([SINGLE, MULTI])(logits, empty)
    assert loss.item() == 0.0
    loss.backward()


def test_weights_raise_rare_labels_and_keep_the_mean() -> None:
    target = torch.nn.functional.one_hot(torch.tensor([0] * 16 + [1] * 4 + [0] * 0), 3).float()
    weights = class_weights([SINGLE], {"verdict": target})["verdict"]
    assert weights[1] / weights[0] == pytest.approx(2.0)  # the root of 16 / 4
    assert (weights[0] * 16 + weights[1] * 4) / 20 == pytest.approx(1.0)
    assert weights[2] == 1.0


def test_multi_label_weights_are_bounded() -> None:
    target = torch.zeros(1000, 2)
    target[0, 0] = 1
    target[:500, 1] = 1
    weights = class_weights([MULTI], {"why.so": target})["why.so"]
    assert weights.tolist() == [10.0, 1.0]
