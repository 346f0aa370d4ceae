"""The shipped demo is what the documents say of it: 240 sound captures with known signal and labels of its taxonomy."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from PIL import Image

import resources
from engine.taxonomy import preset

DEMO = resources.path("demo")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    lines = (DEMO / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_half_are_tweets_and_half_are_products(rows: list[dict[str, Any]]) -> None:
    assert Counter(row["kind"] for row in rows) == {"tweet": 120, "product": 120}
    assert len({row["id"] for row in rows}) == 240


def test_signal_sits_in_text_in_pictures_in_both_and_is_sometimes_unsure(rows: list[dict[str, Any]]) -> None:
    assert {row["signal"] for row in rows if row["kind"] == "tweet"} == {"text", "picture", "both", "unsure"}
    assert {row["signal"] for row in rows if row["kind"] == "product"} == {"text", "picture", "both", "unsure"}


def test_a_picture_only_tweet_has_words_that_occur_with_both_labels(rows: list[dict[str, Any]]) -> None:
    told = {row["labels"]["toxicity"] for row in rows if row["signal"] == "picture" and row["kind"] == "tweet"}
    assert told == {"toxic", "non-toxic"}


def test_english_and_greek_and_authors_that_repeat(rows: list[dict[str, Any]]) -> None:
    languages = Counter(row["subsets"][1] for row in rows)
    assert languages["el"] >= 60
    assert languages["en"] >= 120
    assert max(Counter(row["author"] for row in rows).values()) >= 5


def test_every_label_is_in_the_preset(rows: list[dict[str, Any]]) -> None:
    taxonomy = preset("both")
    for row in rows:
        for task, told in row["labels"].items():
            names = told if isinstance(told, list) else [told]
            assert set(names) <= set(taxonomy.task(task).label_names), row["id"]


def test_captures_are_600_pixels_square_and_hold_their_regions(rows: list[dict[str, Any]]) -> None:
    size = 0
    for row in rows:
        file = DEMO / row["screenshot"]
        size += file.stat().st_size
        with Image.open(file) as image:
            assert image.size == (600, 600)
        for boxes in row["regions"].values():
            for x, y, w, h in boxes:
                assert x >= 0
                assert y >= 0
                assert x + w <= 600
                assert y + h <= 600, row["id"]
    assert size < 8_000_000
