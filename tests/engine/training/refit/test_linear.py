"""Linear heads beside scikit-learn's, which minimises the same objective by another program."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from engine.models.spec import HeadSpec
from engine.training.refit.linear import PATH, Linear, Standard, fit_linear
from engine.training.refit.objective import Objective

MOOD = HeadSpec(task="mood", labels=("warm", "cold", "none"))
WHY = HeadSpec(task="why", labels=("fire", "sun"), multi=True)
COUNT, WIDTH = 160, 6


@pytest.fixture
def features() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(COUNT, WIDTH, generator=generator) * torch.tensor([1, 5, 0.2, 1, 2, 1.0]) + 3


@pytest.fixture
def targets(features: Tensor) -> dict[str, Tensor]:
    """Answers that follow from the features, with noise."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(COUNT, 5, generator=generator)
    scores = (features - 3) @ torch.randn(WIDTH, 5, generator=generator) + noise
    mood = torch.nn.functional.one_hot(scores[:, :3].argmax(dim=1), 3).float()
    return {"mood": mood, "why": (scores[:, 3:] > 0).float()}


def last(steps: Iterable[Linear | None]) -> Linear:
    result = list(steps)[-1]
    assert result is not None
    return result


def test_the_gradient_is_that_of_the_losses(features: Tensor, targets: dict[str, Tensor]) -> None:
    targets["mood"][::3] = float("nan")
    targets["why"][1::4] = float("nan")
    objective = Objective.of((MOOD, WHY), targets)
    logits = torch.randn(COUNT, 5, generator=torch.Generator().manual_seed(2)).requires_grad_()
    known = ~targets["mood"].isnan().any(dim=1)
    mood = torch.nn.functional.cross_entropy(logits[known, :3], targets["mood"][known])
    answered = ~targets["why"].isnan().any(dim=1)
    why = torch.nn.functional.binary_cross_entropy_with_logits(logits[answered, 3:], targets["why"][answered])
    (mood + why).backward()  # type: ignore[no-untyped-call]
    losses, gradient = objective.losses(logits.detach())
    assert losses.tolist() == pytest.approx([mood.item(), why.item()], abs=1e-6)
    assert logits.grad is not None
    assert torch.allclose(gradient, logits.grad, atol=1e-7)


@pytest.mark.parametrize("l2", [0.3, 0.01])
def test_weights_are_those_that_scikit_learn_finds(features: Tensor, targets: dict[str, Tensor], l2: float) -> None:
    objective = Objective.of((MOOD, WHY), targets)
    found = last(fit_linear(features, objective, features, objective, l2=l2))
    inputs = Standard(features)(features)[:, :-1].numpy()
    mood = LogisticRegression(C=1 / (l2 * COUNT), tol=1e-8, max_iter=1000).fit(
        inputs, targets["mood"].argmax(dim=1).numpy()
    )
    theirs = [mood.predict_proba(inputs)]
    for column in range(2):  # the loss is the mean over the two labels, so each weighs half
        one = LogisticRegression(C=1 / (l2 * COUNT * 2), tol=1e-8, max_iter=1000)
        theirs.append(one.fit(inputs, targets["why"][:, column].numpy()).predict_proba(inputs)[:, 1:])
    logits = features @ found.weight.T + found.bias
    ours = torch.cat([logits[:, :3].softmax(dim=1), logits[:, 3:].sigmoid()], dim=1).numpy()
    np.testing.assert_allclose(ours, np.concatenate(theirs, axis=1), atol=2e-3)


def test_items_without_an_answer_add_nothing(features: Tensor, targets: dict[str, Tensor]) -> None:
    half = {"mood": targets["mood"].clone(), "why": targets["why"]}
    half["mood"][COUNT // 2 :] = float("nan")
    objective = Objective.of((MOOD, WHY), half)
    both = last(fit_linear(features, objective, features, objective, l2=0.1))
    inputs = Standard(features)(features)[: COUNT // 2, :-1].numpy()
    mood = LogisticRegression(C=1 / (0.1 * COUNT / 2), tol=1e-8, max_iter=1000)
    mood.fit(inputs, targets["mood"][: COUNT // 2].argmax(dim=1).numpy())
    ours = (features[: COUNT // 2] @ both.weight[:3].T + both.bias[:3]).softmax(dim=1).numpy()
    np.testing.assert_allclose(ours, mood.predict_proba(inputs), atol=2e-3)


def test_validation_chooses_each_task_a_penalty_of_its_own() -> None:
    """One task is all noise, the other plain to see: the first wants the largest penalty, the second a small one."""
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(200, 20, generator=generator)
    noise = HeadSpec(task="noise", labels=("a", "b"))
    plain = HeadSpec(task="plain", labels=("a", "b"))

    def answers(flags: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(flags.long(), 2).float()

    targets = {
        "noise": answers(torch.rand(200, generator=generator) > 0.5),
        "plain": answers(features[:, 0] > 0),
    }

    def side(part: slice) -> Objective:
        return Objective.of((noise, plain), {task: target[part] for task, target in targets.items()})

    train, val = slice(0, 100), slice(100, 200)
    found = last(fit_linear(features[train], side(train), features[val], side(val)))
    assert found.l2["noise"] == max(PATH)
    assert found.l2["plain"] <= 0.1
    assert found.loss["plain"] < 0.3 < found.loss["noise"]


def test_a_task_without_validation_items_keeps_the_middle_of_the_path(
    features: Tensor, targets: dict[str, Tensor]
) -> None:
    val = {"mood": targets["mood"], "why": torch.full_like(targets["why"], float("nan"))}
    found = last(fit_linear(features, Objective.of((MOOD, WHY), targets), features, Objective.of((MOOD, WHY), val)))
    assert found.l2["why"] == PATH[len(PATH) // 2]


def test_a_feature_that_never_changes_is_no_trouble(features: Tensor, targets: dict[str, Tensor]) -> None:
    features[:, 2] = 7.0
    objective = Objective.of((MOOD, WHY), targets)
    found = last(fit_linear(features, objective, features, objective, l2=0.01))
    assert torch.isfinite(found.weight).all()
    assert torch.isfinite(found.bias).all()
