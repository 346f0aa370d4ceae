"""Against screenshots in which something really was hidden, prepared as for scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from engine.explain.hiding import changes
from engine.explain.perturbed import page_of
from engine.explain.superpixels import Superpixels
from engine.models.images import prepare_capture
from engine.models.spec import ImageSpec

BOX = (150.0, 100.0, 80.0, 80.0)


def prepared(content: Any, spec: ImageSpec) -> npt.NDArray[np.float64]:
    square = prepare_capture(content, spec)
    assert square is not None
    return square.transpose(2, 0, 1).astype(np.float64)


def hide(path: str, found: Superpixels, segments: list[int], *, background: bool) -> None:
    """Paint segments of a screenshot over, in their mean colour or in the page's."""
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"), dtype=np.float64)
    labels = found.over(pixels.shape[1], pixels.shape[0])
    for segment in segments:
        source = labels == (found.background if background else segment)
        pixels[labels == segment] = pixels[source].mean(axis=0)
    Image.fromarray(pixels.round().astype(np.uint8)).save(path)


@pytest.mark.parametrize(
    "spec",
    [
        ImageSpec(size=96),
        ImageSpec(size=40),
        ImageSpec(size=224, crop_top=37),
        ImageSpec(size=96, mask_regions=("media",)),
    ],
)
def test_the_changes_are_those_of_screenshots_with_something_hidden(make_item: Any, spec: ImageSpec) -> None:
    content = make_item(regions={"media": (BOX,)})
    picture, found = page_of(content)
    every = changes(content, found, spec, picture, paint_plain=False)
    chosen = [change for change in every if change.segment % 2]
    assert len(chosen) > 3
    expected = prepared(content, spec)
    for change in chosen:
        expected[:, change.rows, change.columns] -= 255 * change.values
    hide(content.capture, found, [change.segment for change in chosen], background=False)
    assert np.abs(prepared(content, spec) - expected).max() <= 2.5


def test_what_is_masked_or_cut_off_changes_nothing(make_item: Any) -> None:
    content = make_item(regions={"media": ((170.0, 120.0, 120.0, 110.0),)})
    picture, found = page_of(content)
    everywhere = {change.segment for change in changes(content, found, ImageSpec(size=96), picture)}
    below = {change.segment for change in changes(content, found, ImageSpec(size=96, crop_top=85), picture)}
    masked = ImageSpec(size=96, mask_regions=("media",))
    unmasked = {change.segment for change in changes(content, found, masked, picture)}
    labels = found.over(300, 240)
    assert set(labels[20:60, 20:80].ravel().tolist()) & everywhere
    assert not set(labels[20:60, 20:80].ravel().tolist()) & below
    assert everywhere - unmasked
    assert unmasked < everywhere


def test_a_plain_badge_is_painted_over_with_the_pages_background(make_item: Any) -> None:
    content = make_item(regions={"badge": ((20.0, 20.0, 20.0, 20.0),)})
    picture, found = page_of(content)
    badge = int(found.over(300, 240)[30, 30])
    by_mean, painted = (
        {
            change.segment: np.abs(change.values).max()
            for change in changes(content, found, ImageSpec(size=96), picture, paint_plain=paint)
        }
        for paint in (False, True)
    )
    assert painted[badge] > 0.7
    assert painted[badge] > 1.5 * by_mean.get(badge, 0)


@pytest.mark.parametrize(("size", "spec"), [((2700, 2160), ImageSpec(size=100, crop_top=37)), ((24, 40_000), None)])
def test_changes_of_a_very_large_or_long_screenshot_are_nearly_exact(
    make_item: Any, tmp_path: Path, size: tuple[int, int], spec: ImageSpec | None
) -> None:
    """It is reduced, and not by a divisor of what preparing averages; only the segments' borders are less sharp."""
    content = make_item()
    with Image.open(content.capture) as image:
        image.resize(size, Image.Resampling.NEAREST).save(tmp_path / "large.png")
    content = make_item(capture=str(tmp_path / "large.png"), regions={"media": ((0.0, 900.0, 12.0, 20_000.0),)})
    spec = spec or ImageSpec(size=96, mask_regions=("media",))
    picture, found = page_of(content)
    chosen = changes(content, found, spec, picture, paint_plain=False)[::2]
    assert len(chosen) > 3
    expected = prepared(content, spec)
    for change in chosen:
        expected[:, change.rows, change.columns] -= 255 * change.values
    hide(content.capture, found, [change.segment for change in chosen], background=False)
    missed = np.abs(prepared(content, spec) - expected)
    assert missed.mean() < 0.35
    assert missed.max() < 12
