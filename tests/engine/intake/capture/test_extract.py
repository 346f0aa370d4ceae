from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.intake.capture.extract import fields_of, handle_of, is_gtin
from engine.intake.capture.extract_page import Page, text_of
from engine.intake.capture.profile import Profile, names
from engine.intake.capture.types import Snapshot

Read = Callable[..., dict[str, Any]]
POST = """
<article data-testid="tweet">
  <div data-testid="User-Name"><a href="/kalamis_s"><span>Kalamis</span></a></div>
  <div data-testid="tweetText" lang="el">Νέα <img alt="🎉"> εδώ<a href="https://t.co/abc">news.example</a></div>
  <a href="/kalamis_s/status/5"><time datetime="2026-01-31T14:00:00+02:00">2h</time></a>
  <div data-testid="card.wrapper"><a href="https://t.co/abc"><span>A long read</span></a></div>
  <div role="link" tabindex="0"><div data-testid="User-Name">Other</div>
    <div data-testid="tweetText">The quoted words</div><time datetime="2025-01-01T00:00:00Z">1y</time></div>
</article>"""


@pytest.fixture
def read() -> Read:
    """Read a page: `read(html, "product", url=…, texts=…)` returns its fields, those of `meta` beside the others."""

    def fields(html: str, name: str, url: str = "https://shop.example/item/1", **snapshot: Any) -> dict[str, Any]:
        found = fields_of(Snapshot(url=url, html=html, **snapshot), Profile.load(name))
        return {**found["meta"], **found}

    return fields


def linked_data(*objects: Any) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(one)}</script>' for one in objects)


def test_a_post_and_the_one_that_it_quotes_are_told_apart(read: Read) -> None:
    found = read(POST, "tweet", url="https://x.com/kalamis_s/status/5")
    assert found["text"] == "Νέα 🎉 εδώnews.example"
    assert found["quoted"] == "The quoted words"
    assert found["author"] == "kalamis_s"
    assert found["time"] == "2026-01-31T12:00:00Z"
    assert found["language"] == "el"
    assert found["links"] == [{"url": "https://t.co/abc", "text": "news.example", "preview": "A long read"}]
    assert set(found["sources"].values()) == {"page"}


def test_a_post_of_pictures_alone_has_not_the_quoted_text(read: Read) -> None:
    without = POST.replace('<div data-testid="tweetText" lang="el">', "<div>")
    assert "text" not in read(without, "tweet")


def test_what_the_browser_shows_counts_unless_it_loses_pictured_characters(read: Read) -> None:
    assert read(POST, "tweet", texts={"text": "Νέα  εδώ"})["text"] == "Νέα 🎉 εδώnews.example"
    assert read(POST.replace("<img", "<i"), "tweet", texts={"text": "Νέα  εδώ"})["text"] == "Νέα εδώ"


def test_the_address_names_the_author_where_the_page_does_not(read: Read) -> None:
    found = read("<p>nothing</p>", "tweet", url="https://x.com/kalamis_s/status/5")
    assert (found["author"], found["sources"]["author"]) == ("kalamis_s", "address")


def test_linked_data_comes_first_and_each_source_is_kept(read: Read) -> None:
    product = {
        "@context": "https://schema.org",
        "@graph": [
            {"@type": "Product", "name": "Another lamp"},
            {
                "@type": ["Product", "Thing"],
                "name": "Lamp &amp; shade",
                "brand": {"@type": "Brand", "name": "Morrowe"},
                "sku": 815,
                "offers": {"@type": "AggregateOffer", "lowPrice": "19.90", "priceCurrency": "EUR"},
            },
        ],
    }
    html = (
        '<html lang="de-AT"><head><meta property="og:title" content="Wrong"><title>Lamp & shade | Shop</title></head>'
        f"{linked_data(product)}<h1>Other</h1><p class=price>99,00 €</p><dl><dt>MPN:</dt><dd>L-7</dd></dl>"
    )
    found = read(html, "product")
    assert (found["title"], found["price"], found["currency"]) == ("Lamp & shade", "19.90", "EUR")
    assert (found["brand"], found["sku"], found["mpn"]) == ("Morrowe", "815", "L-7")
    assert found["language"] == "de-AT"
    assert {"title": "json-ld", "price": "json-ld", "mpn": "labels", "language": "page"}.items() <= found[
        "sources"
    ].items()


def test_microdata_opengraph_and_selectors_in_turn(read: Read) -> None:
    micro = (
        '<div itemscope itemtype="https://schema.org/Product"><b itemprop="name">Lamp</b>'
        '<span itemprop="offers" itemscope itemtype="https://schema.org/Offer">'
        '<meta itemprop="price" content="5.50"><meta itemprop="priceCurrency" content="GBP"></span></div>'
    )
    graph = (
        '<head><meta property="product:price:amount" content="6.00"><meta property="product:price:currency" '
        'content="USD"></head>'
    )
    plain = '<div class="price"><s></s>7,00 €</div>'
    assert read(graph + micro + plain, "product")["price"] == "5.50"
    assert read(graph + plain, "product")["currency"] == "USD"
    found = read(plain, "product")
    assert (found["price"], found["currency"], found["sources"]["price"]) == ("7.00", "EUR", "page")


def test_a_price_without_a_currency_takes_the_pages(read: Read) -> None:
    html = '<meta itemprop="price" content="12.50"><p>Others: 20,00 € and 30,00 € and $1</p>'
    assert read(html, "product")["currency"] == "EUR"


def test_one_broken_script_does_not_take_the_others_with_it(read: Read) -> None:
    html = '<script type="application/ld+json">{"@type": </script>' + linked_data({"@type": "Product", "name": "Lamp"})
    assert read(html, "product")["title"] == "Lamp"


def test_a_shops_own_words_around_the_brand_are_left_out(read: Read) -> None:
    html = '<a id="bylineInfo">Visit the Morrowe Store</a><input id="ASIN" value="B000">'
    found = read(html, "amazon", url="https://www.amazon.com/dp/B000")
    assert (found["brand"], found["sku"]) == ("Morrowe", "B000")


@pytest.mark.parametrize(
    "html",
    [
        "<b>Brand:</b> Morrowe",
        "<li>Brand: Morrowe</li>",
        "<li>Marke: <a>Morrowe</a></li>",
        "<table><tr><th>Μάρκα</th><td>Morrowe</td></tr></table>",
        "<table><tr><td><span>brand</span></td><td><b>Morrowe</b></td></tr></table>",
    ],
)
def test_values_beside_their_names(read: Read, html: str) -> None:
    assert read(html, "product")["brand"] == "Morrowe"


def test_links_that_lead_away(read: Read) -> None:
    html = (
        '<main><a href="/own">a</a><a href="https://www.shop.example/b">b</a><a href="//Other.example/c">c</a>'
        '<a href="javascript:alert(1)">d</a><a href="http://[">e</a><a href="file:///etc/passwd">f</a></main>'
    )
    assert read(html, "page", url="https://shop.example/")["links"] == [{"url": "https://Other.example/c", "text": "c"}]


@pytest.mark.parametrize(
    ("given", "handle"),
    [
        ("@some.one", "some.one"),
        ("/someone", "someone"),
        ("https://x.com/someone/status/1", "someone"),
        ("https://x.com/intent/user?screen_name=someone", "someone"),
        ("A Name With Spaces", "A Name With Spaces"),
        ("http://[", ""),
    ],
)
def test_handles(given: str, handle: str) -> None:
    assert handle_of(given) == handle


@pytest.mark.parametrize(("code", "valid"), [("4006381333931", True), ("4006381333932", False), ("12345", False)])
def test_check_digits(code: str, valid: bool) -> None:
    assert is_gtin(code) is valid


def test_text_reads_as_lines_without_what_is_hidden() -> None:
    page = Page(
        '<div>One <b>two</b><p>three<script>x</script><span hidden>y</span></p>four<div style="display: none">z'
    )
    assert text_of(page.root) == "One two\nthree\nfour"


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("main a", 2),
        ("main > a", 1),
        ("main p a", 1),
        ("main > p > a[href]", 1),
        ("div main a", 0),
        ("body main a", 2),
        ("p + a", 1),
        ("main p + a", 1),
        ("a:not(main *)", 1),
        ("main:has(p) > a", 1),
        ("p a, a:not(main *), main", 3),
        ("a:visited", 0),
    ],
)
def test_selectors_find_what_css_says(selector: str, found: int) -> None:
    page = Page('<main><p><a href="1">x</a></p><a>y</a></main><a>z</a>')
    assert len(page.select(selector)) == found


HOSTILE = {
    "nothing": "",
    "unfinished": "<!--",
    "deep": "<div>" * 5000 + "brand: <i>x",
    "linked data without end": f'<script type="application/ld+json">{"[" * 20000}</script>',
    "odd values": linked_data(
        {"@type": {"a": 1}, "name": []}, [None, 1, "x"], {"@type": "Product", "offers": [[{}], 7]}
    ),
    "numbers": '<script type="application/ld+json">{"@type":"Product","offers":{"price":1e400}}</script>',
    "marked without end": '<p itemscope itemtype="https://schema.org/Product" itemprop=a>' * 3000,
    "referring to each other": '<p itemscope id=a itemref="b a" itemprop=x><p itemscope id=b itemref="a b" itemprop=x>',
    "surrogates": "<h1>\ud800\x00\x01</h1>",
    "claims another encoding": '<?xml version="1.0" encoding="utf-16"?><h1>x</h1>',
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", ["product", "tweet"])
def test_no_page_breaks_it(read: Read, html: str, name: str) -> None:
    found = read(html, name)
    json.dumps(found)
    assert found["profile"] == name


def test_nested_parts_do_not_multiply() -> None:
    page = Page("<article>" * 200 + '<a href="https://b.example/">x</a>' * 2_000)
    assert len(page.select(" ".join(["article"] * 12) + " a[href]")) == 500


PIECES = st.sampled_from(
    [
        '<div itemprop="price" content="',
        "<article>",
        "</p>",
        "<p class=price>",
        "€1,",
        "{",
        '"',
        '<script type=application/ld+json>{"@type":"Product","name":',
        "</script>",
        "<meta property=og:title content=",
        "<time datetime=",
        "<a href=//",
        "brand:",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES | st.text(max_size=8), max_size=20), name=st.sampled_from(names()))
def test_no_mixture_breaks_it(read: Read, pieces: list[str], name: str) -> None:
    assert read("".join(pieces), name)["profile"] == name
