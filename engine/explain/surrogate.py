"""LIME's designs and its surrogate, with the `lime` library's semantics (Ribeiro, Singh and Guestrin 2016, section 3).

A design is a boolean array (samples, features): True keeps a feature, False hides it; its first row keeps everything.
The draws repeat those of the library call by call, so that one seed gives the masks that `lime` would draw.
"""

from __future__ import annotations

import functools

import msgspec
import numpy as np
import numpy.typing as npt
from lime.lime_base import LimeBase

Masks = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

IMAGE_KERNEL_WIDTH = 0.25
TEXT_KERNEL_WIDTH = 0.25
"""`lime_text` multiplies distances by 100 and takes a width of 25, which is the same kernel."""


_BOTH = np.array([[True], [False]])


class Surrogate(msgspec.Struct, frozen=True, kw_only=True):
    """A linear model around one item: a weight per feature, and its weighted R² on its samples, in [0, 1]."""

    weights: tuple[float, ...]
    fit: float


def image_masks(samples: int, features: int, random: np.random.RandomState) -> Masks:
    """Hide each superpixel with probability one half, as `lime_image` does; the first row hides nothing.

    A single feature can be hidden in one way only: two rows, whatever `samples` says.
    """
    if features == 1:
        return _BOTH.copy()
    masks: Masks = random.randint(0, 2, samples * features).reshape(samples, features).astype(bool)
    masks[0] = True
    return masks


def text_masks(samples: int, features: int, random: np.random.RandomState) -> Masks:
    """Hide a uniform number of words, at least one, chosen without replacement, as `lime_text` does.

    A single feature can be hidden in one way only: two rows, whatever `samples` says.
    """
    if features == 1:
        return _BOTH.copy()
    sizes = random.randint(1, features + 1, samples - 1)
    masks = np.ones((samples, features), dtype=bool)
    for row, size in enumerate(sizes, start=1):
        masks[row, random.choice(features, size, replace=False)] = False
    return masks


def kernel(distances: Values, width: float) -> Values:
    """The exponential kernel of `lime`: the weight of a sample at a distance, in (0, 1]."""
    weights: Values = np.sqrt(np.exp(-(distances**2) / width**2))
    return weights


def distances(masks: Masks) -> Values:
    """Cosine distance of every row to the row that keeps everything; 1 for a row that hides everything."""
    kept = masks.mean(axis=1)
    result: Values = 1.0 - np.sqrt(kept)
    return result


def fit(masks: Masks, probabilities: Values, width: float) -> Surrogate:
    """Weighted ridge regression (alpha 1, intercept) of the probabilities on the masks, through `LimeBase`.

    A feature that can be hidden in one way only has an exact answer, the difference it makes, and needs no regression.
    """
    if masks.shape[1] == 1:
        kept = masks[:, 0]
        return Surrogate(weights=(float(probabilities[kept].mean() - probabilities[~kept].mean()),), fit=1.0)
    base = LimeBase(functools.partial(kernel, width=width), random_state=0)
    _, pairs, score, _ = base.explain_instance_with_data(
        masks.astype(float), probabilities[:, None], distances(masks), 0, masks.shape[1], feature_selection="none"
    )
    weights = dict(pairs)
    return Surrogate(
        weights=tuple(float(weights[feature]) for feature in range(masks.shape[1])), fit=float(np.clip(score, 0, 1))
    )
