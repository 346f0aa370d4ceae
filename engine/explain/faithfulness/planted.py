"""Captures whose evidence is known, because it was planted: a badge in a corner, a certain word.

Two tasks are asked of each capture, `BADGE` (is the red badge there?) and `WORD` (is the word there?), each with the
labels `WITH` and `WITHOUT`. Nothing else in a capture tells the answers: badge and word come and go independently of
each other, of the other corners' blue badges, of the lines, the picture and the other words. A model that answers
better than chance has nothing else to go by, and an explanation that names something else is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.explain.faithfulness.erasure import Values
from engine.explain.superpixels import decoded
from engine.types import Box, Explanation, ItemContent

BADGE, WORD = "badge", "word"
WITH, WITHOUT = "with", "without"
LABELS = (WITHOUT, WITH)
THE_WORD = "marigold"
WIDTH, HEIGHT = 320, 240
SIDE, MARGIN = 44, 12
"""The badge's side and its distance from the edges, in pixels."""
INSIDE = 0.5
"""A superpixel is the badge's where at least half of it lies in the badge's box."""
_RED, _BLUE = (200, 30, 40), (40, 80, 190)
# fmt: off
_OTHERS = (
    "river", "market", "stone", "paper", "garden", "silver", "window", "letter", "summer",
    "bridge", "orange", "morning", "kettle", "basket", "quiet", "corner", "lantern", "meadow",
    "pocket", "ladder", "harbour", "velvet", "copper", "button", "saddle", "thunder",
)
# fmt: on

Labels = npt.NDArray[np.int64]


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """A capture and its answers; `box` is where the red badge is, in screenshot pixels, None where there is none."""

    content: ItemContent
    labels: dict[str, str]
    box: Box | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """How well one explanation finds what was planted.

    `hit`: the feature with the largest weight is the evidence (the pointing game: Zhang et al. 2018, "Top-down Neural
    Attention by Excitation Backprop", section 4.2, for superpixels and words; it misses where another feature weighs as
    much, or where nothing weighs more than zero). `share`: of the positive weight, how much lies in the evidence, in
    [0, 1]. `rank`: how many features weigh at least as much as the evidence's best one, itself included.
    """

    hit: bool
    share: float
    rank: int


def plant(folder: Path, count: int, seed: int = 0) -> list[Planted]:
    """Draw captures into `folder` (made where it is missing): of four in a row, one has both, one neither.

    The same count and seed give the same captures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    return [_one(folder / f"{number}.png", number, random) for number in range(count)]


def find_badge(explanation: Explanation, planted: Planted) -> Found | None:
    """How well an explanation's superpixels find the badge; None where it has none, or there is no badge."""
    if planted.box is None or explanation.segment_map is None or not explanation.segments:
        return None
    inside = share_inside(decoded(explanation.segment_map), planted.box, WIDTH, HEIGHT)
    ids = [segment.id for segment in explanation.segments]
    weights = np.array([segment.weight for segment in explanation.segments])
    return found(weights, inside[ids])


def find_word(explanation: Explanation, planted: Planted) -> Found | None:
    """How well an explanation's words find the planted one; None where it has no words, or that one is not there."""
    if planted.labels[WORD] != WITH or not explanation.tokens:
        return None
    weights = {token.text: token.weight for token in explanation.tokens}
    return found(np.array(list(weights.values())), np.array([float(text == THE_WORD) for text in weights]))


def share_inside(labels: Labels, box: Box, width: int, height: int) -> Values:
    """The share of each segment's area that lies in the box, (segments,) in [0, 1].

    `labels` is a grid of segment numbers over the whole screenshot of `width` × `height` pixels, of any resolution.
    """
    rows, columns = labels.shape
    down, up = _overlap(rows, height, box[1], box[3]), np.full(rows, height / rows)
    across, along = _overlap(columns, width, box[0], box[2]), np.full(columns, width / columns)
    flat, segments = labels.ravel(), int(labels.max()) + 1
    covered = np.bincount(flat, np.outer(down, across).ravel(), segments)
    areas = np.bincount(flat, np.outer(up, along).ravel(), segments)
    shares: Values = covered / np.maximum(areas, 1e-12)
    return shares


def found(weights: Values, inside: Values) -> Found:
    """How well weights, (features,), find the evidence, of which `inside`, (features,), says how much lies in each.

    Where no feature lies half in the evidence, the one that lies most in it counts as the evidence.
    """
    evidence = inside >= min(INSIDE, float(inside.max()))
    best = float(weights[evidence].max())
    rank = int((weights[~evidence] >= best).sum()) + 1
    positive = np.maximum(weights, 0)
    share = float((positive * inside).sum() / positive.sum()) if positive.any() else 0.0
    return Found(hit=rank == 1 and best > 0, share=share, rank=rank)


def _overlap(cells: int, length: int, start: float, extent: float) -> Values:
    """How many pixels of each of the cells along one side lie between `start` and `start + extent`, (cells,)."""
    edges = np.linspace(0, length, cells + 1)
    inside = np.minimum(edges[1:], start + extent) - np.maximum(edges[:-1], start)
    overlap: Values = np.maximum(inside, 0)
    return overlap


def _one(path: Path, number: int, random: np.random.Generator) -> Planted:
    badge, word = bool(number % 2), bool(number // 2 % 2)
    image = Image.new("RGB", (WIDTH, HEIGHT), tuple(random.integers(236, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    _draw_page(draw, random)
    corners = _corners(random)
    for corner in corners[1 : 1 + int(random.integers(0, 3))]:
        draw.rounded_rectangle(_ends(corner), 10, fill=_BLUE)
    box = corners[0] if badge else None
    if box is not None:
        draw.ellipse(_ends(box), fill=_RED)
        draw.rectangle(_ends((box[0] + 10, box[1] + SIDE / 2 - 4, SIDE - 20, 8)), fill="white")
    image.save(path)
    content = ItemContent(id=f"planted-{number}", kind="tweet", text=_text(random, word=word), capture=str(path))
    labels = {BADGE: WITH if badge else WITHOUT, WORD: WITH if word else WITHOUT}
    return Planted(content=content, labels=labels, box=box)


def _corners(random: np.random.Generator) -> list[Box]:
    """The boxes in the four corners in random order: the first is the badge's."""
    lefts, tops = (MARGIN, WIDTH - MARGIN - SIDE), (MARGIN, HEIGHT - MARGIN - SIDE)
    boxes: list[Box] = [(left, top, SIDE, SIDE) for left in lefts for top in tops]
    return [boxes[at] for at in random.permutation(len(boxes)).tolist()]


def _draw_page(draw: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    """Lines like text, and a picture of random colours, between the corners."""
    for y in range(70, 70 + 14 * int(random.integers(2, 5)), 14):
        for x in range(40, 40 + 8 * int(random.integers(10, 28)), 8):
            draw.line((x, y, x + int(random.integers(2, 6)), y + 7), fill=(40, 40, 40), width=2)
    left, top = int(random.integers(60, 160)), 130
    draw.rectangle((left, top, left + 90, top + 44), fill=_colour(random))
    draw.ellipse((left + 20, top + 8, left + 52, top + 36), fill=_colour(random))


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(60, 220, 3).tolist()
    return red, green, blue


def _ends(box: Box) -> tuple[float, float, float, float]:
    """Left, top, right, bottom, both ends belonging to what is drawn."""
    return box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1


def _text(random: np.random.Generator, *, word: bool) -> str:
    words: Sequence[str] = random.choice(_OTHERS, int(random.integers(8, 14)), replace=False).tolist()
    if not word:
        return " ".join(words)
    at = int(random.integers(0, len(words)))
    return " ".join([*words[:at], THE_WORD, *words[at + 1 :]])
