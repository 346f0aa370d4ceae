from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QSize

from desktop.review.heatmap import (
    any_colour,
    cells_of,
    compose,
    leaning,
    overlay,
    scale_of,
    segment_at,
    strength,
)
from desktop.theme.diverging import HEAT_NEGATIVE, HEAT_POSITIVE, heat
from engine.errors import InputError
from engine.evidence import SLIGHT
from engine.types import Explanation, Segment, SegmentMap

if TYPE_CHECKING:
    from collections.abc import Callable


def segment(number: int, weight: float, error: float | None = None) -> Segment:
    return Segment(id=number, weight=weight, box=(0, 0, 1, 1), area=1, error=error)


def unpack(pixel: int) -> tuple[int, int, int, int]:
    return (pixel >> 24) & 255, (pixel >> 16) & 255, (pixel >> 8) & 255, pixel & 255


@settings(deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=6))
def test_every_cell_has_the_themes_colour_of_its_segments_strength(weights: list[float]) -> None:
    cells = np.arange(len(weights), dtype=np.uint16).reshape(1, -1)
    pixels = compose(cells, [segment(number, weight) for number, weight in enumerate(weights)], 1.0)
    for pixel, weight in zip(pixels[0], weights, strict=True):
        colour, opacity = heat(strength(weight, 1.0))
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        expected = [255 * opacity, red * opacity, green * opacity, blue * opacity]
        assert np.allclose(unpack(int(pixel)), expected, atol=4)


def test_cells_that_no_segment_names_and_neutral_ones_are_clear() -> None:
    pixels = compose(np.array([[0, 7]], dtype=np.uint16), [segment(0, 0.0)], 1.0)
    assert pixels.tolist() == [[0, 0]]


def test_against_is_blue_and_for_is_orange(make_explanation: Callable[..., Explanation]) -> None:
    image = overlay(make_explanation(), QSize(40, 40))
    assert image is not None
    assert image.size() == QSize(40, 40)
    left, right = image.pixelColor(5, 20), image.pixelColor(35, 20)
    assert left.name() == HEAT_POSITIVE or left.red() > left.blue()
    assert right.name() == HEAT_NEGATIVE or right.blue() > right.red()
    assert right.alpha() > left.alpha()


def test_words_and_segments_share_one_scale(make_explanation: Callable[..., Explanation]) -> None:
    assert scale_of(make_explanation()) == pytest.approx(0.2)
    assert scale_of(make_explanation(tokens=(), segments=(segment(1, 0.001),))) == SLIGHT


def test_a_weight_that_cannot_be_told_from_zero_is_not_coloured(make_explanation: Callable[..., Explanation]) -> None:
    cells = np.array([[0, 1, 2, 3]], dtype=np.uint16)
    segments = [segment(0, 0.1, 0.06), segment(1, 0.1, 0.01), segment(2, -0.1, 0.05), segment(3, 0.1)]
    assert [pixel > 0 for pixel in compose(cells, segments, 1.0)[0]] == [False, True, False, True]
    assert scale_of(make_explanation(tokens=(), segments=(segment(1, 0.9, 0.6), segment(2, -0.3, 0.1)))) == 0.3


def test_the_segment_under_a_point_is_found(make_explanation: Callable[..., Explanation]) -> None:
    explanation = make_explanation()
    assert segment_at(explanation, 0.2, 0.9) == explanation.segments[0]
    assert segment_at(explanation, 0.9, 0.1) == explanation.segments[1]
    assert segment_at(explanation, 1.0, 0.1) is None
    assert segment_at(make_explanation(segment_map=None), 0.5, 0.5) is None


def test_nothing_is_coloured_where_nothing_can_be_told_from_zero(make_explanation: Callable[..., Explanation]) -> None:
    found = make_explanation()
    assert any_colour(found)
    tokens = tuple(msgspec.structs.replace(token, error=9.0) for token in found.tokens)
    segments = tuple(msgspec.structs.replace(segment, weight=0.0) for segment in found.segments)
    assert not any_colour(msgspec.structs.replace(found, tokens=tokens, segments=segments))


@pytest.mark.parametrize(
    "damaged",
    [
        SegmentMap(width=2, height=2, cells=b"not compressed"),
        SegmentMap(width=20, height=20, cells=b"x\x9cc``d`b\x06\x00\x00\x0e\x00\x07"),
        SegmentMap(width=0, height=2, cells=b""),
        SegmentMap(width=1_000_000, height=1_000_000, cells=b""),
    ],
)
def test_a_damaged_map_is_an_error_and_not_a_crash(damaged: SegmentMap) -> None:
    with pytest.raises(InputError, match="stored heatmap"):
        cells_of(damaged)


def test_a_part_without_weight_is_named(make_explanation: Callable[..., Explanation]) -> None:
    assert leaning(make_explanation()) == ""
    assert leaning(make_explanation(segments=(segment(1, 0.01),))) == "the picture counts little"
    assert leaning(make_explanation(segments=(segment(1, 9.0),))) == "the words count little"
    assert leaning(make_explanation(tokens=())) == ""
