"""The validation items after each epoch, and the temperatures at the end, from logits over cached screenshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from engine.models.network import FusionNetwork
from engine.models.spec import HeadSpec
from engine.models.verdicts import calibrated
from engine.training.calibration import fit_temperature
from engine.training.data import Examples, Inputs, logits_of
from engine.training.device import Device
from engine.training.loop import Scores
from engine.training.losses import TaskLosses
from engine.training.metrics import task_metrics
from engine.types import TaskMetrics

BATCH = 64
_Floats = NDArray[np.float64]


class Validation:
    """Scores a network on the validation items.

    `seen` is what a network is shown of a batch's rows where its epochs are scored, if not the items as they are.
    """

    def __init__(
        self,
        examples: Examples,
        majority: Mapping[str, str],
        device: Device,
        seen: Callable[[Sequence[int]], Inputs] | None = None,
    ) -> None:
        self._examples = examples
        self._seen = seen
        self._majority = majority
        self._device = device

    def logits(self, network: FusionNetwork) -> dict[str, _Floats]:
        """Return (n, L) logits per task of all items as they are, the network in evaluation mode."""
        return self._logits(network, self._examples.inputs)

    def _logits(self, network: FusionNetwork, seen: Callable[[Sequence[int]], Inputs]) -> dict[str, _Floats]:
        network.eval()
        parts: list[dict[str, _Floats]] = []
        with torch.inference_mode(), self._device.autocast():
            for start in range(0, self._examples.count, BATCH):
                rows = range(start, min(start + BATCH, self._examples.count))
                logits = logits_of(network, seen(rows).to(self._device.torch))
                parts.append({task: value.double().cpu().numpy() for task, value in logits.items()})
        return {task: np.concatenate([part[task] for part in parts]) for task in parts[0]}

    def scores(self, network: FusionNetwork) -> Scores:
        """Return the mean loss of an item (no smoothing, no weights) and each task's scores at temperature 1."""
        heads = network.spec.heads
        logits = self._logits(network, self._seen or self._examples.inputs)
        tensors = {task: torch.from_numpy(value) for task, value in logits.items()}
        loss = TaskLosses(heads)(tensors, self._examples.targets).item() / self._examples.count
        found = {head.task: self._metrics(head, logits[head.task]) for head in heads}
        return Scores(loss, {task: metrics for task, metrics in found.items() if metrics is not None})

    def temperatures(self, network: FusionNetwork) -> dict[str, float]:
        """Return each task's temperature; 1 for a task without validation items."""
        logits = self.logits(network)
        fitted: dict[str, float] = {}
        for head in network.spec.heads:
            known, truth = self._answered(head)
            fitted[head.task] = fit_temperature(logits[head.task][known], truth, multi=head.multi)
        return fitted

    def _metrics(self, head: HeadSpec, logits: _Floats) -> TaskMetrics | None:
        known, truth = self._answered(head)
        if not len(truth):
            return None
        chances = calibrated(logits[known], head)
        majority = self._majority[head.task]
        return task_metrics(head.labels, truth > 0.5, chances, multi=head.multi, majority=majority)

    def _answered(self, head: HeadSpec) -> tuple[NDArray[np.bool_], _Floats]:
        """Return which items (n,) have an answer, and the answers (m, L) of those."""
        target = self._examples.targets[head.task].double().numpy()
        known = ~np.isnan(target).any(axis=1)
        return known, target[known]
