"""Superpixels made for captured pages: SLIC on a small copy of the screenshot, plain background in one piece.

Natural photographs are what quickshift and SLIC are tuned for; a page is mostly one colour with small islands of
text and pictures. The dominant plain colours become one segment each, the rest is cut by SLIC (Achanta et al. 2012),
and the rectangles of the page's parts, where the capture knows them, are borders that no segment crosses.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import slic

from engine.types import Box, Segment, SegmentMap

Labels = npt.NDArray[np.int64]
Cells = npt.NDArray[np.bool_]
Image = npt.NDArray[np.float64]

CELLS = 150 * 150
SEGMENTS = 24
FLAT = 2.5 / 255
DOMINANT = 0.08
MOST_COLOURS = 3
BACKGROUND = 1
MOST_PARTS = 24
SMALLEST = 12
FINEST = 200
SMALL_PART = 500
REACHES = (3, 6, 12, 24)


class Superpixels(msgspec.Struct, frozen=True, kw_only=True):
    """Segments of a screenshot of `width` × `height` pixels on a coarse grid.

    `labels` is (rows, columns), numbered from 0 without gaps. A grid cell covers the pixels between its `edges`.
    `background` is the number of the page's plain background, None where it has none.
    """

    width: int
    height: int
    labels: Labels
    background: int | None = None

    @property
    def count(self) -> int:
        """How many segments there are."""
        return int(self.labels.max()) + 1

    def edges(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Pixel borders of the grid's rows and columns, from 0 to height and width."""
        rows, columns = self.labels.shape
        return edges(self.height, rows), edges(self.width, columns)

    def segments(
        self, weights: npt.NDArray[np.float64], errors: npt.NDArray[np.float64] | None = None
    ) -> tuple[Segment, ...]:
        """One `Segment` for each number, with its weight, error, box and area in screenshot pixels."""
        y_edges, x_edges = self.edges()
        cell_areas = np.outer(np.diff(y_edges), np.diff(x_edges))
        areas = np.bincount(self.labels.ravel(), cell_areas.ravel(), self.count)
        found = []
        for number, (rows, columns) in enumerate(ndimage.find_objects(self.labels + 1)):
            left, top = int(x_edges[columns.start]), int(y_edges[rows.start])
            box = (left, top, int(x_edges[columns.stop]) - left, int(y_edges[rows.stop]) - top)
            error = None if errors is None else float(errors[number])
            found.append(
                Segment(id=number, weight=float(weights[number]), box=box, area=int(areas[number]), error=error)
            )
        return tuple(found)

    def segment_map(self) -> SegmentMap:
        """The grid as it is stored and sent."""
        rows, columns = self.labels.shape
        return SegmentMap(width=columns, height=rows, cells=zlib.compress(self.labels.astype("<u2").tobytes(), 6))

    def over(self, width: int, height: int) -> Labels:
        """The segment of every pixel of the screenshot, or of a smaller copy, (height, width)."""
        rows, columns = self.labels.shape
        tall, wide = np.diff(edges(height, rows)), np.diff(edges(width, columns))
        return np.repeat(np.repeat(self.labels, tall, axis=0), wide, axis=1)


def grid_size(width: int, height: int) -> tuple[int, int]:
    """Columns and rows of the coarse grid: about 22,500 cells in the screenshot's shape, never finer than a pixel."""
    scale = min(1.0, float(np.sqrt(CELLS / (width * height))))
    return max(1, round(width * scale)), max(1, round(height * scale))


def superpixels(
    small: Image, width: int, height: int, regions: Mapping[str, tuple[Box, ...]] | None = None
) -> Superpixels:
    """Cut a screenshot of `width` × `height` pixels by its copy at `grid_size`, (rows, columns, 3) in [0, 1]."""
    plain = _plain(small)
    parts, whole = _parts(small.shape[:2], width, height, regions or {})
    plain[whole] = 0
    labels = _cut(small, _islands(plain == 0, parts, whole), whole) + MOST_COLOURS
    labels = np.where(plain > 0, plain, labels)
    found, numbers = np.unique(labels, return_inverse=True)
    background = 0 if found[0] == BACKGROUND else None
    return Superpixels(width=width, height=height, labels=numbers.reshape(labels.shape), background=background)


def decoded(segment_map: SegmentMap) -> Labels:
    """The grid of segment numbers, (height, width).

    Raises:
        ValueError: the bytes are not a grid of that size.
    """
    cells = np.frombuffer(zlib.decompress(segment_map.cells), dtype="<u2")
    return cells.reshape(segment_map.height, segment_map.width).astype(np.int64)


def edges(pixels: int, cells: int) -> npt.NDArray[np.int64]:
    """Where the grid's cells begin and end along a side of the screenshot, in pixels."""
    return np.round(np.arange(cells + 1) * pixels / cells).astype(np.int64)


def _plain(small: Image) -> Labels:
    """0 where there is something to see, `BACKGROUND`, 2, … for cells of the plain colours, the most frequent first."""
    spread = ndimage.maximum_filter(small, size=(3, 3, 1)) - ndimage.minimum_filter(small, size=(3, 3, 1))
    flat = spread.max(axis=2) <= FLAT
    plain = np.zeros(small.shape[:2], dtype=np.int64)
    codes = (small * 255).round().astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    colours, counts = np.unique(codes[flat], return_counts=True)
    for number, index in enumerate(np.argsort(-counts, kind="stable")[:MOST_COLOURS], start=1):
        colour = np.array([colours[index] >> 16, colours[index] >> 8 & 255, colours[index] & 255]) / 255
        near = flat & (plain == 0) & (np.abs(small - colour).max(axis=2) <= FLAT)
        if near.mean() >= DOMINANT:
            plain[near] = number
    return plain


def _parts(
    shape: tuple[int, ...], width: int, height: int, regions: Mapping[str, tuple[Box, ...]]
) -> tuple[Labels, Cells]:
    """Which of the page's parts each cell belongs to (0 for none, the smaller one where they nest), and which of these
    cells lie in a part so small that it is one segment with its background.
    """
    rows, columns = shape[0], shape[1]
    parts, whole = np.zeros((rows, columns), dtype=np.int64), np.zeros((rows, columns), dtype=bool)
    boxes = [box for boxes in regions.values() for box in boxes if box[2] > 0 and box[3] > 0]
    largest_first = sorted(boxes, key=lambda box: -box[2] * box[3])[:MOST_PARTS]
    for number, (left, top, wide, high) in enumerate(largest_first, start=1):
        x0, x1 = span(left / width, (left + wide) / width, columns)
        y0, y1 = span(top / height, (top + high) / height, rows)
        parts[y0:y1, x0:x1] = number
        whole[y0:y1, x0:x1] = (y1 - y0) * (x1 - x0) <= SMALL_PART
    return parts, whole


def span(start: float, stop: float, cells: int) -> tuple[int, int]:
    """The cells from `start` to `stop`, given as shares, and one more on each side for letters that stick out."""
    return int(np.clip(np.floor(start * cells) - 1, 0, cells)), int(np.clip(np.ceil(stop * cells) + 1, 0, cells))


def _islands(seen: Cells, parts: Labels, whole: Cells) -> Labels:
    """Connected pieces of what is to be seen, from 1 on, no piece in two of the page's parts; 0 elsewhere.

    Gaps between letters and words are bridged, wider ones where that leaves too many pieces.
    """
    islands = np.zeros(seen.shape, dtype=np.int64)
    for reach in REACHES:
        islands[:] = 0
        for part in np.unique(parts[seen]):
            inside = seen & (parts == part)
            if whole[inside].all():
                islands[inside] = islands.max() + 1
            else:
                _number_pieces(inside, reach, islands)
        if islands.max() <= SEGMENTS:
            break
    return islands


def _number_pieces(inside: Cells, reach: int, islands: Labels) -> None:
    """Number the connected pieces of `inside` in `islands`, very small ones together with the nearest larger one."""
    bridged = ndimage.binary_closing(np.pad(inside, reach), np.ones((2 * (reach // 4) + 1, 2 * reach + 1)))
    pieces = np.where(inside, ndimage.label(bridged[reach:-reach, reach:-reach], np.ones((3, 3)))[0], 0)
    large = inside & (np.bincount(pieces.ravel())[pieces] >= SMALLEST)
    if large.any():
        nearest = ndimage.distance_transform_edt(~large, return_distances=False, return_indices=True)
        pieces = np.where(inside, pieces[tuple(nearest)], 0)
    else:
        pieces = inside.astype(np.int64)
    islands[inside] = islands.max() + pieces[inside]


def _cut(small: Image, islands: Labels, whole: Cells) -> Labels:
    """Cut islands that are larger than their share into superpixels; the numbers start at 1, 0 stays 0."""
    share = max(SMALLEST, islands.size / FINEST, np.count_nonzero(islands) / SEGMENTS)
    result, last = np.zeros_like(islands), 0
    for number, place in enumerate(ndimage.find_objects(islands), start=1):
        if place is None:
            continue
        inside = islands[place] == number
        wanted = 1 if whole[place][inside].all() else round(inside.sum() / share)
        pieces = _slic(small[place], inside, wanted) if wanted > 1 else inside.astype(np.int64)
        result[place][inside] = last + pieces[inside]
        last += int(pieces.max())
    return result


def _slic(small: Image, inside: Cells, wanted: int) -> Labels:
    mask = None if inside.all() else inside
    pieces: Labels = slic(
        small, n_segments=wanted, compactness=80, sigma=(1, 1), start_label=1, channel_axis=-1, mask=mask
    )
    return pieces
