"""Heads behind one hidden layer: from the champion's layer, first what follows it (convex), then some steps of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.models.network import FusionNetwork
from engine.training.refit.lbfgs import lbfgs
from engine.training.refit.linear import Linear, Standard, fit_linear
from engine.training.refit.objective import Objective

STAY = 1e-3
"""Weight of the squared distance of both layers from where they began, in the mean loss."""


@dataclass(frozen=True)
class Hidden:
    """The hidden layer's (H, D) `weight` and (H,) `bias`, and the heads on what it gives."""

    weight: Tensor
    bias: Tensor
    heads: Linear

    def activations(self, features: Tensor) -> Tensor:
        """(n, H) of (n, D) features, as `FusionNetwork.fusion` has them when it is in use."""
        return nn.functional.gelu(nn.functional.linear(features, self.weight, self.bias))


def first_layer(network: FusionNetwork, width: int, train: Tensor) -> tuple[Tensor, Tensor]:
    """The champion's hidden layer where it has exactly one, else a random one of this width."""
    if len(network.spec.fusion.hidden) == 1:
        assert isinstance(network.fusion, nn.Sequential)
        layer = network.fusion[0]
        assert isinstance(layer, nn.Linear)
        return layer.weight.detach().cpu().clone(), layer.bias.detach().cpu().clone()
    generator = torch.Generator().manual_seed(0)
    size = train.shape[1]
    drawn = torch.randn(width, size + 1, generator=generator) * (2.0 / size) ** 0.5  # He et al. 2015, equation 10
    drawn[:, -1] = 0.0
    return Standard(train).folded(drawn)


def fit_hidden(
    first: tuple[Tensor, Tensor],
    train: Tensor,
    targets: Objective,
    val: Tensor,
    val_targets: Objective,
    *,
    l2: float = 0.0,
    steps: int = 0,
) -> Iterator[Hidden | None]:
    """Fit both layers; yields None between pieces of work and the better of both stages (by validation) last."""
    start = Hidden(*first, Linear(torch.empty(0), torch.empty(0), {}, {}))
    hidden = start
    inner, outer = start.activations(train), start.activations(val)
    for heads in fit_linear(inner, targets, outer, val_targets, l2=l2):
        if heads is not None:
            hidden = Hidden(*first, heads)
        yield None
    if steps:
        moved = _moved(hidden, train, targets, steps)
        yield None
        before, after = (_loss(one, val, val_targets) for one in (hidden, moved))
        hidden = moved if after < before else hidden
    yield hidden


def _moved(start: Hidden, train: Tensor, targets: Objective, steps: int) -> Hidden:
    """Both layers after some L-BFGS steps from `start`, held near it."""
    begin = (start.weight, start.bias, start.heads.weight, start.heads.bias)
    sizes = [tensor.numel() for tensor in begin]
    joined = torch.cat([tensor.ravel() for tensor in begin])

    def parts(values: Tensor) -> list[Tensor]:
        return [part.view(one.shape) for part, one in zip(torch.split(values, sizes), begin, strict=True)]

    def measure(values: Tensor) -> tuple[float, Tensor]:
        values = values.requires_grad_()
        weight, bias, head_weight, head_bias = parts(values)
        inner = nn.functional.gelu(nn.functional.linear(train, weight, bias))
        logits = nn.functional.linear(inner, head_weight, head_bias)
        losses, by_logits = targets.losses(logits.detach())
        (gradient,) = torch.autograd.grad(logits, values, by_logits)
        away = values.detach() - joined
        return float(losses.sum()) + 0.5 * STAY * float(away.square().sum()), gradient + STAY * away

    weight, bias, head_weight, head_bias = parts(lbfgs(measure, joined, steps=steps, tolerance=0.0))
    return Hidden(weight, bias, Linear(head_weight, head_bias, start.heads.l2, start.heads.loss))


def _loss(hidden: Hidden, features: Tensor, targets: Objective) -> float:
    logits = nn.functional.linear(hidden.activations(features), hidden.heads.weight, hidden.heads.bias)
    return float(targets.losses(logits)[0].sum())
