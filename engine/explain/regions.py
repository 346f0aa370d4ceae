"""Where on the page the evidence is: shares of an explanation's weights per region (handle, text, media …)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from engine.evidence import ELSEWHERE, is_clear
from engine.explain.superpixels import Labels, decoded, edges, span
from engine.types import Box, Segment, SegmentMap

Areas = npt.NDArray[np.float64]


def region_share(
    segments: Sequence[Segment],
    segment_map: SegmentMap | None,
    regions: Mapping[str, tuple[Box, ...]],
    width: int,
    height: int,
) -> dict[str, float]:
    """The share of the evidence in each of the page's regions and `ELSEWHERE`, in [0, 1], adding up to 1.

    Evidence is the sum of absolute weights that can be told from zero. A segment in several regions is divided by
    area; where regions nest, the smallest has the pixels. A region reaches one cell of the grid further than its boxes
    say, as it does when superpixels are cut: the letters that stick out are its own. Regions without evidence have
    share 0. `width` and `height` are the screenshot's, to which `regions` refer.

    Empty where there is no evidence, no region or no segment map.

    Raises:
        ValueError: the bytes of the segment map are not a grid of its size.
    """
    clear = {segment.id: abs(segment.weight) for segment in segments if is_clear(segment.weight, segment.error)}
    if segment_map is None or not clear or not any(regions.values()):
        return {}
    labels = decoded(segment_map)
    names = [ELSEWHERE, *regions]
    covered = _covered(labels, _owners(labels.shape, regions, width, height), len(names), width, height)
    weights = np.array([clear.get(number, 0.0) for number in range(len(covered))])
    evidence = weights @ (covered / np.maximum(covered.sum(axis=1, keepdims=True), 1))
    total = evidence.sum()
    if not total:
        return {}
    shares = dict.fromkeys(names, 0.0)
    for name, share in zip(names, evidence, strict=True):
        shares[name] += float(share / total)  # a page may call a region "elsewhere", too
    return shares


def _covered(labels: Labels, owners: Labels, names: int, width: int, height: int) -> Areas:
    """How many pixels of each segment each region has, (segments, names)."""
    segments = int(labels.max()) + 1
    cells = np.outer(np.diff(edges(height, labels.shape[0])), np.diff(edges(width, labels.shape[1])))
    covered = np.bincount((labels * names + owners).ravel(), cells.ravel(), segments * names)
    return covered.reshape(segments, names).astype(np.float64)


def _owners(shape: tuple[int, ...], regions: Mapping[str, tuple[Box, ...]], width: int, height: int) -> Labels:
    """The number of each cell's region, counted from 1; 0 elsewhere."""
    owners = np.zeros(shape, dtype=np.int64)
    boxes = [
        (box, number)
        for number, own in enumerate(regions.values(), start=1)
        for box in own
        if box[2] > 0 and box[3] > 0
    ]
    for (left, top, wide, high), number in sorted(boxes, key=lambda found: -found[0][2] * found[0][3]):
        x0, x1 = span(left / width, (left + wide) / width, shape[1])
        y0, y1 = span(top / height, (top + high) / height, shape[0])
        owners[y0:y1, x0:x1] = number
    return owners
