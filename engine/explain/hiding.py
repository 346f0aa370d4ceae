"""What hiding a superpixel changes in a model's input, exactly, without making a single hidden screenshot.

Preparing a screenshot is linear (see `engine.models.images.resampling`). So a perturbed input is the unperturbed one
less the changes of those superpixels that are hidden, each of them small and computed once.
"""

from __future__ import annotations

import functools
import itertools
import math

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from engine.explain.superpixels import FLAT, Superpixels
from engine.models.images import masked_boxes, resampling
from engine.models.linear_algebra import numpy_on_one_core
from engine.models.spec import ImageSpec
from engine.types import ItemContent

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

INVISIBLE = 1.5 / 255
"""A superpixel that differs from the colour that hides it by less than this looks the same when it is hidden."""
MOST_PIXELS, LONGEST_SIDE = 4_000_000, 16_384
"""Larger or longer screenshots are reduced first, for the time and memory that they would take."""
NOWHERE = -1
ENOUGH_PIXELS = 2000
"""So many of a superpixel's pixels, evenly spread, tell whether it is plain."""


class Change(msgspec.Struct, frozen=True):
    """`values` (3, height, width) are taken from the model's input at `rows`, `columns` when `segment` is hidden."""

    segment: int
    rows: slice
    columns: slice
    values: Floats


def changes(
    content: ItemContent, found: Superpixels, spec: ImageSpec, screenshot: Image.Image, *, paint_plain: bool = True
) -> list[Change]:
    """The change that each superpixel of an item's screenshot makes, those that make none left out.

    A superpixel is hidden by its mean colour, as in LIME. One that is mostly a single colour (a badge, a button, a
    coloured panel) cannot be hidden like that: with `paint_plain`, the page's background is painted over it, where the
    page has one.
    """
    pixels, steps = _pixels(screenshot)
    height, width = pixels.shape[:2]
    labels = found.over(width, height)
    fills = _fills(pixels, labels, found, paint_plain=paint_plain)
    for left, upper, right, lower in _scaled(masked_boxes(content, spec), width / found.width, height / found.height):
        labels[max(upper, 0) : max(lower, 0), max(left, 0) : max(right, 0)] = NOWHERE
    down = _weights(found.height - spec.crop_top, spec.size, steps[0], spec.crop_top % steps[0])
    top = spec.crop_top // steps[0]
    with numpy_on_one_core:
        return _resampled(pixels[top:], labels[top:], fills, (down, _weights(found.width, spec.size, steps[1])))


def _pixels(rgb: Image.Image) -> tuple[Bytes, tuple[int, int]]:
    """The screenshot's RGB bytes, (height, width, 3), and how many of its rows and columns are one of them."""
    factor = math.ceil(math.sqrt(rgb.width * rgb.height / MOST_PIXELS))
    across, down = (max(factor, math.ceil(side / LONGEST_SIDE)) for side in rgb.size)
    return np.asarray(rgb.reduce((across, down)) if max(across, down) > 1 else rgb), (down, across)


def _scaled(boxes: list[tuple[int, int, int, int]], across: float, down: float) -> list[tuple[int, int, int, int]]:
    return [
        (math.floor(x0 * across), math.floor(y0 * down), math.ceil(x1 * across), math.ceil(y1 * down))
        for x0, y0, x1, y1 in boxes
    ]


def _fills(screenshot: Bytes, labels: Labels, found: Superpixels, *, paint_plain: bool) -> Floats:
    """The colour that hides each superpixel, (superpixels, 3) in [0, 1]."""
    flat = labels.ravel().astype(np.int16)
    order = np.argsort(flat, kind="stable")  # of 16 bits: a radix sort, six times faster
    starts = np.searchsorted(flat[order], np.arange(found.count + 1))
    planes = [np.take(screenshot[:, :, channel], order) for channel in range(3)]  # sums along memory are fast
    pixels = [np.stack([one[start:stop] for one in planes]) for start, stop in itertools.pairwise(starts.tolist())]
    fills = np.stack([own.mean(axis=1) if own.size else np.zeros(3) for own in pixels]) / 255
    if paint_plain and found.background is not None and pixels[found.background].size:
        page = fills[found.background]
        for number, own in enumerate(pixels):
            if number != found.background and own.size and _is_plain(own, page):
                fills[number] = page
    return fills.astype(np.float32)


def _is_plain(pixels: Bytes, page: npt.NDArray[np.float64]) -> bool:
    """Whether more than half of the pixels, (3, n), have one colour, and not that of the page."""
    pixels = pixels[:, :: -(-pixels.shape[1] // ENOUGH_PIXELS)]
    colour = np.median(pixels, axis=1, keepdims=True)
    same = np.abs(pixels - colour).max(axis=0) <= 255 * FLAT
    return bool(same.mean() > 0.5 and np.abs(colour[:, 0] / 255 - page).max() > FLAT)


def _resampled(screenshot: Bytes, labels: Labels, fills: Floats, weights: tuple[Floats, Floats]) -> list[Change]:
    """The changes, by `weights` (S, height) and (S, width) of the screenshot's rows and columns."""
    down, across = weights
    planes = np.ascontiguousarray(screenshot.transpose(2, 0, 1)).astype(np.float32) / 255
    found = []
    for number, place in enumerate(ndimage.find_objects(labels + 1)):
        if place is None:
            continue
        change = planes[:, *place] - fills[number][:, None, None]
        change *= labels[place] == number
        if np.abs(change).max() <= INVISIBLE:
            continue
        rows, columns = _reached(down[:, place[0]]), _reached(across[:, place[1]])
        values = down[rows, place[0]] @ change @ across[columns, place[1]].T
        if np.abs(values).max() > INVISIBLE:
            found.append(Change(number, rows, columns, values))
    return found


@functools.lru_cache(maxsize=16)
def _weights(length: int, size: int, step: int, cut: int = 0) -> Floats:
    """The matrix of the resizing along one axis, of which every `step` pixels are one, of the first one the last ones
    that are not `cut` off; most screenshots of a workspace are of one size.
    """
    borders = np.arange(-(-(length + cut) // step) + 1) * step - cut
    return resampling(length, size, np.clip(borders, 0, length)).astype(np.float32)


def _reached(weights: Floats) -> slice:
    """The rows of the model's square that these pixels have a share in."""
    rows = np.flatnonzero(weights.any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1)
