from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError, NotFoundError
from engine.intake.capture.profile import VISIBLE, Profile, choose, fits, names, part_of


def write(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", names())
def test_every_shipped_profile_can_be_read(name: str) -> None:
    profile = Profile.load(name)
    assert profile.name == name
    assert profile.title
    assert any("page not found" in sign.phrases for sign in profile.signs)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.com/someone/status/123", "tweet"),
        ("https://mobile.twitter.com/someone/status/123?s=20", "tweet"),
        ("https://x.com/someone", "account"),
        ("https://platform.twitter.com/embed/Tweet.html?id=1", "tweet-embed"),
        ("https://www.aliexpress.com/item/1005.html", "aliexpress"),
        ("https://de.aliexpress.com/item/1005.html", "aliexpress"),
        ("https://shop.example/products/lamp", "product"),
        ("https://news.example/", "page"),
        ("http://[broken", "page"),
        ("", "page"),
    ],
)
def test_the_pattern_that_says_most_chooses(url: str, name: str) -> None:
    assert choose(url).name == name


def test_stars_stand_for_anything_and_nothing_else_does() -> None:
    assert fits("https://www.a.example/item/1?b=2", "a.example/item/*")
    assert not fits("https://a.example/items", "a.example/item?")
    assert not fits("https://a.example/ab", "a.example/ab*ab")


def test_a_part_of_the_address() -> None:
    assert part_of("https://shop.example/itm/long-name/123?x=1", "*/itm/*/{}") == "123"
    assert part_of("https://shop.example/other/123", "*/itm/{}") == ""


def test_all_mistakes_are_told_at_once_each_with_a_way_out(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
name = "Own Profile"
kind = "twet"
scripts = "yes"
order = ["json-dl"]
prof = []
proof = ["pric"]
[texts]
prize = ["h1"]
title = ["h1["]
[regions]
price = [".price"]
"a:b" = ["p"]
[clean]
brand = ["Brand"]
[[sign]]
kind = "deletd"
reason = "Gone."
[[sign]]
phrases = ["gone"]
""",
    )
    with pytest.raises(InputError) as caught:
        Profile.load(path)
    said = str(caught.value)
    for part in (
        "14 mistakes",
        "unknown field 'prof'. Did you mean 'proof'?",
        "'Own Profile' is no machine name",
        "there is no item kind 'twet'. Did you mean 'tweet'?",
        "`scripts` does not fit",
        "`order` does not fit: Invalid enum value 'json-dl' - at `$[0]`. Did you mean 'json-ld'?",
        "'pric' is neither a region nor a text of this profile. Did you mean 'price'?",
        "there is no field 'prize'. Did you mean 'price'?",
        "'h1[' is no selector that can be used",
        "a region's name cannot hold a colon",
        "clean.brand: 'Brand' needs exactly one *",
        "`kind` does not fit: Invalid enum value 'deletd'. Did you mean 'deleted'?",
        "sign 1: nothing can ever match it",
        "sign 2: it needs a `kind`",
        "sign 2: it needs a `reason`",
    ):
        assert part in said, part


def test_an_own_profile_comes_before_the_one_it_is_like(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'name = "own"\nlike = "product"\n[texts]\nprice = ["#cost"]\n'
        '[[sign]]\nkind = "deleted"\nreason = "Sold."\nphrases = ["sold out for good"]\n',
    )
    own, base = Profile.load(path), Profile.load("product")
    assert own.kind == "product"
    assert own.texts["price"] == ("#cost", *base.texts["price"])
    assert own.texts["brand"] == base.texts["brand"]
    assert own.signs[0].reason == "Sold."
    assert own.signs[1:] == base.signs


def test_the_browser_is_asked_for_signs_skeletons_and_all_visible_text() -> None:
    profile = Profile.load("tweet")
    job = profile.job("https://x.com/a/status/1", "<p>")
    assert job.html == "<p>"
    assert set(profile.regions) < set(job.regions)
    assert profile.ready.absent in job.regions.values()
    assert profile.signs[0].selectors in job.regions.values()
    assert job.texts[VISIBLE] == ("body",)
    assert not any(" @" in selector for given in job.texts.values() for selector in given)
    assert job.present == profile.ready.present


@pytest.mark.parametrize(
    ("given", "said"),
    [("twete", "Did you mean 'tweet'?"), ("missing.toml", "There is no profile file"), ("signs", "no profile 'signs'")],
)
def test_what_is_not_there_is_told(given: str, said: str) -> None:
    with pytest.raises(NotFoundError, match=said.replace("?", r"\?")):
        Profile.load(given)


@pytest.mark.parametrize(
    "text", ["name = ", "name = 'a'\nlike = 'a'", "name = 'a'\nlike = 'b'", "sign = 1\nname = 'a'"]
)
def test_broken_files_are_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"own\.toml"):
        Profile.load(write(tmp_path, text))
