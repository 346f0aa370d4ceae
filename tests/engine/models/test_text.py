"""Text preparation, and the way back from prepared characters to what people see."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.spec import EMOJI, TextSpec
from engine.models.text import fields_of, model_text, prepare, prepared_text
from engine.types import ItemContent

PLAIN = TextSpec(lower_case=False, strip_accents=False, mask_users=False, mask_urls=False, emoji="keep")
BITS = st.sampled_from(
    ["@anna_b", " ", "https://a.example/x?y=1", "www.b.example", "ΟΔΟΣ", "Άνθρωπος", "👍🏽", "İ", "é"]
)
RAW = st.lists(st.one_of(BITS, st.text(max_size=8)), max_size=8).map("".join)
EMOJI_BITS = [*"a #1\u200d\ufe0f\ufe0e\u20e3", "👍🏽", "👩", "🇬🇷", "❤", "©", "🏴"]
SPECS = st.builds(
    TextSpec,
    lower_case=st.booleans(),
    strip_accents=st.booleans(),
    mask_users=st.booleans(),
    mask_urls=st.booleans(),
    emoji=st.sampled_from(EMOJI),
)


@pytest.mark.parametrize(
    ("raw", "switch", "prepared"),
    [
        ("Hello THERE", {"lower_case": True}, "hello there"),
        ("ΚΑΛΟΣ ΚΟΣΜΟΣ", {"lower_case": True}, "καλος κοσμος"),
        ("Άνθρωπος ϊ é ñ", {"strip_accents": True}, "Ανθρωπος ι e n"),
        ("한국 e\u0301", {"strip_accents": True}, "한국 e"),
        ("see @anna_b, mail a@b.example", {"mask_users": True}, "see @user, mail a@b.example"),
        ("at https://shop.example/a?b=@c now", {"mask_urls": True}, "at http now"),
        ("yes 👍🏽!", {"emoji": "words"}, "yes  thumbs up medium skin tone !"),
        ("yes 👍🏽!", {"emoji": "drop"}, "yes  !"),
        ("yes 👍🏽!", {}, "yes 👍🏽!"),
    ],
)
def test_each_switch(raw: str, switch: dict[str, object], prepared: str) -> None:
    spec = TextSpec(
        **{"lower_case": False, "strip_accents": False, "mask_users": False, "mask_urls": False, "emoji": "keep"}
        | switch  # type: ignore[arg-type]
    )
    assert prepared_text(raw, spec) == prepared


@pytest.mark.parametrize("around", ["{}", "a{}b 1", "12 {}"])
def test_no_emoji_is_missed(around: str) -> None:
    dropped = TextSpec(lower_case=False, strip_accents=False, mask_users=False, mask_urls=False, emoji="drop")
    raw = [around.format(symbol) for symbol in emoji.EMOJI_DATA]
    assert [prepared_text(one, dropped) for one in raw] == [emoji.replace_emoji(one, " ") for one in raw]


@given(st.lists(st.sampled_from(EMOJI_BITS), max_size=9).map("".join))
def test_emoji_side_by_side_are_those_of_the_whole_text(raw: str) -> None:
    dropped = TextSpec(lower_case=False, strip_accents=False, mask_users=False, mask_urls=False, emoji="drop")
    expected = raw
    for hit in reversed(emoji.emoji_list(raw)):
        expected = f"{expected[: hit['match_start']]} {expected[hit['match_end'] :]}"
    assert prepared_text(raw, dropped) == expected


def test_highlights_land_on_what_people_see() -> None:
    raw = "Ναί! @anna_b ΕΊΔΕ 👍🏽 https://a.example/1 τέλος"
    prepared = prepare(raw, TextSpec())
    for seen, word in [
        ("@user", "@anna_b"),
        ("ειδε", "ΕΊΔΕ"),
        ("up", "👍🏽"),
        ("http", "https://a.example/1"),
        ("τελος", "τέλος"),
    ]:
        at = prepared.text.index(seen)
        start, end = prepared.raw_span(at, at + len(seen))
        assert raw[start:end] == word


@given(RAW, SPECS)
def test_the_map_covers_every_character_in_order(raw: str, spec: TextSpec) -> None:
    prepared = prepare(raw, spec)
    assert len(prepared.text) == len(prepared.starts) == len(prepared.ends)
    assert prepared.text == prepared_text(raw, spec)
    spans = list(zip(prepared.starts, prepared.ends, strict=True))
    assert all(0 <= start < end <= len(raw) for start, end in spans)
    for before, after in pairwise(spans):
        assert before == after or before[1] <= after[0]


@given(RAW)
def test_without_switches_nothing_changes(raw: str) -> None:
    assert prepare(raw, PLAIN).text == raw


@given(st.text())
def test_lower_case_and_accents_agree_with_the_whole_string_at_once(raw: str) -> None:
    spec = TextSpec(lower_case=True, strip_accents=True, mask_users=False, mask_urls=False, emoji="keep")
    marks_dropped = "".join(
        part for part in unicodedata.normalize("NFD", raw.lower()) if unicodedata.category(part) != "Mn"
    )
    prepared = unicodedata.normalize("NFD", prepared_text(raw, spec))
    assert sorted(prepared) == sorted(marks_dropped)


@given(st.lists(st.one_of(BITS, st.text(max_size=8)), max_size=8).map(" ".join))
def test_no_link_and_no_handle_is_left(raw: str) -> None:
    prepared = prepared_text(raw, TextSpec())
    assert "https://a" not in prepared
    assert "@anna" not in prepared


def test_handles_in_a_row_are_one_user_and_addresses_are_none() -> None:
    assert prepared_text("@anna@inn.example a@b.example @@ann", TextSpec()) == "@user.example a@b.example @@user"


@given(st.text(max_size=20), st.text(max_size=20))
def test_fields_are_where_the_model_text_has_them(title: str, text: str) -> None:
    content = ItemContent(id="x", kind="product", title=title, text=text)
    whole = model_text(content)
    fields = {span.field: whole[span.start : span.end] for span in fields_of(content)}
    assert fields == {name: value for name, value in (("title", title), ("text", text)) if value.strip()}


def test_title_and_text_are_two_lines() -> None:
    assert model_text(ItemContent(id="x", kind="product", title="A lamp", text="Bright.")) == "A lamp\nBright."
    assert model_text(ItemContent(id="x", kind="product", title=" ", text="Bright.")) == "Bright."
