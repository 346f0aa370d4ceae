from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.explain.faithfulness.planted import (
    BADGE,
    HEIGHT,
    SIDE,
    THE_WORD,
    WIDTH,
    WITH,
    WORD,
    Found,
    find_badge,
    find_word,
    found,
    plant,
    share_inside,
)
from engine.explain.perturbed import page_of
from engine.types import Explanation, ItemContent, Segment, TokenWeight


def explanation_of(content: ItemContent, weights: dict[str, float]) -> Explanation:
    """Words with their weights, and every superpixel with the weight of a segment called by its number."""
    pieces = page_of(content).superpixels
    start = 0
    tokens = []
    for word in content.text.split():
        tokens.append(
            TokenWeight(field="text", start=start, end=start + len(word), text=word, weight=weights.get(word, 0.0))
        )
        start += len(word) + 1
    segments = tuple(
        Segment(id=number, weight=weights.get(str(number), 0.0), box=(0, 0, 1, 1), area=1)
        for number in range(pieces.count)
    )
    return Explanation(
        item=content.id,
        task=BADGE,
        label=WITH,
        model="m",
        probability=0.9,
        tokens=tuple(tokens),
        segments=segments,
        segment_map=pieces.segment_map(),
    )


def test_badge_and_word_come_and_go_independently(tmp_path: Path) -> None:
    planted = plant(tmp_path, 40)
    assert set(Counter((one.labels[BADGE], one.labels[WORD]) for one in planted).values()) == {10}
    assert all((one.box is not None) == (one.labels[BADGE] == WITH) for one in planted)
    assert all((THE_WORD in one.content.text.split()) == (one.labels[WORD] == WITH) for one in planted)
    assert len({one.box for one in planted}) == 5


def test_red_is_inside_the_box_and_nowhere_else(tmp_path: Path) -> None:
    for one in plant(tmp_path, 8, seed=3):
        assert one.content.capture is not None
        with Image.open(one.content.capture) as image:
            assert image.size == (WIDTH, HEIGHT)
            red = (np.asarray(image) == (200, 30, 40)).all(axis=2)
        inside = np.zeros_like(red)
        if one.box is not None:
            left, top, wide, high = (int(value) for value in one.box)
            inside[top : top + high, left : left + wide] = True
            assert red[inside].sum() > SIDE * SIDE / 2
        assert not red[~inside].any()


def test_the_same_seed_gives_the_same_captures(tmp_path: Path) -> None:
    first, again, other = (plant(tmp_path / name, 3, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    texts = [[one.content.text for one in several] for several in (first, again, other)]
    assert texts[0] == texts[1] != texts[2]
    assert (tmp_path / "a" / "1.png").read_bytes() == (tmp_path / "b" / "1.png").read_bytes()


def test_the_share_inside_a_box_is_that_of_the_pixels() -> None:
    """A coarse grid against the same segments pixel by pixel; edges of cells and box do not meet."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, (12, 16))
    box = (13.0, 7.0, 22.0, 31.0)
    fine = np.repeat(np.repeat(labels, 5, axis=0), 5, axis=1)
    mask = np.zeros(fine.shape, dtype=bool)
    mask[7:38, 13:35] = True
    expected = [mask[fine == number].mean() for number in range(5)]
    assert share_inside(labels, box, 80, 60) == pytest.approx(np.array(expected))
    assert share_inside(fine, box, 80, 60) == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    ("weights", "inside", "expected"),
    [
        ([0.1, 0.6, -0.5, 0.3], [0, 1, 0, 0], Found(hit=True, share=0.6, rank=1)),
        ([0.4, 0.1, 0.5, 0.0], [0, 1, 0, 0], Found(hit=False, share=0.1, rank=3)),
        ([0.5, 0.5], [1, 0], Found(hit=False, share=0.5, rank=2)),
        ([0.0, -0.1], [1, 0], Found(hit=False, share=0.0, rank=1)),
        ([0.3, 0.2, 0.5], [0.9, 0.5, 0.1], Found(hit=False, share=0.27 + 0.1 + 0.05, rank=2)),
        ([0.2, 0.8], [0.1, 0.3], Found(hit=True, share=0.26, rank=1)),
    ],
)
def test_finding_by_hand(weights: list[float], inside: list[float], expected: Found) -> None:
    result = found(np.array(weights), np.array(inside, dtype=float))
    assert (result.hit, result.rank) == (expected.hit, expected.rank)
    assert result.share == pytest.approx(expected.share)


def test_an_explanation_that_names_the_evidence_finds_it_and_one_that_does_not_misses(tmp_path: Path) -> None:
    planted = plant(tmp_path, 4)[3]
    assert planted.box is not None
    pieces = page_of(planted.content).superpixels
    inside = share_inside(pieces.labels, planted.box, WIDTH, HEIGHT)
    badge, elsewhere = int(np.argmax(inside)), int(np.argmin(inside))
    another = next(word for word in planted.content.text.split() if word != THE_WORD)
    right = explanation_of(planted.content, {str(badge): 0.4, THE_WORD: 0.3, another: 0.1})
    wrong = explanation_of(planted.content, {str(elsewhere): 0.4, another: 0.3, THE_WORD: 0.1})
    seen, read = find_badge(right, planted), find_word(right, planted)
    assert seen is not None
    assert read is not None
    assert seen.hit
    assert seen.share > 0.6
    assert (read.hit, read.rank) == (True, 1)
    assert read.share == pytest.approx(0.75)
    missed, misread = find_badge(wrong, planted), find_word(wrong, planted)
    assert missed is not None
    assert misread is not None
    assert not missed.hit
    assert (misread.hit, misread.rank) == (False, 2)


def test_there_is_nothing_to_find_where_nothing_was_planted(tmp_path: Path) -> None:
    neither, badge_only, *_ = plant(tmp_path, 2)
    explanation = explanation_of(badge_only.content, {})
    assert find_badge(explanation_of(neither.content, {}), neither) is None
    assert find_word(explanation, badge_only) is None
    assert find_badge(Explanation(item="x", task=BADGE, label=WITH, model="m", probability=1.0), badge_only) is None
