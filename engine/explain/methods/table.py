"""The table of methods, and the one way to ask for any of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial

import numpy as np

from engine.errors import InputError, did_you_mean
from engine.explain.designs import check_seed
from engine.explain.lime import explain
from engine.explain.methods.attention import check_encoder, rolled_out
from engine.explain.methods.gradcam import check_block, class_activation
from engine.explain.methods.gradients import averaged
from engine.explain.methods.integrated import LEAST, integrated
from engine.explain.methods.masked import MaskedItem
from engine.explain.methods.occlusion import left_out
from engine.explain.methods.parts import Parts, Weights
from engine.explain.model import Question
from engine.models.differentiable import Differentiable
from engine.models.predictor import Predictor
from engine.types import Explanation, ItemContent

LIME, IG, GRADCAM, GRADIENT, OCCLUSION, ATTENTION = "lime", "ig", "gradcam", "gradient", "occlusion", "attention"
METHODS = {
    LIME: "hide superpixels and words at random and fit a linear model (the desk's method)",
    IG: "integrated gradients: weights add up to the difference that hiding everything makes",
    GRADCAM: "Grad-CAM of the screenshot's last convolutional block, averaged over superpixels",
    GRADIENT: "gradient × input, averaged over random masks (--samples 1: at the item itself)",
    OCCLUSION: "leave one superpixel or word out: exact, without samples",
    ATTENTION: "where the text encoder looks (rollout): for comparison only, no explanation",
}
WITHOUT_SAMPLES = (GRADCAM, OCCLUSION, ATTENTION)
"""Methods that have nothing to sample."""
_MORE = "Take more, or leave the number to the method."


def explain_by(
    method: str,
    predictor: Predictor,
    content: ItemContent,
    task: str,
    label: str,
    *,
    seed: int = 0,
    samples: int | None = None,
    emit: Callable[[Explanation], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Explanation:
    """The final explanation of why `predictor` gives `label` its probability, by one of `METHODS`.

    Every method gives weights for the same superpixels and words; a word's weight is that of all its occurrences.
    Previews and the final explanation go to `emit`. `samples` is how often the model may be asked, None: until the
    explanation is stable. `seed` matters where something is drawn: "lime" and "gradient".

    Raises:
        InputError: there is no such method, the method or the number of samples does not go with the model, or
            `seed` is none.
        NotFoundError: the model has no such task or label.
        ModelUnavailableError: the method needs the model's gradients, and they cannot be had.
        CancelledError: `cancelled` said so; it is asked every 100 ms or so.
    """
    check(method, samples)
    check_seed(seed)
    if method == LIME:
        return explain(predictor, content, task, label, seed=seed, samples=samples, emit=emit, cancelled=cancelled)
    last: Explanation | None = None
    parts = Parts(Question.ask(predictor, content, task, label), method, seed, cancelled)
    parts.beside(partial(_get_ready, method, predictor))
    with closing(_weights(method, parts, predictor, seed, samples)) as steps:
        for weights in steps:
            last = parts.explanation(weights)
            if emit is not None:
                emit(last)
            parts.check()
    assert last is not None
    return last


def _get_ready(method: str, predictor: Predictor) -> None:
    """Read and import what a method needs, which takes a second the first time."""
    if method != OCCLUSION:
        predictor.differentiable()
    if method in (GRADCAM, IG):
        importlib.import_module("captum.attr")


def check(method: str, samples: int | None) -> None:
    """Raise `InputError` where there is no such method, or it does not take that number of samples."""
    if method not in METHODS:
        raise InputError(f"There is no method '{method}'.", did_you_mean(method, METHODS))
    if samples is None:
        return
    if method in WITHOUT_SAMPLES:
        raise InputError(f"The method '{method}' takes no samples: its answer is exact.", "Leave --samples out.")
    if method == IG and samples < LEAST:
        raise InputError(f"Integrated gradients need at least {LEAST} samples, not {samples}.", _MORE)
    if samples < 1:
        raise InputError(f"An explanation cannot be made of {samples} samples.", _MORE)


def check_model(method: str, predictor: Predictor) -> None:
    """Raise `InputError` where a method can explain nothing with this model, whatever the item.

    Raises `ModelUnavailableError` where that needs the model's backbones, and they cannot be read.
    """
    if method == ATTENTION:
        check_encoder(predictor.differentiable())
    elif method == GRADCAM:
        check_block(predictor.differentiable(), predictor.card.id)


def _weights(
    method: str, parts: Parts, predictor: Predictor, seed: int, samples: int | None
) -> Generator[Weights, None, None]:
    if method == OCCLUSION:
        yield left_out(parts)
        return
    network = predictor.differentiable()
    with network.watched(parts.check):
        yield from _by_network(method, parts, network, seed, samples)


def _by_network(
    method: str, parts: Parts, network: Differentiable, seed: int, samples: int | None
) -> Iterator[Weights]:
    if method == GRADCAM:
        yield class_activation(parts, network)
    elif method == ATTENTION:
        yield rolled_out(parts, network)
    elif not parts.image_features + parts.text_features:
        yield Weights(image=np.zeros(0), text=np.zeros(0))
    else:
        item = MaskedItem(parts, network)
        yield from integrated(item, samples) if method == IG else averaged(item, samples, seed)
