"""Linear heads: convex, fitted by L-BFGS along a path of penalties; validation picks one.

Multinomial logistic regression per single-label task, one binary regression per label of a multi-label one, all tasks
in one product of matrices: their sum is separable, so each ends where it would alone. The path goes from the largest
penalty to the smallest, each begun where the last one ended (Friedman, Hastie and Tibshirani 2010, section 2.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.training.refit.lbfgs import lbfgs
from engine.training.refit.objective import Objective

PATH = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Penalties in units of standardised features, from the largest."""
MOST_STEPS = 60
TOLERANCE = 1e-4
"""A fit ends when no component of the gradient of the mean loss is larger."""


@dataclass(frozen=True)
class Linear:
    """(K, D) `weight` and (K,) `bias` on features as they come; per task the penalty and the validation loss."""

    weight: Tensor
    bias: Tensor
    l2: dict[str, float]
    loss: dict[str, float]


class Standard:
    """Shifts and scales features to mean 0 and deviation 1 over the training items, and folds that into weights."""

    def __init__(self, features: Tensor) -> None:
        self.mean = features.mean(dim=0)
        self.scale = features.std(dim=0, correction=0).clamp(min=1e-6)

    def __call__(self, features: Tensor) -> Tensor:
        """The standardised features, with a last column of ones for the bias."""
        scaled = torch.empty(len(features), features.shape[1] + 1)
        torch.sub(features, self.mean, out=scaled[:, :-1])
        scaled[:, :-1].div_(self.scale)
        scaled[:, -1] = 1.0
        return scaled

    def folded(self, solution: Tensor) -> tuple[Tensor, Tensor]:
        """(K, D) weights and (K,) biases on raw features for a (K, D + 1) solution on standardised ones."""
        weight = solution[:, :-1] / self.scale
        return weight, solution[:, -1] - weight @ self.mean


def fit_linear(
    train: Tensor, targets: Objective, val: Tensor, val_targets: Objective, *, l2: float = 0.0
) -> Iterator[Linear | None]:
    """Fit heads on (n, D) features; yields None after each penalty of the path and the best heads last.

    With `l2` that penalty alone is used. A task without validation items keeps the middle of the path.
    """
    standard = Standard(train)
    inputs, held_out = standard(train), standard(val)
    solution = torch.zeros(targets.targets.shape[1], inputs.shape[1])
    best = _Best(targets, solution)
    for penalty in (l2,) if l2 else PATH:
        solution = minimised(inputs, targets, solution, penalty)
        best.offer(solution, penalty, val_targets.losses(held_out @ solution.T)[0], val_targets)
        yield None
        if best.worse:  # for every task; smaller penalties would be worse still
            break
    weight, bias = standard.folded(best.solution)
    yield Linear(weight, bias, best.l2, best.loss)


def minimised(inputs: Tensor, targets: Objective, start: Tensor, penalty: float) -> Tensor:
    """The (K, D + 1) solution for (n, D + 1) inputs whose last column, the bias's, is not penalised."""

    def measure(solution: Tensor) -> tuple[float, Tensor]:
        losses, by_logits = targets.losses(inputs @ solution.T)
        weights, gradient = solution[:, :-1], by_logits.T @ inputs
        gradient[:, :-1] += penalty * weights
        return float(losses.sum()) + 0.5 * penalty * float(weights.square().sum()), gradient

    return lbfgs(measure, start, steps=MOST_STEPS, tolerance=TOLERANCE)


class _Best:
    """Each task's best weights so far by its loss on the validation items."""

    def __init__(self, targets: Objective, solution: Tensor) -> None:
        self._columns = targets.columns
        self.solution = solution.clone()
        self.l2 = {head.task: 0.0 for head in targets.heads}
        self.loss = {head.task: float("inf") for head in targets.heads}
        self.worse = False

    def offer(self, solution: Tensor, penalty: float, losses: Tensor, val: Objective) -> None:
        """Take over the tasks that are better with this penalty."""
        better = False
        for number, (head, part) in enumerate(zip(val.heads, self._columns, strict=True)):
            measured = bool(val.weights[:, number].any())
            loss = float(losses[number]) if measured else abs(penalty - PATH[len(PATH) // 2])
            if loss < self.loss[head.task]:
                better = better or measured
                self.solution[part], self.loss[head.task], self.l2[head.task] = solution[part], loss, penalty
        self.worse = not better
