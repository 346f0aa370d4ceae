"""Items with texts and rendered pages whose copies are known."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from PIL import Image, ImageDraw

from engine.types import ItemContent, TrainingItem

WORDS = [
    "harbour",
    "lantern",
    "meadow",
    "copper",
    "thunder",
    "velvet",
    "orchard",
    "pebble",
    "saffron",
    "whistle",
    "anchor",
    "bramble",
    "cinder",
    "dapple",
    "ember",
    "fathom",
    "gravel",
    "hollow",
    "island",
    "juniper",
    "kettle",
    "lichen",
    "marble",
    "nettle",
    "oyster",
    "pillar",
    "quarry",
    "ribbon",
    "spindle",
    "timber",
]


class MakeItem(Protocol):
    """Makes an item in a group of its own, unless another is given."""

    def __call__(
        self, name: str, text: str = "", *, group: str = "", capture: Path | None = None, split: str = ""
    ) -> TrainingItem: ...


@pytest.fixture(scope="session")
def item() -> MakeItem:
    def make(
        name: str, text: str = "", *, group: str = "", capture: Path | None = None, split: str = ""
    ) -> TrainingItem:
        content = ItemContent(id=name, kind="tweet", text=text, capture=None if capture is None else str(capture))
        return TrainingItem(content=content, labels={}, group=group or f"item:{name}", split=split)

    return make


@pytest.fixture(scope="session")
def sentence() -> Callable[[int], str]:
    """A sentence of a dozen words that no other number shares."""

    def make(number: int) -> str:
        return " ".join(random.Random(number).sample(WORDS, 12))

    return make


@pytest.fixture(scope="session")
def page() -> Callable[[int], Image.Image]:
    """A page of 300 × 300 pixels: the frame that all pages share, and paragraphs of their own."""

    def draw(number: int, *, paragraphs: int = 16) -> Image.Image:
        picture = Image.new("RGB", (300, 300), "white")
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, 0, 300, 24), fill="#223344")
        pen.text((8, 6), "THE SAME HEADER ON EVERY PAGE", fill="white")
        chance = random.Random(number)
        for line in range(paragraphs):
            pen.text((10, 34 + 16 * line), " ".join(chance.choices(WORDS, k=chance.randint(3, 7))), fill="black")
        return picture

    return draw
