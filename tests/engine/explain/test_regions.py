from __future__ import annotations

import itertools
import math
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from engine.evidence import ELSEWHERE
from engine.explain.regions import region_share
from engine.explain.superpixels import grid_size, superpixels
from engine.types import Box, Segment, SegmentMap

Labels = npt.NDArray[np.int64]
Regions = dict[str, tuple[Box, ...]]


def stored(labels: Labels) -> SegmentMap:
    rows, columns = labels.shape
    return SegmentMap(width=columns, height=rows, cells=zlib.compress(labels.astype("<u2").tobytes()))


def segment(number: int, weight: float, error: float | None = None) -> Segment:
    return Segment(id=number, weight=weight, box=(0, 0, 1, 1), area=1, error=error)


def owner(column: int, row: int, labels: Labels, regions: Regions, width: int, height: int) -> str:
    """The smallest region that reaches a cell, one cell further than its box."""
    found = [(math.inf, ELSEWHERE)]
    for name, boxes in regions.items():
        for left, top, wide, high in boxes:
            across = left / width * labels.shape[1] - 2 < column < (left + wide) / width * labels.shape[1] + 1
            down = top / height * labels.shape[0] - 2 < row < (top + high) / height * labels.shape[0] + 1
            if across and down:
                found.append((wide * high, name))
    return min(found)[1]


def by_pixel(labels: Labels, weights: list[float], regions: Regions, width: int, height: int) -> dict[str, float]:
    """Every pixel has its part of the absolute weight of its segment."""
    rows, columns = labels.shape
    segments, owners = {}, {}
    for y, x in itertools.product(range(height), range(width)):
        row = next(cell for cell in range(rows) if y < round((cell + 1) * height / rows))
        column = next(cell for cell in range(columns) if x < round((cell + 1) * width / columns))
        segments[x, y] = int(labels[row, column])
        owners[x, y] = owner(column, row, labels, regions, width, height)
    sizes = {number: sum(own == number for own in segments.values()) for number in set(segments.values())}
    shares = dict.fromkeys([ELSEWHERE, *regions], 0.0)
    for place, number in segments.items():
        shares[owners[place]] += abs(weights[number]) / sizes[number]
    return {name: share / sum(shares.values()) for name, share in shares.items()}


@pytest.mark.parametrize("seed", range(6))
def test_shares_are_what_a_count_of_pixels_gives(seed: int) -> None:
    random = np.random.default_rng(seed)
    width, height = 37, 29
    labels = random.integers(0, 7, (11, 14))
    regions: Regions = {
        name: tuple(
            (float(left), float(top), float(wide), float(high))
            for left, top, wide, high in random.uniform((0, 0, 1, 1), (30, 22, 15, 12), (count, 4)).round(2)
        )
        for name, count in (("text", 2), ("handle", 1), ("media", 1))
    }
    weights = random.normal(0, 0.2, 7).tolist()
    found = region_share([segment(n, w) for n, w in enumerate(weights)], stored(labels), regions, width, height)
    assert found == pytest.approx(by_pixel(labels, weights, regions, width, height))
    assert sum(found.values()) == pytest.approx(1)


def test_the_smallest_of_nested_regions_has_the_pixels() -> None:
    labels = np.arange(16).reshape(4, 4)
    regions: Regions = {"handle": ((200.0, 200.0, 10.0, 10.0),), "text": ((0.0, 0.0, 400.0, 400.0),)}
    found = region_share([segment(10, -0.3), segment(0, 0.1)], stored(labels), regions, 400, 400)
    assert found == pytest.approx({"elsewhere": 0, "handle": 0.75, "text": 0.25})


def test_a_region_that_is_called_elsewhere_is_counted_with_the_rest_of_the_page() -> None:
    labels = np.arange(16).reshape(4, 4)
    regions: Regions = {ELSEWHERE: ((0.0, 0.0, 10.0, 10.0),), "text": ((300.0, 300.0, 100.0, 100.0),)}
    segments = [segment(0, 0.3), segment(12, 0.1), segment(15, 0.1)]
    found = region_share(segments, stored(labels), regions, 400, 400)
    assert found == pytest.approx({ELSEWHERE: 0.8, "text": 0.2})
    assert region_share(segments[:1], stored(labels), {ELSEWHERE: regions[ELSEWHERE]}, 400, 400) == {ELSEWHERE: 1.0}


def test_a_segment_cut_for_a_region_is_all_its_own() -> None:
    """The grid's cells are coarser than pixels, yet no evidence of the handle goes to the page around it."""
    image = Image.new("RGB", (600, 600), "white")
    pen = ImageDraw.Draw(image)
    for x in range(34, 200, 9):
        pen.line((x, 71, x, 82), fill="black", width=3)
    for x in range(34, 500, 7):
        pen.line((x, 300, x + 3, 340), fill="navy", width=3)
    regions: Regions = {"handle": ((33.0, 70.0, 170.0, 14.0),), "text": ((30.0, 295.0, 480.0, 50.0),)}
    columns, rows = grid_size(600, 600)
    small = np.asarray(image.resize((columns, rows), Image.Resampling.BOX)) / 255
    cut = superpixels(small, 600, 600, regions)
    number = int(cut.labels[round(76 / 600 * rows), round(100 / 600 * columns)])
    assert number != cut.background
    found = region_share([segment(number, 0.4)], cut.segment_map(), regions, 600, 600)
    assert found == {"elsewhere": 0.0, "handle": 1.0, "text": 0.0}


def test_a_weight_that_cannot_be_told_from_zero_is_no_evidence() -> None:
    labels = np.array([[0, 1, 2, 3, 4, 5, 6, 7]])
    regions: Regions = {"handle": ((0.0, 0.0, 20.0, 10.0),), "text": ((50.0, 0.0, 30.0, 10.0),)}
    segments = [segment(0, 0.1, 0.09), segment(6, 0.1, 0.02), segment(4, 0.0)]
    assert region_share(segments, stored(labels), regions, 80, 10)["text"] == pytest.approx(1)
    assert region_share(segments[:1], stored(labels), regions, 80, 10) == {}


def test_nothing_to_share_is_empty() -> None:
    labels, handle = np.zeros((2, 2), dtype=np.int64), {"handle": ((0.0, 0.0, 5.0, 5.0),)}
    one = [segment(0, 0.5)]
    assert region_share([], stored(labels), handle, 9, 9) == {}
    assert region_share([segment(0, 0.0)], stored(labels), handle, 9, 9) == {}
    assert region_share(one, stored(labels), {}, 9, 9) == {}
    assert region_share(one, stored(labels), {"handle": ()}, 9, 9) == {}
    assert region_share(one, None, handle, 9, 9) == {}
    assert region_share([segment(3, 0.5)], stored(labels), handle, 9, 9) == {}
    assert region_share(one, stored(labels), {"handle": ((0.0, 0.0, 0.0, 5.0),)}, 9, 9) == {"elsewhere": 1, "handle": 0}
