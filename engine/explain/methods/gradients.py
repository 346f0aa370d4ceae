"""Gradient × input of the mask: how fast the probability falls when a superpixel or a word begins to be hidden.

At the item itself it says little where the probability is near 0 or 1. So it is averaged over random masks that hide
half of everything, as SmoothGrad does over noise (Smilkov et al. 2017, equation 1), in pairs of a mask and its
complement: whatever is linear in the mask cancels within a pair.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from engine.explain.halves import agreement
from engine.explain.methods.masked import MaskedItem
from engine.explain.methods.parts import IMAGE, TEXT, Values, Weights

LOOKS, MOST_PAIRS = (8, 16, 32), 64
"""After so many pairs an explanation is shown, and whether it is stable is looked at."""
STABLE = 0.1
"""Stable: no standard error is larger than this share of the largest weight."""


def averaged(item: MaskedItem, samples: int | None, seed: int) -> Iterator[Weights]:
    """Weights that get better, the last of them final; one sample is the item itself, without standard errors.

    Raises:
        CancelledError: between two batches, where somebody asked for that.
    """
    if samples == 1:
        gradients = item.gradients(torch.ones(1, item.features)).cpu().double().numpy()
        with torch.no_grad():
            item(torch.zeros(1, item.features))  # gradients of zero may hide that this differs
        yield _weights(item, gradients, samples=1, final=True)
        return
    pairs = MOST_PAIRS if samples is None else (samples + 1) // 2
    masks = np.random.default_rng(seed).random((pairs, item.features)) < 0.5
    rows = torch.from_numpy(np.stack([masks, ~masks], axis=1).reshape(-1, item.features)).float()
    means = np.zeros((0, item.features))
    for look in (*(look for look in LOOKS if look < pairs), pairs):
        parts = torch.split(rows[2 * len(means) : 2 * look], item.rows)
        gradients = np.concatenate([item.gradients(part).cpu().double().numpy() for part in parts])
        means = np.concatenate([means, gradients.reshape(-1, 2, item.features).mean(axis=1)])
        final = look == pairs or (samples is None and _stable(means))
        yield _weights(item, means, samples=2 * look, final=final)
        if final:
            return


def _stable(means: Values) -> bool:
    return bool(_errors(means).max() <= STABLE * np.abs(means.mean(axis=0)).max())


def _errors(means: Values) -> Values:
    errors: Values = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    return errors


def _weights(item: MaskedItem, means: Values, *, samples: int, final: bool) -> Weights:
    """`means` are (pairs, features)."""
    image, text = item.split(means)
    several = len(means) > 1
    return Weights(
        image=image.mean(axis=0),
        text=text.mean(axis=0),
        errors={IMAGE: _errors(image), TEXT: _errors(text)} if several else {},
        reliability={part: found for part, own in ((IMAGE, image), (TEXT, text)) for found in _agreement(own)},
        shared_scale=True,
        samples=samples,
        final=final,
        vanished=item.moved,
        note=item.note,
    )


def _agreement(means: Values) -> Iterator[float]:
    """How well the weights of two halves of the pairs agree, where there are two and that says anything."""
    if len(means) > 1 and (found := agreement(means[::2].mean(axis=0), means[1::2].mean(axis=0))) is not None:
        yield found
