"""Losses against torch's own on the items that have an answer."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from engine.models.spec import HeadSpec
from engine.training.losses import TaskLosses, balanced_weights, class_weights, losses_for
from engine.training.recipe import TrainingRecipe

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


def test_focal_loss_is_the_papers_formula(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> None:
    """Lin et al. 2017, equation 4: the sum of -(1 - p)^gamma log p over what is true, written out."""
    expected = 0.0
    for row, label in ((0, 0), (1, 2), (3, 1)):
        odds = [math.exp(value) for value in logits["verdict"][row].tolist()]
        p = odds[label] / sum(odds)
        expected += -((1 - p) ** 1.5) * math.log(p)
    for row, truth in ((1, (1, 1)), (2, (0, 0))):
        for value, has in zip(logits["why.so"][row].tolist(), truth, strict=True):
            p = 1 / (1 + math.exp(-value if has else value))
            expected += -((1 - p) ** 1.5) * math.log(p) / 2
    loss = TaskLosses([SINGLE, MULTI], kind="focal", gamma=1.5)(logits, targets)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_sigmoid_a_label_is_cui_and_others_formula(
    logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    """Cui et al. 2019, section 4.3: the weight of the true class times the sum over all classes."""
    weights = {"verdict": torch.tensor([0.5, 2.0, 3.0])}
    expected = 0.0
    for row, label in ((0, 0), (1, 2), (3, 1)):
        for place, value in enumerate(logits["verdict"][row].tolist()):
            p = 1 / (1 + math.exp(-value if place == label else value))
            expected += -weights["verdict"][label].item() * (1 - p) ** 2 * math.log(p)
    loss = TaskLosses([SINGLE], weights=weights, kind="focal-sigmoid", gamma=2.0)(logits, targets)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_focal_with_gamma_zero_is_cross_entropy(
    logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    plain = TaskLosses([SINGLE, MULTI], label_smoothing=0.1)(logits, targets)
    assert torch.allclose(
        plain, TaskLosses([SINGLE, MULTI], label_smoothing=0.1, kind="focal", gamma=0)(logits, targets)
    )


def test_weights_and_smoothing_are_those_of_torch(
    logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    weight = torch.tensor([0.5, 2.0, 3.0])
    expected = functional.cross_entropy(
        logits["verdict"][[0, 1, 3]], torch.tensor([0, 2, 1]), weight=weight, label_smoothing=0.2, reduction="sum"
    )
    found = TaskLosses([SINGLE], label_smoothing=0.2, weights={"verdict": weight})(logits, targets)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("kind", ["focal", "focal-sigmoid"])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_an_item_that_is_answered_with_certainty_has_a_finite_slope(kind: str, gamma: float) -> None:
    sure = {"verdict": torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)}
    loss = TaskLosses([SINGLE], kind=kind, gamma=gamma)(sure, {"verdict": torch.tensor([[1.0, 0, 0]])})
    loss.backward()
    assert sure["verdict"].grad is not None
    assert sure["verdict"].grad.isfinite().all()


@pytest.mark.parametrize("beta", [0.5, 0.99, 0.9999])
def test_class_balanced_weights_are_the_inverse_effective_number(beta: float) -> None:
    """Cui et al. 2019: E(n) is 1 + beta + … + beta^(n - 1), here added up; the weights sum to the number of classes."""
    target = functional.one_hot(torch.tensor([0] * 40 + [1] * 8 + [2] * 2), 3).float()
    effective = [sum(beta**power for power in range(count)) for count in (40, 8, 2)]
    inverse = [1 / number for number in effective]
    expected = [3 * one / sum(inverse) for one in inverse]
    found = balanced_weights([SINGLE], {"verdict": target}, beta)["verdict"]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_class_balanced_weights_leave_out_labels_without_a_case() -> None:
    target = functional.one_hot(torch.tensor([0] * 6 + [2] * 3), 3).float()
    found = balanced_weights([SINGLE], {"verdict": target}, 0.9)["verdict"]
    assert found[1] == 1.0
    assert found[0] + found[2] == pytest.approx(2.0)


def test_a_multi_label_task_balances_having_and_lacking_each_label() -> None:
    target = torch.zeros(50, 2)
    target[:4, 0] = 1
    target[:25, 1] = 1
    absent, present = balanced_weights([MULTI], {"why.so": target}, 0.99)["why.so"]
    effective = [sum(0.99**power for power in range(count)) for count in (46, 4)]
    assert (present[0] / absent[0]).item() == pytest.approx(effective[0] / effective[1], rel=1e-5)
    assert (present + absent).tolist() == pytest.approx([2.0, 2.0])
    assert present[1].item() == pytest.approx(1.0)
    logits = torch.tensor([[0.3, -0.2]])
    loss = TaskLosses([MULTI], weights={"why.so": torch.stack([absent, present])})(
        {"why.so": logits}, {"why.so": torch.tensor([[1.0, 0.0]])}
    )
    expected = (present[0] * math.log1p(math.exp(-0.3)) + absent[1] * math.log1p(math.exp(-0.2))) / 2
    assert loss.item() == pytest.approx(float(expected), rel=1e-5)


def test_tasks_are_weighed(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> None:
    alone = [TaskLosses([head])(logits, targets) for head in (SINGLE, MULTI)]
    weighed = TaskLosses([SINGLE, MULTI], task_weights={"why.so": 0.25})(logits, targets)
    assert torch.allclose(weighed, alone[0] + 0.25 * alone[1])


def test_a_recipe_chooses_its_losses(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> None:
    skewed = {"verdict": functional.one_hot(torch.tensor([0] * 9 + [1, 2]), 3).float(), "why.so": torch.zeros(11, 2)}
    settings = TrainingRecipe(loss="focal", focal_gamma=1.0, class_balance_beta=0.9)
    found = losses_for(settings, [SINGLE, MULTI], skewed, {"verdict": 2.0})(logits, targets)
    weights = balanced_weights([SINGLE, MULTI], skewed, 0.9)
    by_hand = TaskLosses([SINGLE, MULTI], weights=weights, kind="focal", gamma=1.0, task_weights={"verdict": 2.0})
    assert torch.equal(found, by_hand(logits, targets))
    assert not torch.allclose(found, losses_for(TrainingRecipe(), [SINGLE, MULTI], skewed, {})(logits, targets))


def test_soft_targets_cost_the_cross_entropy_of_the_shares(logits: dict[str, torch.Tensor]) -> None:
    shares = {
        "verdict": torch.tensor([[0.5, 0.25, 0.25], [0, 0.9, 0.1], [NAN] * 3, [1, 0, 0]]),
        "why.so": torch.tensor([[NAN, NAN], [0.3, 1.0], [0.0, 0.75], [NAN, NAN]]),
    }
    single = functional.cross_entropy(logits["verdict"][[0, 1, 3]], shares["verdict"][[0, 1, 3]], reduction="sum")
    multi = functional.binary_cross_entropy_with_logits(logits["why.so"][1:3], shares["why.so"][1:3], reduction="none")
    assert torch.allclose(TaskLosses([SINGLE, MULTI])(logits, shares), single + multi.mean(dim=1).sum())


def test_smoothing_moves_truth_to_all_answers_evenly(
    logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    smooth = {
        "verdict": 0.8 * targets["verdict"] + 0.2 / 3,
        "why.so": 0.8 * targets["why.so"] + 0.2 / 2,
    }
    given = TaskLosses([SINGLE, MULTI], label_smoothing=0.2)(logits, targets)
    assert torch.allclose(given, TaskLosses([SINGLE, MULTI])(logits, smooth))
    reference = functional.cross_entropy(
        logits["verdict"][[0, 1, 3]], torch.tensor([0, 2, 1]), label_smoothing=0.2, reduction="sum"
    )
    one = TaskLosses([SINGLE], label_smoothing=0.2)(logits, targets)
    assert torch.allclose(one, reference)


@pytest.mark.parametrize("kind", ["cross-entropy", "focal", "focal-sigmoid"])
def test_an_item_that_counts_twice_costs_twice(
    kind: str, logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    losses = TaskLosses([SINGLE, MULTI], kind=kind, weights={"verdict": torch.tensor([1.0, 2.0, 3.0])})
    counts = torch.tensor([2.0, 1.0, 5.0, 0.0])
    rows = [0, 0, 1, *([2] * 5)]
    repeated = losses({k: v[rows] for k, v in logits.items()}, {k: v[rows] for k, v in targets.items()})
    assert torch.allclose(losses(logits, targets, counts), repeated)
    assert torch.equal(losses(logits, targets, torch.ones(4)), losses(logits, targets))
