"""One hidden layer: begun at the champion's, and better than a line where no line tells the answers apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.models.network import FusionNetwork
from engine.models.spec import FusionSpec, HeadSpec, NetworkSpec
from engine.training.refit import hidden
from engine.training.refit.hidden import Hidden, first_layer, fit_hidden
from engine.training.refit.linear import Linear, Standard, fit_linear
from engine.training.refit.objective import Objective

HEAD = HeadSpec(task="mood", labels=("warm", "cold"))


def xor(count: int, seed: int) -> tuple[Tensor, Objective]:
    """Answers that no line can tell apart."""
    features = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    flags = (features[:, 0] > 0) ^ (features[:, 1] > 0)
    return features, Objective.of((HEAD,), {"mood": torch.nn.functional.one_hot(flags.long(), 2).float()})


def network(layers: tuple[int, ...]) -> FusionNetwork:
    torch.manual_seed(0)
    spec = NetworkSpec(heads=(HEAD,), fusion=FusionSpec(hidden=layers))
    return FusionNetwork(spec, None, None, (4, 4)).eval()


def fitted(first: tuple[Tensor, Tensor], steps: int) -> tuple[Hidden, float]:
    train, val = xor(400, 1), xor(200, 2)
    *_, found = fit_hidden(first, *train, *val, steps=steps)
    assert isinstance(found, Hidden)
    logits = found.activations(val[0]) @ found.heads.weight.T + found.heads.bias
    return found, float(val[1].losses(logits)[0].sum())


def test_it_learns_what_a_line_cannot() -> None:
    train, val = xor(400, 1), xor(200, 2)
    *_, line = fit_linear(*train, *val)
    assert isinstance(line, Linear)
    assert line.loss["mood"] > 0.6
    _, loss = fitted(first_layer(network(()), 64, train[0]), steps=6)
    assert loss < 0.4


def test_steps_of_both_layers_help_and_are_held_near_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    first = first_layer(network(()), 16, xor(400, 1)[0])
    before, one = fitted(first, steps=0)
    after, other = fitted(first, steps=8)
    assert torch.equal(before.weight, first[0])
    assert other < one
    monkeypatch.setattr(hidden, "STAY", 0.1)
    held, _ = fitted(first, steps=8)
    assert (held.weight - first[0]).norm() < (after.weight - first[0]).norm() / 2


def test_the_champions_layer_is_where_it_begins() -> None:
    champion = network((12,))
    weight, bias = first_layer(champion, 256, torch.zeros(3, 8))
    state = champion.state_dict()
    assert torch.equal(weight, state["fusion.0.weight"])
    assert torch.equal(bias, state["fusion.0.bias"])
    features = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    ours = Hidden(weight, bias, Linear(weight, bias, {}, {})).activations(features)
    assert torch.allclose(ours, champion.fusion(features), atol=1e-6)


def test_a_champion_of_another_form_gets_a_random_layer_that_is_always_the_same() -> None:
    train = xor(50, 1)[0] * 30 + 100
    one, other = (first_layer(network((12, 12)), 16, train) for _ in range(2))
    assert torch.equal(one[0], other[0])
    inner = train @ one[0].T + one[1]
    assert inner.shape == (50, 16)
    expected = Standard(train)(train)[:, :-1].square().sum(dim=1).mean() * 2 / 8
    assert abs(float(inner.square().mean()) / float(expected) - 1) < 0.5
