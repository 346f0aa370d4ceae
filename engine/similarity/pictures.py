"""Screenshots that show the same page: a difference hash finds candidates, a comparison block by block decides.

Two pages of one site share their frame, and two blank pages share everything; neither makes them copies. So a hash
alone never decides: what has texture must be the same in both, in nearly all blocks, and there must be enough of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.paper import on_paper

SIDE = 64
"""Side of the thumbnail that is compared, in cells."""
BLOCK = 4
"""Side of a block in cells."""
HASH_SIDE = 16
BITS = HASH_SIDE * HASH_SIDE
NEAR_BITS = 28
"""Hashes that differ in more bits than this are of different pages."""
PIXEL_LIMIT = 64_000_000

_FLAT = 2.0
"""Neighbouring cells of the hash that differ by at most this many grey levels count as equal: noise of re-encoding."""
_TEXTURE = 4.0
"""Standard deviation in grey levels from which on a block shows something."""
_SHADE = 16.0
"""Blocks whose mean grey differs by more are different."""
_RESIDUE = 0.55
"""A block differs where the standard deviation of the difference is more than this share of its own."""
_FEWEST_BLOCKS = 12
"""A page with fewer blocks of texture than this is plain: nothing tells it from another."""
_SAME_BLOCKS = 0.93
"""Chosen on rendered pages and on photographs: the same picture, re-encoded, scaled or cropped by a pixel, scores 0.95
and above; pages of one template stay below 0.91 unless they differ in a word or a price only."""
_ASPECT = 0.03
"""The largest difference between the logarithms of two pictures' height by width."""
_MOST_PAIRS = 200_000
"""So many candidates are compared block by block, the nearest ones: more come from one frame around many pages."""
_CHUNK = 512
_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning)
_log = logging.getLogger(__name__)


class Fingerprint(NamedTuple):
    """A screenshot's thumbnail (SIDE, SIDE) in grey levels, its hash (BITS,) of -1 and 1, and height by width."""

    thumbnail: NDArray[np.uint8]
    hash: NDArray[np.int8]
    aspect: float


def fingerprint(path: Path) -> Fingerprint | None:
    """Return a picture file's fingerprint; None where it cannot be read (logged), or shows too little."""
    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as image:
            width, height = image.size
            if width * height > PIXEL_LIMIT:
                raise ValueError(f"{width} × {height} pixels are more than {PIXEL_LIMIT}")
            grey = on_paper(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except _DAMAGE as error:
        _log.warning("the screenshot %s is not looked at for copies: %s", path, error)
        return None
    thumbnail = _smoothed(np.array(grey, dtype=np.float32))
    if (_blocks(thumbnail[None]).std(axis=2) >= _TEXTURE).sum() < _FEWEST_BLOCKS:
        return None
    return Fingerprint(thumbnail, difference_hash(Image.fromarray(thumbnail)), height / width)


def _smoothed(cells: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the cells averaged with their neighbours (1, 2, 1): a page cut by a pixel moves by part of a cell."""
    rim = np.pad(cells, 1, mode="edge")
    across = rim[:, :-2] + 2 * rim[:, 1:-1] + rim[:, 2:]
    smoothed: NDArray[np.uint8] = ((across[:-2] + 2 * across[1:-1] + across[2:]) / 16).round().astype(np.uint8)
    return smoothed


def difference_hash(grey: Image.Image) -> NDArray[np.int8]:
    """Return (BITS,) signs: 1 where a cell of the picture is clearly lighter than its left neighbour, else -1.

    The "dHash" of perceptual hashing, with a margin so that plain areas do not turn on noise.
    """
    cells = np.array(grey.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX), dtype=np.float32)
    return np.where(np.diff(cells, axis=1) > _FLAT, 1, -1).astype(np.int8).ravel()


def _blocks(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (N, B, BLOCK²) grey levels of the blocks of (N, SIDE, SIDE) thumbnails."""
    side = SIDE // BLOCK
    cut = thumbnails.reshape(-1, side, BLOCK, side, BLOCK).transpose(0, 1, 3, 2, 4)
    return cut.reshape(len(thumbnails), side * side, BLOCK * BLOCK).astype(np.float32)


def same_share(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return for (N, SIDE, SIDE) thumbnails which share in [0, 1] of the blocks that show anything shows the same."""
    first, second = _blocks(one), _blocks(other)
    deviation = np.maximum(first.std(axis=2), second.std(axis=2))
    shade = np.abs(first.mean(axis=2) - second.mean(axis=2)) > _SHADE
    differs = shade | ((first - second).std(axis=2) > np.maximum(_RESIDUE * deviation, _TEXTURE))
    shows = (deviation >= _TEXTURE) | shade
    shares: NDArray[np.float64] = 1 - (differs & shows).sum(axis=1) / np.maximum(shows.sum(axis=1), 1)
    return shares


def alike(prints: Sequence[Fingerprint]) -> list[tuple[int, int, int]]:
    """Return (place, place, differing bits) for the fingerprints that show the same page, the smaller place first."""
    if len(prints) < 2:
        return []
    pairs, bits = _near(np.stack([one.hash for one in prints]).astype(np.float32))
    slopes = np.log([one.aspect for one in prints])
    fitting = np.abs(slopes[pairs[:, 0]] - slopes[pairs[:, 1]]) <= _ASPECT
    pairs, bits = pairs[fitting], bits[fitting]
    nearest = np.argsort(bits, kind="stable")[:_MOST_PAIRS]
    thumbnails = np.stack([one.thumbnail for one in prints])
    found: list[tuple[int, int, int]] = []
    for start in range(0, len(nearest), _CHUNK):
        part = nearest[start : start + _CHUNK]
        first, second = pairs[part].T
        same = same_share(thumbnails[first], thumbnails[second]) >= _SAME_BLOCKS
        found += zip(first[same].tolist(), second[same].tolist(), bits[part][same].tolist(), strict=True)
    return sorted(found)


def _near(hashes: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the (P, 2) pairs of hashes that differ in at most NEAR_BITS bits, and in how many (P,)."""
    pairs, bits = [np.empty((0, 2), dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for start in range(0, len(hashes), _CHUNK):
        distances = (BITS - hashes[start : start + _CHUNK] @ hashes[start:].T) / 2
        first, second = np.nonzero(np.triu(distances <= NEAR_BITS, k=1))
        pairs.append(np.stack([first, second], axis=1) + start)
        bits.append(distances[first, second].astype(np.int64))
    return np.concatenate(pairs), np.concatenate(bits)
