from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from engine.explain.superpixels import Superpixels, decoded, grid_size, superpixels

Boxes = dict[str, tuple[tuple[float, float, float, float], ...]]


def cut(path: str, regions: Boxes | None = None) -> Superpixels:
    with Image.open(path) as image:
        width, height = image.size
        small = image.convert("RGB").resize(grid_size(width, height), Image.Resampling.BOX)
    return superpixels(np.asarray(small) / 255, width, height, regions)


def noise(rows: int, columns: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(0).random((rows, columns, 3))


def weightless(found: Superpixels) -> npt.NDArray[np.float64]:
    return np.zeros(found.count)


def rows_of(found: Superpixels, y: int) -> int:
    return int(found.labels.shape[0] * y // found.height)


def columns_of(found: Superpixels, x: int) -> int:
    return int(found.labels.shape[1] * x // found.width)


def test_a_plain_background_is_one_segment(page: str) -> None:
    found = cut(page)
    corners = {int(found.labels[y, x]) for y in (0, -1) for x in (0, -1)}
    assert len(corners) == 1
    background = found.segments(weightless(found))[corners.pop()]
    assert background.area > 0.5 * 300 * 240
    assert 10 <= found.count <= 40


def test_segments_cover_the_whole_screenshot_once(page: str) -> None:
    found = cut(page)
    segments = found.segments(weightless(found))
    assert sum(segment.area for segment in segments) == 300 * 240
    assert [segment.id for segment in segments] == list(range(found.count))
    for segment in segments:
        left, top, width, height = segment.box
        assert left >= 0
        assert top >= 0
        assert left + width <= 300
        assert top + height <= 240
        assert 0 < segment.area <= width * height


def test_no_segment_but_the_background_crosses_the_border_of_a_region(page: str) -> None:
    region = (180.0, 130.0, 60.0, 90.0)
    found = cut(page, {"media": (region,)})
    edges_y, edges_x = found.edges()
    inside = np.zeros(found.labels.shape, dtype=bool)
    inside[np.ix_((edges_y[1:] > 130) & (edges_y[:-1] < 220), (edges_x[1:] > 180) & (edges_x[:-1] < 240))] = True
    outside = np.ones_like(inside)
    outside[np.ix_((edges_y[1:] > 125) & (edges_y[:-1] < 225), (edges_x[1:] > 175) & (edges_x[:-1] < 245))] = False
    background = {int(found.labels[0, 0]), int(found.labels[rows_of(found, 140), columns_of(found, 190)])}
    assert set(found.labels[inside].tolist()) & set(found.labels[outside].tolist()) <= background
    assert len(set(found.labels[inside].tolist()) - background) > 1


def test_a_small_region_is_one_segment_with_its_background(page: str) -> None:
    found = cut(page, {"word": ((100.0, 85.0, 40.0, 16.0),)})
    inside = found.labels[rows_of(found, 86) : rows_of(found, 100), columns_of(found, 101) : columns_of(found, 139)]
    assert len(np.unique(inside)) == 1
    assert inside[0, 0] != found.labels[0, 0]


def test_the_stored_map_is_the_grid(page: str) -> None:
    found = cut(page)
    stored = found.segment_map()
    assert (stored.height, stored.width) == found.labels.shape
    assert len(stored.cells) < 5000
    np.testing.assert_array_equal(decoded(stored), found.labels)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 40), (40, 1), (2, 3), (9, 9), (150, 150)])
def test_any_size_and_a_picture_without_background_can_be_cut(rows: int, columns: int) -> None:
    found = superpixels(noise(rows, columns), columns, rows)
    assert sorted(np.unique(found.labels)) == list(range(found.count))
    assert 1 <= found.count <= 40
    if rows == 150:
        assert found.count >= 20


def test_one_colour_is_one_segment() -> None:
    assert superpixels(np.full((150, 150, 3), 0.3), 600, 600).count == 1


@pytest.mark.parametrize(
    "boxes",
    [
        ((-1e9, -1e9, 2e9, 2e9),),
        ((1e6, 1e6, 5.0, 5.0), (0.0, 0.0, 0.0, 0.0), (-50.0, 10.0, 20.0, 20.0)),
        tuple((float(x), float(y), 9.0, 9.0) for x in range(0, 300, 10) for y in range(0, 240, 10)),
    ],
)
def test_regions_that_make_no_sense_do_no_harm(page: str, boxes: tuple[tuple[float, float, float, float], ...]) -> None:
    found = cut(page, {"odd": boxes})
    assert 1 <= found.count <= 120


def test_every_pixel_of_the_screenshot_or_a_smaller_copy_has_its_segment(page: str) -> None:
    found = cut(page)
    areas = np.bincount(found.over(300, 240).ravel())
    assert areas.tolist() == [segment.area for segment in found.segments(weightless(found))]
    assert found.over(150, 120).shape == (120, 150)


@pytest.mark.parametrize(
    ("width", "height", "grid"), [(600, 600, (150, 150)), (10, 10, (10, 10)), (1, 5000, (1, 5000))]
)
def test_the_grid_is_coarse_and_never_finer_than_a_pixel(width: int, height: int, grid: tuple[int, int]) -> None:
    assert grid_size(width, height) == grid
