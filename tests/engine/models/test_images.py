"""Screenshots as networks see them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.models.images import masked_boxes, prepare_capture, resampling
from engine.models.spec import ImageSpec
from engine.types import ItemContent

MakeCapture = Callable[..., str]
FILL = (124, 116, 104)
"""ImageNet's mean colour."""


def content(capture: str | None, **fields: object) -> ItemContent:
    return ItemContent(id="x", kind="tweet", capture=capture, **fields)  # type: ignore[arg-type]


def test_a_screenshot_is_squashed_to_a_square(make_capture: MakeCapture) -> None:
    square = prepare_capture(content(make_capture(size=(60, 30))), ImageSpec(size=32))
    assert square is not None
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8


@pytest.mark.parametrize(("size", "target"), [((90, 70), 32), ((601, 600), 224), ((20, 24), 32), ((131, 40), 32)])
def test_resizing_is_the_linear_map_it_claims_to_be(
    make_capture: MakeCapture, size: tuple[int, int], target: int
) -> None:
    path = make_capture(size=size)
    square = prepare_capture(content(path), ImageSpec(size=target))
    raw = np.asarray(Image.open(path), dtype=np.float64)
    across, down = resampling(size[0], target), resampling(size[1], target)
    expected = np.einsum("yh,hwc,xw->yxc", down, raw, across, optimize=True)
    assert square is not None
    assert np.abs(square - expected).max() <= 1.51  # Pillow rounds after each of its passes


def test_resampling_keeps_a_constant() -> None:
    np.testing.assert_allclose(resampling(601, 224).sum(axis=1), 1.0)


@pytest.mark.parametrize(("source", "target"), [(601, 224), (1000, 96), (50, 96)])
def test_resampling_of_means_adds_up_what_their_pixels_count(source: int, target: int) -> None:
    borders = np.array([0, 1, 7, 8, 20, source - 3, source])
    whole = resampling(source, target)
    expected = np.stack([whole[:, one:other].sum(axis=1) for one, other in itertools.pairwise(borders)], axis=1)
    np.testing.assert_allclose(resampling(source, target, borders), expected, atol=1e-12)


def test_the_top_is_cut_off_before_resizing(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:16] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    whole = prepare_capture(content(str(tmp_path / "a.png")), ImageSpec(size=32))
    cut = prepare_capture(content(str(tmp_path / "a.png")), ImageSpec(size=32, crop_top=16))
    assert whole is not None
    assert whole.max() == 255
    assert cut is not None
    assert cut.max() == 0


def test_masked_regions_are_the_mean_colour_to_their_last_sliver(make_capture: MakeCapture) -> None:
    item = content(
        make_capture(size=(32, 32)), regions={"handle": ((2.6, 3.2, 10.1, 5.9),), "price": ((20, 20, 4, 4),)}
    )
    plain = prepare_capture(item, ImageSpec(size=32))
    masked = prepare_capture(item, ImageSpec(size=32, mask_regions=("handle", "absent")))
    assert plain is not None
    assert masked is not None
    assert (masked[3:10, 2:13] == FILL).all()
    outside = np.ones((32, 32), dtype=bool)
    outside[3:10, 2:13] = False
    np.testing.assert_array_equal(masked[outside], plain[outside])


@pytest.mark.parametrize("seed", range(5))
def test_masking_elsewhere_leaves_what_lies_in_a_region(make_capture: MakeCapture, seed: int) -> None:
    random = np.random.default_rng(seed)
    boxes = [tuple(map(float, random.integers((-4, -4, 0, 0), (32, 32, 20, 20)))) for _ in range(4)]
    item = content(make_capture(size=(32, 32)), regions={"text": tuple(boxes[:3]), "handle": (boxes[3],)})
    plain = prepare_capture(item, ImageSpec(size=32))
    masked = prepare_capture(item, ImageSpec(size=32, mask_regions=("elsewhere",)))
    assert plain is not None
    assert masked is not None
    inside = np.zeros((32, 32), dtype=bool)
    for left, top, width, height in boxes:
        inside[max(0, int(top)) : max(0, int(top + height)), max(0, int(left)) : max(0, int(left + width))] = True
    np.testing.assert_array_equal(masked[inside], plain[inside])
    assert (masked[~inside] == FILL).all()


def test_a_page_that_does_not_know_its_regions_has_no_elsewhere(make_capture: MakeCapture) -> None:
    item = content(make_capture(size=(32, 32)))
    assert masked_boxes(item, ImageSpec(mask_regions=("elsewhere",))) == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing", "jpeg"])
def test_damage_is_logged_and_looked_past(
    damage: str, make_capture: MakeCapture, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(make_capture(size=(90, 90)))
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-2000])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("not a picture")
        case "missing":
            path.unlink()
        case _:
            Image.open(path).save(path, format="JPEG")
    with caplog.at_level(logging.WARNING):
        assert prepare_capture(content(str(path)), ImageSpec(size=32)) is None
    assert "item x" in caplog.text


def test_nothing_left_after_the_cut_counts_as_missing(make_capture: MakeCapture) -> None:
    assert prepare_capture(content(make_capture(size=(40, 40))), ImageSpec(size=32, crop_top=40)) is None


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_what_is_transparent_is_seen_on_white_and_not_as_the_colour_under_it(tmp_path: Path, mode: str) -> None:
    """A cut-out product has black there, as a rule; a conversion alone would show it."""
    black: dict[str, Any] = {"RGBA": (0, 0, 0, 0), "LA": (0, 0), "P": 0, "RGB": (0, 0, 0)}
    see_through: dict[str, Any] = {"P": {"transparency": 0}, "RGB": {"transparency": (0, 0, 0)}}
    Image.new(mode, (40, 40), black[mode]).save(tmp_path / "a.png", **see_through.get(mode, {}))
    square = prepare_capture(content(str(tmp_path / "a.png")), ImageSpec(size=32))
    assert square is not None
    assert (square == 255).all()


def test_grey_and_palette_pictures_become_rgb(tmp_path: Path) -> None:
    for mode in ("L", "P", "RGBA", "1"):
        Image.new("RGB", (40, 40), (200, 30, 30)).convert(mode).save(tmp_path / "a.png")
        square = prepare_capture(content(str(tmp_path / "a.png")), ImageSpec(size=32))
        assert square is not None
        assert square.shape == (32, 32, 3)
