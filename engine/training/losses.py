"""What training makes small: cross-entropy for single-label heads, binary cross-entropy for multi-label ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from engine.models.spec import HeadSpec

Targets = Mapping[str, Tensor]
"""Per task (B, L) floats: 1 for a label that the item has, 0 for one it lacks, NaN rows for items without an answer."""

HIGHEST_WEIGHT = 10.0


class TaskLosses(nn.Module):
    """The sum over tasks and items of the loss, so that parts of a batch add up to the whole batch.

    An item without an answer to a task adds nothing for it. A multi-label item's loss is the mean over its labels.
    `label_smoothing` moves that share of the truth to all labels evenly (Szegedy et al. 2016, section 7); single-label
    tasks only. `weights` per task (L,) multiplies each label's part: the item's for a single-label task, the positive
    cases' for a multi-label one.
    """

    def __init__(
        self, heads: Sequence[HeadSpec], *, label_smoothing: float = 0.0, weights: Mapping[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        self._heads = tuple(heads)
        self._smoothing = label_smoothing
        for task, weight in (weights or {}).items():
            self.register_buffer(_buffer(task), weight, persistent=False)

    def forward(self, logits: Mapping[str, Tensor], targets: Targets) -> Tensor:
        """Return the summed loss of (B, L) logits per task as a scalar in float32."""
        parts = [self._task(head, logits[head.task].float(), targets[head.task]) for head in self._heads]
        return torch.stack(parts).sum()

    def _task(self, head: HeadSpec, logits: Tensor, target: Tensor) -> Tensor:
        known = ~target.isnan().any(dim=1)
        logits, target = logits[known], target[known]
        if not len(target):
            return logits.sum()
        weight = getattr(self, _buffer(head.task), None)
        if head.multi:
            each = nn.functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none")
            return each.mean(dim=1).sum()
        return nn.functional.cross_entropy(
            logits, target.argmax(dim=1), weight=weight, label_smoothing=self._smoothing, reduction="sum"
        )


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
