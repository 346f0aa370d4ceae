"""What training makes small: cross-entropy or focal loss over a head's labels, its classes and tasks weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from engine.models.spec import HeadSpec
from engine.training.recipe import CROSS_ENTROPY, FOCAL_SIGMOID, TrainingRecipe

Targets = Mapping[str, Tensor]
"""Per task (B, L) floats: 1 for a label that the item has, 0 for one it lacks, NaN rows for items without an answer.

In between for a label that some reviewers gave and others did not; a single-label task's rows sum to 1.
"""

HIGHEST_WEIGHT = 10.0


class TaskLosses(nn.Module):
    """The sum over tasks and items of the loss, so that parts of a batch add up to the whole batch.

    An item without an answer to a task adds nothing for it. A multi-label item's loss is the mean over its labels.
    `label_smoothing` moves that share of the truth, soft or not, to all answers evenly (Szegedy et al. 2016, section
    7): to all labels of a single-label task, to yes and no for each label of a multi-label one.

    `weights` holds per task what each label's part is multiplied by: (L,) for a single-label task, where the item's
    label counts; for a multi-label one (2, L), the first row for items that lack the label, the second for those that
    have it, or (L,) for the second row alone. `task_weights` multiplies whole tasks (Sawhney et al. 2021: γ); 1 where
    it says nothing.

    `kind` "focal" multiplies each part by (1 - p)^gamma, p being the probability that was given to what is true (Lin
    et al. 2017, equation 4): over a softmax for single-label tasks, over a sigmoid a label for multi-label ones.
    "focal-sigmoid" takes a sigmoid a label for both, summed over a single-label task's labels, as Cui et al. 2019,
    section 4.3, do. "cross-entropy" is the same with gamma 0 over a softmax.
    """

    def __init__(
        self,
        heads: Sequence[HeadSpec],
        *,
        label_smoothing: float = 0.0,
        weights: Mapping[str, Tensor] | None = None,
        kind: str = CROSS_ENTROPY,
        gamma: float = 2.0,
        task_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self._heads = tuple(heads)
        self._smoothing = label_smoothing
        self._kind = kind
        self._gamma = 0.0 if kind == CROSS_ENTROPY else gamma
        self._task_weights = dict(task_weights or {})
        for head in heads:
            given = (weights or {}).get(head.task)
            self.register_buffer(_buffer(head.task), _full(head, given), persistent=False)

    def forward(self, logits: Mapping[str, Tensor], targets: Targets, counts: Tensor | None = None) -> Tensor:
        """Return the summed loss of (B, L) logits per task as a scalar in float32.

        `counts` (B,) says how much each item counts; 1 where it is left out.
        """
        parts: list[Tensor] = []
        for head in self._heads:
            target = targets[head.task]
            known = ~target.isnan().any(dim=1)
            each = self._each(head, logits[head.task][known].float(), target[known])
            total = each.sum() if counts is None else (each * counts[known]).sum()
            parts.append(self._task_weights.get(head.task, 1.0) * total)
        return torch.stack(parts).sum()

    def _each(self, head: HeadSpec, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each of n items, (n,), all with an answer."""
        weight: Tensor = getattr(self, _buffer(head.task))
        if head.multi:
            absent, present = weight
            target = (1 - self._smoothing) * target + self._smoothing / 2
            return self._binary(logits, target, absent, present).mean(dim=1)
        target = (1 - self._smoothing) * target + self._smoothing / target.shape[1]
        if self._kind == FOCAL_SIGMOID:
            ones = torch.ones_like(weight)
            return (target @ weight) * self._binary(logits, target, ones, ones).sum(dim=1)
        return (target * weight * _focal(logits.log_softmax(dim=1), self._gamma)).sum(dim=1)

    def _binary(self, logits: Tensor, target: Tensor, absent: Tensor, present: Tensor) -> Tensor:
        """Return each label's part (B, L), taken as a question of its own."""
        yes = _focal(nn.functional.logsigmoid(logits), self._gamma)
        no = _focal(nn.functional.logsigmoid(-logits), self._gamma)
        return target * present * yes + (1 - target) * absent * no


def losses_for(
    settings: TrainingRecipe, heads: Sequence[HeadSpec], targets: Targets, task_weights: Mapping[str, float]
) -> TaskLosses:
    """Return the losses that a recipe asks for, labels weighed by how often they occur in the training `targets`."""
    weights = None
    if settings.class_weights:
        weights = class_weights(heads, targets)
    elif settings.class_balance_beta:
        weights = balanced_weights(heads, targets, settings.class_balance_beta)
    return TaskLosses(
        heads,
        label_smoothing=settings.label_smoothing,
        weights=weights,
        kind=settings.loss,
        gamma=settings.focal_gamma,
        task_weights=task_weights,
    )


def balanced_weights(heads: Sequence[HeadSpec], targets: Targets, beta: float) -> dict[str, Tensor]:
    """Return per task the class-balanced weights of Cui et al. 2019 from the training set's targets (N, L).

    A class with n cases weighs (1 - beta) / (1 - beta^n), the inverse of its effective number of cases (sections 3 and
    4), scaled so that the weights of the classes that occur add up to their number. The classes are a single-label
    task's labels (L,), or an item's lacking and having a multi-label task's label (2, L). One without a case gets 1.
    """
    return {head.task: _balanced(_class_counts(head, targets[head.task]), beta) for head in heads}


def _class_counts(head: HeadSpec, target: Tensor) -> Tensor:
    """Return how many cases each class has, the classes of one question along the first dimension."""
    known = target[~target.isnan().any(dim=1)].double()
    present = known.sum(dim=0)
    return torch.stack([len(known) - present, present]) if head.multi else present


def _balanced(counts: Tensor, beta: float) -> Tensor:
    occurs = counts > 0
    inverse = torch.where(occurs, (1 - beta) / (1 - beta ** counts.clamp(min=1)), 0.0)
    scaled = inverse * occurs.sum(dim=0) / inverse.sum(dim=0).clamp(min=1e-300)
    return torch.where(occurs, scaled, 1.0).float()


def _focal(logs: Tensor, gamma: float) -> Tensor:
    """Return (1 - p)^gamma × -log p of log-probabilities; the clamp keeps the slope finite where p is 1."""
    if not gamma:
        return -logs
    return (-torch.expm1(logs)).clamp(min=1e-12) ** gamma * -logs


def _full(head: HeadSpec, weight: Tensor | None) -> Tensor:
    """Return a task's label weights in full: (L,) or (2, L)."""
    if weight is None:
        weight = torch.ones(len(head.labels))
    if head.multi and weight.ndim == 1:
        return torch.stack([torch.ones_like(weight), weight])
    return weight


def class_weights(heads: Sequence[HeadSpec], targets: Targets) -> dict[str, Tensor]:
    """Return per task (L,) weights from the training set's targets (N, L): rare labels count more, but at most 10.

    Single-label: the inverse root of the label's frequency, scaled so that the mean over items is 1. Multi-label: the
    root of negative to positive cases. A label without a case gets 1.
    """
    return {head.task: _weights(head, targets[head.task]) for head in heads}


def _weights(head: HeadSpec, target: Tensor) -> Tensor:
    known = target[~target.isnan().any(dim=1)]
    counts = known.sum(dim=0)
    if head.multi:
        weights = ((len(known) - counts) / counts.clamp(min=1)).sqrt().clamp(1 / HIGHEST_WEIGHT, HIGHEST_WEIGHT)
        return torch.where(counts > 0, weights, 1.0)
    roots = counts.clamp(min=1).rsqrt()
    scale = counts.sum() / (counts * roots).sum().clamp(min=1e-9)
    return torch.where(counts > 0, (roots * scale).clamp(max=HIGHEST_WEIGHT), 1.0)


def _buffer(task: str) -> str:
    """A buffer's name may hold no dot, a task's name may."""
    return "weight_" + task.replace(".", "__")
