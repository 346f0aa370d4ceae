"""What a refit makes small: per task the mean cross-entropy of its answered items, and the squares of the weights."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.models.spec import HeadSpec


@dataclass(frozen=True)
class Objective:
    """The tasks' targets side by side, so that one product of matrices serves all of them.

    `targets` is (n, K) for the K labels of all heads in order, 0 where unknown; `weights` (n, heads) are 1 / items
    answered for the items that have an answer to a task, else 0.
    """

    heads: tuple[HeadSpec, ...]
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(cls, heads: Sequence[HeadSpec], targets: dict[str, Tensor]) -> Objective:
        """Take per task (n, L) targets, NaN rows for items without an answer (`engine.training.data.targets_of`)."""
        known = torch.stack([~targets[head.task].isnan().any(dim=1) for head in heads], dim=1).float()
        joined = torch.cat([targets[head.task] for head in heads], dim=1).nan_to_num(0.0)
        return cls(tuple(heads), joined, known / known.sum(dim=0).clamp(min=1.0))

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
            scores, truth, weight = logits[:, part], self.targets[:, part], self.weights[:, number]
            if head.multi:
                each = torch.nn.functional.softplus(scores) - truth * scores
                values.append((each.mean(dim=1) * weight).sum())
                gradient[:, part] = (scores.sigmoid() - truth) * (weight / len(head.labels)).unsqueeze(1)
            else:
                chances = scores.log_softmax(dim=1)
                values.append(-((truth * chances).sum(dim=1) * weight).sum())
                gradient[:, part] = (chances.exp() * truth.sum(dim=1, keepdim=True) - truth) * weight.unsqueeze(1)
        return torch.stack(values), gradient
