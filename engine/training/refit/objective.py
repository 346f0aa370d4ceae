"""What a refit makes small: per task the mean cross-entropy of its answered items, and the squares of the weights."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.models.spec import HeadSpec


@dataclass(frozen=True)
class Objective:
    """The tasks' targets side by side, so that one product of matrices serves all of them.

    For the K labels of all heads in order: `targets` (n, K) is what an item's answer weighs for each label, 0 where it
    is unknown, and `mass` (n, K) what it weighs in all (for a single-label task over its labels, for a multi-label one
    over yes and no). `weights` (n, heads) is 1 / items answered for the items that have an answer to a task, else 0.
    """

    heads: tuple[HeadSpec, ...]
    targets: Tensor
    mass: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls,
        heads: Sequence[HeadSpec],
        targets: Mapping[str, Tensor],
        *,
        items: Tensor | None = None,
        labels: Mapping[str, Tensor] | None = None,
    ) -> Objective:
        """Take per task (n, L) targets, NaN rows for items without an answer (`engine.training.losses.Targets`).

        `items` (n,) weighs items, `labels` labels as in `TaskLosses`; both 1 where left out.
        """
        known = torch.stack([~targets[head.task].isnan().any(dim=1) for head in heads], dim=1).float()
        known = known if items is None else known * items.unsqueeze(1)
        parts = [_weighed(head, targets[head.task].nan_to_num(0.0), (labels or {}).get(head.task)) for head in heads]
        return cls(
            tuple(heads),
            torch.cat([target for target, _ in parts], dim=1),
            torch.cat([mass for _, mass in parts], dim=1),
            known / known.sum(dim=0).clamp(min=1e-9),
        )

    @property
    def columns(self) -> list[slice]:
        """Each head's columns of the logits."""
        ends = torch.tensor([0, *(len(head.labels) for head in self.heads)]).cumsum(0).tolist()
        return [slice(start, end) for start, end in itertools.pairwise(ends)]

    def losses(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Each task's mean loss, (heads,), and the gradient (n, K) of their sum with respect to (n, K) logits.

        Single-label: softmax cross-entropy. Multi-label: binary cross-entropy, the mean over a task's labels.
        """
        gradient, values = torch.empty_like(logits), []
        for number, (head, part) in enumerate(zip(self.heads, self.columns, strict=True)):
            scores, truth, mass = logits[:, part], self.targets[:, part], self.mass[:, part]
            weight = self.weights[:, number]
            if head.multi:
                each = mass * torch.nn.functional.softplus(scores) - truth * scores
                values.append((each.mean(dim=1) * weight).sum())
                gradient[:, part] = (mass * scores.sigmoid() - truth) * (weight / len(head.labels)).unsqueeze(1)
            else:
                chances = scores.log_softmax(dim=1)
                values.append(-((truth * chances).sum(dim=1) * weight).sum())
                gradient[:, part] = (mass * chances.exp() - truth) * weight.unsqueeze(1)
        return torch.stack(values), gradient


def _weighed(head: HeadSpec, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """What a task's (n, L) targets weigh for each label, and in all."""
    if weight is None:
        weight = torch.ones(len(head.labels))
    if not head.multi:
        target = target * weight
        return target, target.sum(dim=1, keepdim=True).expand_as(target)
    lacking, having = weight if weight.ndim == 2 else (torch.ones_like(weight), weight)
    return target * having, target * having + (1 - target) * lacking
