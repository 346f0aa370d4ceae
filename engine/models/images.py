"""Preparing a screenshot: decode, mask regions, cut the top off, resize to a square.

The square is squashed, not cropped or padded: a page's edges carry signal (a price, a handle), and one linear map from
screenshot to network input keeps heatmaps exact.
"""

from __future__ import annotations

import io
import itertools
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.evidence import ELSEWHERE
from engine.models.spec import MEAN, NONE, ImageSpec
from engine.paper import on_paper
from engine.types import Box, ItemContent
from engine.workspace.captures import read_unchanged

PIXEL_LIMIT = 64_000_000
"""Screenshots with more pixels than this are not decoded."""

Pixels = tuple[int, int, int, int]
"""Left, top, right, bottom of a rectangle in pixels, right and bottom outside of it."""

_log = logging.getLogger(__name__)
_FILL = tuple(round(255 * value) for value in MEAN)
DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning)
"""What opening and decoding a screenshot may raise where its file is not in order, or too large."""


def prepare_capture(content: ItemContent, spec: ImageSpec) -> NDArray[np.uint8] | None:
    """The item's screenshot as (S, S, 3) RGB bytes; None where there is none, or it cannot be used (logged)."""
    if content.capture is None or spec.backbone == NONE:
        return None
    try:
        with opened(Path(content.capture)) as image:
            return _prepare(image, content, spec)
    except DAMAGE as error:
        _log.warning("item %s is looked at without its screenshot %s: %s", content.id, content.capture, error)
        return None


def in_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Numbers from 0 to 1 as bytes; what is outside is taken for the nearest that is inside."""
    found: NDArray[np.uint8] = np.clip(np.rint(values * np.float32(255)), 0, 255).astype(np.uint8)
    return found


def resampling(source: int, target: int, borders: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """The (target, source) matrix of the resizing along one axis; rows sum to 1.

    Blocks of whole pixels are averaged first where the source is at least twice the target (half the work, the same
    picture). Then Pillow's bilinear filter with antialiasing: triangles as wide as the scale, centred on pixel centres.
    The resized screenshot is `resampling(H, S) @ channel @ resampling(W, S).T`, but for rounding to bytes.

    With `borders`, (n + 1,) from 0 to `source`, the (target, n) matrix of what is the mean of the pixels between two of
    them each.
    """
    block = max(source // target, 1)
    starts = np.arange(0, source, block)
    scale = source / block / target
    centres = (np.arange(target) + 0.5) * scale
    distance = np.abs(np.arange(len(starts)) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.clip(1.0 - distance, 0.0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    borders = np.arange(source + 1) if borders is None else borders
    within = np.minimum(borders // block, len(starts) - 1)
    share = (borders - starts[within]) / np.diff(starts, append=source)[within]
    before = np.cumsum(weights, axis=1) - weights
    matrix: NDArray[np.float64] = np.diff(before[:, within] + share * weights[:, within], axis=1)
    return matrix


def opened(path: Path) -> Image.Image:
    """A screenshot, to be decoded; raises one of `DAMAGE`, also where the file is another one than was imported."""
    return Image.open(io.BytesIO(read_unchanged(path)), formats=["PNG"])


def check_size(image: Image.Image) -> None:
    """Raise `ValueError` for more than `PIXEL_LIMIT` pixels, before any of them is decoded."""
    width, height = image.size
    if width * height > PIXEL_LIMIT:
        raise ValueError(f"{width} × {height} pixels are more than {PIXEL_LIMIT}")


def _prepare(image: Image.Image, content: ItemContent, spec: ImageSpec) -> NDArray[np.uint8]:
    check_size(image)
    width, height = image.size
    if spec.crop_top >= height:
        raise ValueError(f"nothing is left of {height} rows after cutting {spec.crop_top} off the top")
    rgb = on_paper(image)
    for box in masked_boxes(content, spec):
        rgb.paste(_FILL, box)
    if spec.crop_top:  # not resize's own box: its filter reaches over the edge, and the handle would shine through
        rgb = rgb.crop((0, spec.crop_top, width, height))
    return np.array(rgb.resize((spec.size, spec.size), Image.Resampling.BILINEAR, reducing_gap=1.0))


def masked_boxes(content: ItemContent, spec: ImageSpec) -> list[Pixels]:
    """What `spec.mask_regions` hides: left, top, right, bottom in whole pixels, rounded outwards, not a sliver left.

    `ELSEWHERE` hides what lies in no region, on pages that know their regions; its boxes reach beyond the screenshot.
    """
    boxes: list[Box] = [box for name in spec.mask_regions for box in content.regions.get(name, ())]
    hidden = [_whole(box) for box in boxes]
    if ELSEWHERE in spec.mask_regions:
        hidden += _around([_whole(box) for own in content.regions.values() for box in own])
    return hidden


def _whole(box: Box) -> Pixels:
    left, top, width, height = box
    return math.floor(left), math.floor(top), math.ceil(left + width), math.ceil(top + height)


def _around(boxes: list[Pixels]) -> Iterator[Pixels]:
    """Everything to the right of and below (0, 0) but the boxes, in pieces that do not overlap; nothing without any."""
    borders = sorted({0, PIXEL_LIMIT, *(max(0, border) for _, top, _, bottom in boxes for border in (top, bottom))})
    for top, bottom in itertools.pairwise(borders if boxes else ()):
        free = 0
        for left, right in sorted((one[0], one[2]) for one in boxes if one[1] <= top and bottom <= one[3]):
            if left > free:
                yield free, top, left, bottom
            free = max(free, right)
        yield free, top, PIXEL_LIMIT, bottom
