from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import InputError
from engine.explain.methods import explain_by


def test_it_is_the_map_of_the_paper_averaged_over_superpixels(make_predictor: Any, parts_of: Any, item: Any) -> None:
    predictor = make_predictor()
    parts, network = parts_of(predictor, item), predictor.loaded.network
    count = parts.image_features
    resnet, pixels = network.image, parts.image.perturbed.inputs(np.ones((1, count), dtype=bool))
    with torch.no_grad():
        before = network.normalised(pixels)
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            before = resnet.get_submodule(name)(before)
    maps = before.requires_grad_()
    text = predictor.text_vectors([item.text]).clone()
    logits = network.fuse(text, resnet.avgpool(maps).flatten(1))["toxicity"] / 1.7
    (slopes,) = torch.autograd.grad(logits.softmax(1)[0, 0], maps)
    coarse = (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).detach()
    cam = torch.nn.functional.interpolate(coarse, (36, 36), mode="bilinear")[0, 0].numpy()
    sizes = (pixels - parts.image.perturbed.inputs(~np.eye(count, dtype=bool))).abs().sum(dim=1).detach().numpy()
    expected = (cam * sizes).sum(axis=(1, 2)) / sizes.sum(axis=(1, 2))
    found = explain_by("gradcam", predictor, item, "toxicity", "toxic")
    weights = np.array([one.weight for one in found.segments])[list(parts.image.visible)]
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(weights, np.where(np.abs(expected) < 1e-6, 0, expected), atol=1e-6)


def test_it_speaks_of_the_screenshot_only(make_predictor: Any, item: Any) -> None:
    found = explain_by("gradcam", make_predictor(), item, "toxicity", "toxic")
    assert "speaks of the screenshot only" in found.note
    assert found.tokens == ()
    assert found.modality_share == {}
    with pytest.raises(InputError, match="looks at no screenshots"):
        explain_by("gradcam", make_predictor(image="none"), item, "toxicity", "toxic")
