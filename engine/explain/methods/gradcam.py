"""Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) of the last convolutional block, averaged over each superpixel.

The ReLU of equation 2 is left off: what speaks against the label stays visible, as in the other methods.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from engine.errors import InputError
from engine.explain.methods.parts import Parts, Values, Weights
from engine.models.differentiable import Differentiable

ABOUT = "Grad-CAM speaks of the screenshot only; its weights compare superpixels and are no changes of probability."


def class_activation(parts: Parts, network: Differentiable) -> Weights:
    """A weight per superpixel: the mean of the map over its pixels, each counted by how much hiding would change it.

    Raises:
        InputError: the model looks at no screenshots.
    """
    check_block(network, parts.question.model.card.id)
    parts.check()
    if parts.image is None or not parts.image.features:
        return Weights(image=np.zeros(0), samples=0)
    seen, changes = parts.image.perturbed.hiding
    cam = _map(parts, network, seen)
    sizes = [(cam[rows, columns], values.abs().sum(dim=0).numpy()) for rows, columns, values in changes]
    weights = np.array([float((part * size).sum() / size.sum()) for part, size in sizes])
    return Weights(image=weights, samples=2, vanished=parts.moved_by(parts.image), note=ABOUT)


def check_block(network: Differentiable, model: str) -> None:
    """Raise `InputError` where the network has no block for screenshots, whatever the item."""
    if network.last_block is None:
        raise InputError(
            f"Model '{model}' looks at no screenshots, and Grad-CAM explains nothing else.",
            "Use --method ig, gradient, occlusion or lime.",
        )


def _map(parts: Parts, network: Differentiable, seen: Tensor) -> Values:
    """(S, S): the block's map, enlarged to the model's input."""
    from captum.attr import LayerAttribution, LayerGradCam

    question, device = parts.question, network.device
    text = question.model.text_vectors([question.model.text_of(question.content)]).clone().to(device)

    def probability(pixels: Tensor) -> Tensor:
        return network.probabilities(question.task, text, network.image_vectors(pixels))[:, question.column]

    pixels = seen[None].to(device).requires_grad_()
    coarse = LayerGradCam(probability, network.last_block).attribute(pixels)
    cam = LayerAttribution.interpolate(coarse, tuple(seen.shape[1:]), "bilinear")
    found: Values = cam[0, 0].detach().cpu().double().numpy()
    return found
