from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.rows import BadRowError, read_row
from engine.taxonomy import preset

BOTH = preset("both")
GOOD: dict[str, Any] = {"id": "a", "kind": "tweet", "text": "hello"}


def bad(**fields: Any) -> str:
    with pytest.raises(BadRowError) as caught:
        read_row({**GOOD, **fields}, BOTH)
    return caught.value.message


def test_every_field_arrives() -> None:
    row = read_row(
        {
            "id": 17,
            "kind": "product",
            "text": "Ένα βιβλίο",
            "title": "Book",
            "author": "shop",
            "url": "https://shop.example/17",
            "screenshot": "captures/17.png",
            "captured_at": "2026-01-31T12:00:00Z",
            "subsets": ["spring", "spring", " el "],
            "exposure": 12,
            "split": "val",
            "labels": {"verdict": "prohibited", "reason": ["alcohol", "smoking"]},
            "regions": {"title": [[1, 2, 3.5, 4]], "empty": []},
            "price": "€5",
            "meta": {"shop": 3},
        },
        BOTH,
    )
    item = row.item
    assert (item.id, item.kind, item.title, item.author, item.split) == ("17", "product", "Book", "shop", "val")
    assert item.subsets == ("spring", "el")
    assert item.exposure == 12.0
    assert item.truths == {"verdict": ("prohibited",), "reason": ("smoking", "alcohol")}
    assert item.regions == {"title": ((1.0, 2.0, 3.5, 4.0),)}
    assert item.meta == {"shop": 3, "price": "€5"}
    assert row.screenshot == "captures/17.png"
    assert row.warnings == ()


def test_the_names_of_image_folders_are_understood() -> None:
    record = {"file_name": "train/a.jpg", "title": "Apple", "fine": "Golden"}
    row = read_row(record, preset("products"))
    assert (row.item.id, row.item.kind, row.screenshot) == ("train/a.jpg", "product", "train/a.jpg")
    assert row.item.meta == {"fine": "Golden"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": ""}, "`id` is missing"),
        ({"id": None}, "`id` is missing"),
        ({"id": ["a"]}, "`id` must be text, not ['a']"),
        ({"id": "a\nb"}, "without control characters"),
        ({"id": "x" * 201}, "longer than 200"),
        ({"kind": "tweets"}, "there is no kind 'tweets'. Did you mean 'tweet'"),
        ({"kind": None}, "`kind` is missing"),
        ({"text": 3}, "`text` must be text, not 3"),
        ({"text": "", "title": None}, "nothing to review"),
        ({"text": " \n", "title": "\t"}, "nothing to review"),
        ({"exposure": -1}, "`exposure` -1 is no finite number"),
        ({"exposure": "nan"}, "`exposure` 'nan' is no finite"),
        ({"exposure": float("nan")}, "`exposure` nan is no finite"),
        ({"exposure": float("inf")}, "`exposure` inf is no finite"),
        ({"exposure": 10**400}, "is no finite"),
        ({"exposure": True}, "`exposure` True is no finite"),
        ({"exposure": [1]}, "`exposure` [1] is no finite"),
        ({"split": "vla"}, "there is no split 'vla'. Did you mean 'val'"),
        ({"captured_at": "yesterday"}, "`captured_at` 'yesterday' is no time"),
        ({"subsets": {"a": 1}}, "`subsets` must be a list of names"),
        ({"labels": "toxic"}, "`labels` must be {task: label}"),
        ({"labels": {"toxicity": "toxc"}}, "Did you mean 'toxic'"),
        ({"labels": {"toxcity": "toxic"}}, "Did you mean 'toxicity'"),
        ({"labels": {"toxicity": ["toxic", "non-toxic"]}}, "takes exactly one label, not 2"),
        ({"labels": {"toxicity": 1}}, "must be a name or a list of names, not 1"),
        ({"labels": {"verdict": "ok"}}, "the task 'verdict' does not apply to a tweet"),
        ({"regions": [1]}, "`regions` must be {name: [[x, y, w, h], …]}"),
        ({"regions": {"a": [1, 2, 3, 4]}}, "the region 'a' must be a list of [x, y, w, h]"),
        ({"regions": {"a": [[1, 2, 3]]}}, "the region 'a' must be"),
        ({"regions": {"a": [[1, 2, -3, 4]]}}, "the region 'a' must be"),
        ({"regions": {"a": [[1, 2, "3", 4]]}}, "the region 'a' must be"),
        ({"regions": {"a": [[0, 0, 1e9, 1]]}}, "the region 'a' must be"),
        ({"regions": {"a": [[float("nan"), 0, 1, 1]]}}, "the region 'a' must be"),
        ({"regions": {"a": [[0, 0, float("inf"), 1]]}}, "the region 'a' must be"),
        ({"regions": {"a": [[0, 0, 1, 1]] * 2001}}, "more than 2000 boxes"),
        ({"meta": [1]}, "`meta` must be an object"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, Any], words: str) -> None:
    assert words in bad(**fields)


def test_all_that_is_wrong_is_named_at_once() -> None:
    message = bad(kind="x", exposure=-1, split="y")
    assert message.count(";") == 2


def test_a_label_that_cannot_count_is_remarked_on() -> None:
    record = {"id": "p", "kind": "product", "text": "x", "labels": {"verdict": "ok", "reason": ["alcohol"]}}
    assert "does not count while 'verdict'" in read_row(record, BOTH).warnings[0]


def test_no_reason_at_all_is_a_label_of_a_multi_label_task() -> None:
    record = {"id": "p", "kind": "product", "text": "x", "labels": {"verdict": "prohibited", "reason": []}}
    assert read_row(record, BOTH).item.truths["reason"] == ()


def test_control_characters_become_visible_and_nothing_else_changes() -> None:
    record = {
        **GOOD,
        "text": "a\x00b\tc\r\nd\x1be\x00",
        "title": "\x0c",
        "author": "\x1cann",
        "subsets": ["s\x07", "\x07s"],
    }
    row = read_row(record, BOTH)
    assert (row.item.text, row.item.title, row.item.author) == ("a\ufffdb\tc\r\nd\ufffde\ufffd", "\ufffd", "\ufffdann")
    assert row.item.subsets == ("s\ufffd", "\ufffds")
    assert row.warnings == (
        "control characters in `title` (U+000C) were replaced by U+FFFD",
        "control characters in `text` (U+0000, U+001B) were replaced by U+FFFD",
        "control characters in `author` (U+001C) were replaced by U+FFFD",
        "control characters in `subsets` (U+0007) were replaced by U+FFFD",
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.sampled_from([*GOOD, "exposure", "split", "labels", "regions", "subsets", "meta", "captured_at", "url"])
LABELS = st.dictionaries(st.sampled_from(["toxicity", "reason", "verdict", "x"]), JSON, max_size=3)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(FIELDS, JSON | LABELS, max_size=6))
def test_no_record_raises_anything_but_a_row_error(fields: dict[str, Any]) -> None:
    try:
        row = read_row({**GOOD, **fields}, BOTH)
    except BadRowError:
        return
    assert msgspec.json.decode(msgspec.json.encode(row.item), type=type(row.item)).id == row.item.id


def test_a_profile_belongs_to_an_account() -> None:
    record = {"id": "p", "kind": "profile", "text": "I write about lanterns"}
    with pytest.raises(BadRowError, match="`author` is missing: a profile belongs to an account"):
        read_row({**record, "author": " "}, BOTH)
    item = read_row({**record, "author": "@ann"}, BOTH).item
    assert (item.kind, item.author, item.truths) == ("profile", "@ann", {})
