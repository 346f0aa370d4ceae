from __future__ import annotations

import pytest

from engine.evidence import ELSEWHERE
from engine.looks import ENOUGH_ITEMS, SHORTCUT, Look, evidence, line, looks


def look(number: int, handle: float, picture: float = 1.0, region: str = "handle") -> Look:
    shares = {region: handle, "media": 1 - handle}
    return Look(item=f"t{number}", modality_share={"text": 1 - picture, "image": picture}, region_share=shares)


def test_the_screenshots_part_is_shared_among_its_regions() -> None:
    found = evidence({"text": 0.6, "image": 0.4}, {"elsewhere": 0.0, "handle": 0.25, "media": 0.75})
    assert found == pytest.approx({"words": 0.6, "media": 0.3, "handle": 0.1})
    assert list(found) == ["words", "media", "handle"]


def test_what_is_not_known_of_one_explanation() -> None:
    assert evidence({}, {}) == {}
    assert evidence({"text": 0.0, "image": 0.0}, {}) == {}
    assert evidence({}, {"handle": 0.2, "media": 0.8}) == {"media": 0.8, "handle": 0.2}
    assert evidence({"text": 0.3, "image": 0.7}, {}) == {"screenshot": 0.7, "words": 0.3}
    assert evidence({"text": 1.0}, {}) == {"words": 1.0}


def test_items_count_alike_however_many_of_their_labels_were_explained() -> None:
    one = [look(1, 0.5), look(1, 0.3), look(1, 0.1)]
    found = looks([*one, look(2, 0.9), Look(item="t3"), Look(item="t4", modality_share={"text": 1.0})])
    assert found.items == 3
    assert found.shares == pytest.approx({"handle": (0.3 + 0.9) / 3, "media": (0.7 + 0.1) / 3, "words": 1 / 3})
    assert sum(found.shares.values()) == pytest.approx(1)
    assert list(found.shares) == ["handle", "words", "media"]


@pytest.mark.parametrize("region", ["handle", ELSEWHERE])
def test_a_model_that_relies_on_what_is_no_reason_is_warned_of(region: str) -> None:
    found = looks(look(number, 0.5, 0.8, region) for number in range(57)).shortcut
    assert found is not None
    assert (found.region, found.items) == (region, 57)
    assert found.share == pytest.approx(0.4)
    words = {"handle": "relies on the handle", ELSEWHERE: "relies on the page frame"}[region]
    assert words in found.sentence
    assert "40 % of its evidence lies there, on average over 57 items" in found.sentence


def test_nobody_is_warned_without_need() -> None:
    few, enough = ENOUGH_ITEMS - 1, ENOUGH_ITEMS
    assert looks(look(number, 0.9) for number in range(few)).shortcut is None
    assert looks(look(number, 0.9) for number in range(enough)).shortcut is not None
    assert looks(look(number, SHORTCUT - 0.01) for number in range(enough)).shortcut is None
    assert looks(look(number, 0.9, 0.1) for number in range(enough)).shortcut is None
    assert looks(look(number, 0.9, 0.5, "media") for number in range(enough)).shortcut is None
    assert looks([]) == looks([Look(item="t1")])


def test_items_without_known_regions_hide_no_shortcut() -> None:
    words_only = [Look(item=f"w{number}", modality_share={"text": 1.0}) for number in range(500)]
    found = looks([*words_only, *(look(number, 0.5) for number in range(ENOUGH_ITEMS))])
    assert found.items == 500 + ENOUGH_ITEMS
    assert found.shortcut is not None
    assert found.shortcut.share == pytest.approx(0.5)
    assert found.shortcut.items == ENOUGH_ITEMS


def test_items_whose_screenshots_say_nothing_are_items_too() -> None:
    """A handle with half of the evidence on twenty of a thousand items is not what the model relies on."""
    words = [Look(item=f"w{number}", modality_share={"text": 1.0, "image": 0.0}) for number in range(980)]
    handles = [look(number, 0.5) for number in range(ENOUGH_ITEMS)]
    assert looks([*words, *handles]).shortcut is None
    assert looks([*words[:10], *handles]).shortcut is not None


def test_a_line_names_the_largest_parts() -> None:
    shares = {"handle": 0.21, "words": 0.62, "link-preview": 0.1, "text": 0.069, "price": 0.001}
    assert line(shares) == "words 62 %, handle 21 %, link preview 10 %"
    assert line({"text": 0.9, ELSEWHERE: 0.099, "price": 0.001}) == "text in the picture 90 %, page frame 10 %"
    assert line({}) == ""
