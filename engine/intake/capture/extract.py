"""What a captured page says, as the fields of an item: structured data first, then the profile's selectors.

The page is a stranger's and may hold anything: nothing here raises on it, and everything is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from engine.intake.capture.extract_labels import labelled
from engine.intake.capture.extract_page import Link, Page, text_of, tidy
from engine.intake.capture.extract_prices import Price, commonest_currency, price_of, stated_price
from engine.intake.capture.extract_structured import stated
from engine.intake.capture.extract_times import utc_of
from engine.intake.capture.profile import VISIBLE, Profile, part_of
from engine.intake.capture.types import Snapshot

_LONGEST = {"text": 50_000, "quoted": 20_000, "link-preview": 2_000, "title": 1_000}
_LONGEST_OTHER = 300
_MOST_LINKS = 50
_ON_ITEM = ("text", "title", "author")
_SHORT = ("brand", "sku", "gtin", "mpn")
_PAGE = "page"
_HANDLE = re.compile(r"@?([\w.-]{1,64})")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_NO_LANGUAGE = frozenset(("und", "zxx", "mul", "qme", "qam", "qct", "qht", "qst", "art"))


def fields_of(snapshot: Snapshot, profile: Profile) -> dict[str, Any]:
    """Return what the page says, as the fields of an import record: `text`, `title`, `author`, `url` and `meta`.

    `meta` holds, where the page states it: `time` (of what was posted, ISO 8601 UTC), `language`, `price` (plain digits
    with a dot), `currency` (ISO 4217), `brand`, `sku`, `gtin`, `mpn`, `quoted`, `link-preview`, `links` (a list of
    `url`, `text` and, where they lie in a card, its text as `preview`), `profile` (its name) and `sources` (field →
    "json-ld", "microdata", "opengraph" or "page"). Fields without a value are left out.
    """
    url = snapshot.final_url or snapshot.url
    page = Page(snapshot.html, url)
    reader = _Reader(snapshot, profile, page, stated(page))
    own: dict[str, Any] = {field: value for field in _ON_ITEM if (value := reader.field(field))}
    if "title" not in own and snapshot.title and profile.kind != "tweet":
        own["title"] = reader.keep("title", tidy(snapshot.title)[: _LONGEST["title"]], _PAGE)
    meta: dict[str, Any] = {field: value for field, value in reader.rest() if value}
    links = _outgoing(page.links(profile.texts.get("links", ()), profile.texts.get("link-preview", ())), page.url)
    if links:
        meta["links"] = links
        reader.sources["links"] = _PAGE
    return {**own, "url": url, "meta": {**meta, "profile": profile.name, "sources": reader.sources}}


class _Reader:
    """Takes each field from the first source, in the profile's order, that has a usable value; notes which it was."""

    def __init__(self, snapshot: Snapshot, profile: Profile, page: Page, said: Mapping[str, Mapping[str, str]]) -> None:
        self.snapshot, self.profile, self.page, self.said = snapshot, profile, page, said
        self.sources: dict[str, str] = {}
        self.beside = labelled(page.root, profile.labels)

    def keep(self, field: str, value: str, source: str) -> str:
        self.sources[field] = source
        return value

    def field(self, field: str) -> str:
        for value, source in self.values(field):
            usable = _usable(field, self.cleaned(field, value))
            if usable:
                return self.keep(field, usable, source)
        return ""

    def values(self, field: str) -> Iterator[tuple[str, str]]:
        for source in self.profile.order:
            if source == _PAGE:
                yield from ((value, _PAGE) for value in self.seen(field))
            elif source == "labels":
                yield self.beside.get(field, ""), source
            elif source == "address":
                yield from ((part_of(self.page.url, one), source) for one in self.profile.address.get(field, ()))
            else:
                yield self.said.get(source, {}).get(field, ""), source

    def seen(self, field: str) -> Iterator[str]:
        """Yield what the profile's selectors find: as the browser shows it, unless that loses pictured characters."""
        selectors = self.profile.texts.get(field, ())
        shown = self.snapshot.texts.get(field, "")
        if shown and not self.page.has_pictured_text(selectors):
            yield tidy(shown)
        yield from self.page.values(selectors)

    def cleaned(self, field: str, value: str) -> str:
        for pattern in self.profile.clean.get(field, ()):
            start, _, end = pattern.partition("*")
            if value.startswith(start) and value.endswith(end) and len(value) > len(start) + len(end):
                return value[len(start) : len(value) - len(end)].strip()
        return value

    def rest(self) -> Iterator[tuple[str, str]]:
        yield "time", self.field("time")
        yield "language", self.field("language")
        price, source = self.price()
        if price is not None:
            yield "price", self.keep("price", price.amount, source)
            yield "currency", self.currency(price, source)
        found = {field: self.field(field) for field in (*_SHORT, "quoted", "link-preview")}
        if not found["gtin"] and is_gtin(found["sku"]):
            found["gtin"] = self.keep("gtin", found["sku"], self.sources["sku"])
        yield from found.items()

    def currency(self, price: Price, source: str) -> str:
        """Return the price's currency, else the one that most prices on the page have."""
        if price.currency:
            return self.keep("currency", price.currency, source)
        body = self.page.select("body")
        shown = self.snapshot.texts.get(VISIBLE) or (text_of(body[0]) if body else "")
        common = commonest_currency(shown, self.page.url)
        return self.keep("currency", common, _PAGE) if common else ""

    def price(self) -> tuple[Price | None, str]:
        """Return the first price above zero, with a currency from wherever the page states one."""
        currency = next((value for value, _ in self.values("currency") if value), "")
        for value, source in self.values("price"):
            url = self.page.url
            beside = (self.said.get(source, {}).get("currency", "") if source != _PAGE else "") or currency
            read = stated_price if source != _PAGE else price_of
            found = read(value, beside, url) or stated_price(value, beside, url)
            if found is not None and float(found.amount) > 0:
                return found, source
        return None, ""


def _usable(field: str, value: str) -> str:
    """Return a field's value in the form that an item has it in, "" where it cannot be that."""
    value = tidy(value)
    if field == "time":
        return utc_of(value)
    if field == "author":
        return handle_of(value)
    if field == "language":
        fits = _LANGUAGE.fullmatch(value)
        return value.replace("_", "-") if fits and value.lower() not in _NO_LANGUAGE else ""
    if field in _SHORT:
        value = value.split("\n")[0]
        return value if len(value) <= _LONGEST_OTHER else ""
    return value[: _LONGEST.get(field, _LONGEST_OTHER)].rstrip()


def handle_of(value: str) -> str:
    """Return an account's handle without "@", from a handle, a link to the account, or a name as it stands.

    A link counts by its `screen_name`, else by the first part of its path ("https://x.com/someone/status/1").
    """
    if "/" not in value:
        found = _HANDLE.fullmatch(value)
        return found[1] if found else value.split("\n", maxsplit=1)[0][:_LONGEST_OTHER]
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    named = parse_qs(parts.query[:2_000]).get("screen_name", [""])[0]
    found = _HANDLE.fullmatch(named or parts.path.strip("/").split("/")[0])
    return found[1] if found else ""


def is_gtin(code: str) -> bool:
    """Return whether a number is a GTIN-12, -13 or -14 by its check digit (GS1 General Specifications, 7.9)."""
    if not (code.isascii() and code.isdigit() and len(code) in (12, 13, 14)):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(code))) % 10 == 0


def _outgoing(links: list[Link], url: str) -> list[dict[str, str]]:
    """Return the links that lead away from the page's own site, at most 50."""
    own = _site(url)
    away = [link for link in links if _site(link.url) != own]
    return [
        {
            name: text
            for name, text in (("url", one.url), ("text", one.text[:500]), ("preview", one.preview[:2_000]))
            if text
        }
        for one in away[:_MOST_LINKS]
    ]


def _site(url: str) -> str:
    """Return the host of an address without "www."; other names of one owner count as other sites."""
    try:
        return (urlsplit(url).hostname or "").lower().removeprefix("www.")
    except ValueError:
        return ""
