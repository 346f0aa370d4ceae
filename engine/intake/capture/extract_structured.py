"""What a page states for machines: JSON-LD, microdata and OpenGraph, read by extruct, as the fields of an item.

Vocabulary: https://schema.org (Product, Offer, SocialMediaPosting, Article, Person, ProfilePage) and https://ogp.me.
The page is a stranger's: how much of it is read is bounded, and what breaks extruct is left out.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.intake.capture.extract_page import Page
from engine.intake.capture.extract_schema import facts_of

log = logging.getLogger(__name__)

_MOST_SCRIPTS, _LONGEST_SCRIPT = 60, 1_000_000
_MOST_MARKED, _DEEPEST = 1_000, 10
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError, MemoryError)
"""What extruct and the libraries below it raise on broken pages; anything else is a bug that must be seen."""

_OPENGRAPH = {
    "og:title": "title",
    "og:description": "text",
    "og:locale": "language",
    "product:price:amount": "price",
    "og:price:amount": "price",
    "product:price:currency": "currency",
    "og:price:currency": "currency",
    "product:sale_price:amount": "price",
    "product:brand": "brand",
    "og:brand": "brand",
    "product:retailer_item_id": "sku",
    "product:mfr_part_no": "mpn",
    "product:ean": "gtin",
    "product:upc": "gtin",
    "product:isbn": "gtin",
    "article:published_time": "time",
    "og:article:published_time": "time",
    "profile:username": "author",
}


def stated(page: Page) -> dict[str, dict[str, str]]:
    """Return the fields that each source states: `{"json-ld": {"title": …}, "microdata": …, "opengraph": …}`."""
    if page.root is None:
        return {}
    title = next(page.values(("title",)), "")
    return {
        "json-ld": facts_of(json_ld(page), title),
        "microdata": facts_of(microdata(page), title),
        "opengraph": opengraph(page),
    }


def json_ld(page: Page) -> list[Any]:
    """Return the page's JSON-LD, one script at a time, so that one broken script does not take the others with it."""
    from extruct.jsonld import JsonLdExtractor

    extractor = JsonLdExtractor()
    found: list[Any] = []
    for script in page.root.xpath('//script[@type="application/ld+json"]')[:_MOST_SCRIPTS]:
        if len(script.text or "") <= _LONGEST_SCRIPT:
            found.extend(_tried(functools.partial(extractor.extract_items, script)))
    return found


def microdata(page: Page) -> list[Any]:
    """Return the page's microdata in the form of JSON-LD; none where a page marks too much.

    extruct copies and compares marked elements with each other: more than 1,000 of them, or 10 inside each other (real
    pages: up to 300 and 4), would cost minutes.
    """
    from extruct.w3cmicrodata import MicrodataExtractor

    marked = page.root.xpath("//*[@itemscope or @itemprop]")
    if not 0 < len(marked) <= _MOST_MARKED or _nesting(marked) > _DEEPEST:
        return []
    found = _tried(lambda: MicrodataExtractor().extract_items(page.root, base_url=page.url))
    return [_as_json_ld(item, 0) for item in found]


def _nesting(marked: Sequence[Any]) -> int:
    """Return how many of the elements, which are in the order of the page, lie inside each other at most."""
    depths: dict[Any, int] = {}
    for element in marked:
        depths[element] = 1 + next((depths[one] for one in element.iterancestors() if one in depths), 0)
    return max(depths.values())


def opengraph(page: Page) -> dict[str, str]:
    """Return the fields that the page's OpenGraph properties state, the first of each."""
    from extruct.opengraph import OpenGraphExtractor

    found: dict[str, str] = {}
    for graph in _tried(lambda: list(OpenGraphExtractor().extract_items(page.root))):
        for name, value in graph["properties"]:
            field = _OPENGRAPH.get(name.strip().lower())
            if field and value.strip():
                found.setdefault(field, value.strip())
    return found


def _tried(read: Callable[[], Sequence[Any]]) -> Iterator[Any]:
    from lxml.etree import LxmlError

    try:
        yield from read()
    except (*_BROKEN, LxmlError) as error:
        log.debug("Structured data that cannot be read: %s", error)


def _as_json_ld(value: Any, depth: int) -> Any:
    """Return extruct's `{"type", "properties"}` as `{"@type", …}`."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        return [_as_json_ld(one, depth + 1) for one in value]
    if not isinstance(value, Mapping):
        return value
    inside = value.get("properties")
    plain = {name: _as_json_ld(one, depth + 1) for name, one in inside.items()} if isinstance(inside, Mapping) else {}
    name = {"name": value["value"]} if "value" in value and not plain else {}
    return {"@type": value.get("type", ""), **name, **plain}
