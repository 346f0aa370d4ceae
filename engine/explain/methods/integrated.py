"""Integrated gradients (Sundararajan, Taly and Yan 2017, equation 1) along the way from everything hidden to the item.

The weights of all superpixels and words add up to the difference that hiding all of them makes (completeness).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from engine.explain.methods.masked import MaskedItem
from engine.explain.methods.parts import Weights

STAGES = (16, 48, 144)
"""Steps of the quadrature; the next stage is for items whose weights do not add up yet."""
LEAST = 3
ENOUGH, ENOUGH_SHARE = 0.002, 0.02
"""The weights add up when what is missing is less than this, or than this share of the difference."""
ENDS = 2


def integrated(item: MaskedItem, samples: int | None) -> Iterator[Weights]:
    """Weights after each stage, the last of them final. `samples` counts the two ends of the way.

    Raises:
        CancelledError: between two batches, where somebody asked for that.
    """
    from captum.attr import IntegratedGradients

    shown, nothing = torch.ones(1, item.features), torch.zeros(1, item.features)
    with torch.no_grad():
        difference = float(item(shown)) - float(item(nothing))
    stages, done = STAGES if samples is None else (samples - ENDS,), ENDS
    for steps in stages:
        found = IntegratedGradients(item).attribute(
            shown, baselines=nothing, n_steps=steps, internal_batch_size=item.rows
        )
        weights = found[0].detach().cpu().double().numpy()
        done += steps
        gap = difference - float(weights.sum())
        adds_up = abs(gap) <= max(ENOUGH, ENOUGH_SHARE * abs(difference))
        final = adds_up or steps == stages[-1]
        image, text = item.split(weights)
        yield Weights(
            image=image,
            text=text,
            shared_scale=True,
            samples=done,
            final=final,
            vanished=item.moved,
            note=" ".join(filter(None, (item.note, "" if adds_up else _missing(difference, gap)))),
        )
        if final:
            return


def _missing(difference: float, gap: float) -> str:
    return f"The weights add up to {difference - gap:+.3f} instead of {difference:+.3f}."
