"""Fusion and heads without torch beside the network's own."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from engine.models.bulk.fusing import Fusion
from engine.models.network import FusionNetwork, rebuild_without
from engine.models.registry import LATE
from engine.models.spec import FusionSpec, HeadSpec, NetworkSpec
from engine.models.verdicts import calibrated

HEADS = (
    HeadSpec(task="keys", labels=("a", "b", "c")),  # torch forbids this name for a part
    HeadSpec(task="v1.2", labels=("x",), multi=True),
)


def network_of(spec: NetworkSpec, features: tuple[int, int]) -> FusionNetwork:
    torch.manual_seed(0)
    network = rebuild_without(spec, None, features, image=False).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_()
    return network


@pytest.mark.parametrize("features", [(6, 4), (6, 0), (0, 4)])
@pytest.mark.parametrize("hidden", [(), (5,), (5, 7)])
def test_it_says_what_the_network_says(spec: NetworkSpec, features: tuple[int, int], hidden: tuple[int, ...]) -> None:
    spec = msgspec.structs.replace(spec, heads=HEADS, fusion=FusionSpec(hidden=hidden))
    network = network_of(spec, features)
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    assert Fusion.knows(spec, tensors)
    text, image = (torch.randn(9, width) for width in features)
    found = Fusion(spec, tensors, {"keys": 2.0}).tables(text.numpy(), image.numpy())
    with torch.inference_mode():
        logits = network.fuse(text, image)
    for head, temperature in zip(HEADS, (2.0, 1.0), strict=True):
        expected = calibrated(logits[head.task].numpy(), head, temperature)
        np.testing.assert_allclose(found[head.task], expected, atol=1e-5)


def test_late_fusion_is_not_known(spec: NetworkSpec) -> None:
    late = msgspec.structs.replace(spec, fusion=FusionSpec(kind=LATE))
    tensors = {name: tensor.numpy() for name, tensor in network_of(late, (6, 4)).state_dict().items()}
    assert not Fusion.knows(late, tensors)
