"""Real product pages: how many of the fields that people noted our capture reads, beside extruct alone.

    python tests/benchmarks/product_pages.py --data ../shared/data [--browser] [--repeats 3] [--out FILE.json]

Every page is read three ways: extruct alone as a first script uses it (the first product that any syntax states), ours
from the saved HTML, and with --browser ours by a real capture, the page served to Chromium as its own address (what
the saved page loads from the network is not there). A field agrees where price (as a number), currency (the sign that
people noted can mean the code) or text (upper and lower case are the same) is one of those noted. Profiles were tuned
on the half of the pages named "tuned", found by a hash of their names; "held out" is the other half. People noted no
names and no texts of products, so these are only counted. Of the tweet fragments it prints which fields and regions
are found.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import extruct

from engine.intake.capture.classify import outcome_of
from engine.intake.capture.extract import fields_of
from engine.intake.capture.extract_page import Page
from engine.intake.capture.extract_regions import regions_of
from engine.intake.capture.profile import Profile, choose
from engine.intake.capture.types import Settings, Snapshot

FIELDS = ("price", "currency", "brand", "sku", "gtin", "mpn")
SYNTAXES = ("json-ld", "microdata", "opengraph")
SIGNS = {
    "$": "USD CAD AUD CLP MXN TWD ARS COP NZD SGD HKD UYU",
    "€": "EUR",
    "£": "GBP",
    "₽": "RUB",
    "Rs": "PKR INR LKR NPR",
    "₹": "INR",
    "Lei": "RON",
    "Kn": "HRK",
    "ر.س": "SAR",
}
"""Which codes a noted sign can mean; a noted code means itself."""

Said = dict[str, str]
Truth = Mapping[str, Any]


def half(name: str) -> str:
    """Return on which side of the tuning a page is."""
    return "tuned" if hashlib.sha256(name.encode()).digest()[0] % 2 else "held out"


def agrees(field: str, said: str, noted: Iterable[str]) -> bool:
    """Return whether what was read is one of the values that people noted."""
    if field == "price":
        return any(_number(said) == _number(one) for one in noted)
    if field == "currency":
        return any(said in SIGNS.get(one, one).split() for one in noted)
    return any(said.casefold().split() == one.casefold().split() for one in noted)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def alone(html: str, url: str) -> Said:
    """Return what a first script gets from extruct: fields of the first product that any syntax states."""
    found = extruct.extract(html, base_url=url, syntaxes=list(SYNTAXES), errors="ignore", uniform=True)
    items = [one for syntax in SYNTAXES for one in found.get(syntax, []) if isinstance(one, dict)]
    product = next((one for one in items if "Product" in str(one.get("@type", ""))), {})
    offers = product.get("offers") or {}
    offer = offers[0] if isinstance(offers, list) else offers
    brand = product.get("brand") or ""
    graph = next((one for one in items if "og:title" in one), {})
    said = {
        "price": offer.get("price") or graph.get("product:price:amount"),
        "currency": offer.get("priceCurrency") or graph.get("product:price:currency"),
        "brand": brand.get("name") if isinstance(brand, dict) else brand,
        "sku": product.get("sku"),
        "gtin": product.get("gtin13") or product.get("gtin"),
        "mpn": product.get("mpn"),
        "title": product.get("name") or graph.get("og:title"),
        "text": product.get("description") or graph.get("og:description"),
    }
    return {field: str(value) for field, value in said.items() if value}


def ours(snapshot: Snapshot) -> Said:
    """Return what our reading of the page says, and with "field:source" where each field comes from."""
    found = fields_of(snapshot, product_profile(snapshot.url))
    said = {**found, **found["meta"]}
    return {field: said[field] for field in (*FIELDS, "title", "text") if field in said}


def product_profile(url: str) -> Profile:
    """Return the profile that the command chooses for this address, `product` where it is for no shop."""
    chosen = choose(url)
    return chosen if chosen.kind == "product" else Profile.load("product")


def score(said: Mapping[str, Said], truth: Mapping[str, Truth]) -> dict[str, dict[str, dict[str, int]]]:
    """Return per half and field how many agree, are wrong or missing, and were read where people noted none."""
    counts: dict[str, dict[str, Counter[str]]] = {
        side: {field: Counter() for field in FIELDS} for side in ("tuned", "held out")
    }
    for name, found in said.items():
        for field in FIELDS:
            noted, value = truth[name].get(field), found.get(field, "")
            counter = counts[half(name)][field]
            if not noted:
                counter["read, none noted"] += bool(value)
                continue
            counter["noted"] += 1
            counter["agree" if value and agrees(field, value, noted) else "wrong" if value else "missing"] += 1
    return {side: {field: dict(counter) for field, counter in fields.items()} for side, fields in counts.items()}


def captured(pages: Mapping[str, str], truth: Mapping[str, Truth]) -> dict[str, Snapshot]:
    """Return what a real capture of each page brings; an empty dict where there is no browser."""
    from engine.intake.capture.browser import Browser, BrowserUnavailableError

    urls = {name: truth[name]["url"] for name in pages}
    jobs = [product_profile(urls[name]).job(urls[name], html) for name, html in pages.items()]
    try:
        with Browser(Settings(timeout=20.0, workers=2, width=1200, height=1600)) as browser:
            found = {snapshot.url: snapshot for snapshot in browser.capture_many(jobs)}
    except BrowserUnavailableError as error:
        print(f"No browser: {error}")  # noqa: T201
        return {}
    return {name: found[url] for name, url in urls.items() if url in found}


def timed(read: Callable[[], dict[str, Said]], repeats: int) -> tuple[dict[str, Said], list[float]]:
    """Return what a way reads and its processor seconds, once a repeat."""
    seconds, said = [], {}
    for _ in range(repeats):
        start = time.process_time()
        said = read()
        seconds.append(time.process_time() - start)
    return said, seconds


def tweets(folder: Path) -> dict[str, Any]:
    """Return of each tweet fragment which fields are read and which regions the profile's selectors find."""
    profile = Profile.load("tweet")
    found = {}
    for path in sorted(folder.glob("*.html")):
        html = path.read_text("utf-8")
        said = fields_of(Snapshot(url="https://x.com/someone/status/1", html=html), profile)
        page = Page(html)
        regions = [name for name, css in profile.regions.items() if any(page.select(one) for one in css)]
        fields = [field for field in (*said, *said["meta"]) if field not in ("url", "meta", "profile", "sources")]
        found[path.name] = {"fields": fields, "regions": regions}
    return found


def table(way: str, counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
    """Print one way's agreement, both halves and all."""
    for side in ("tuned", "held out"):
        cells = []
        for field, counter in counts[side].items():
            wrong, more = counter.get("wrong", 0), counter.get("read, none noted", 0)
            cells.append(f"{field} {counter.get('agree', 0)}/{counter.get('noted', 0)} ({wrong} wrong, {more} unasked)")
        print(f"{way:18} {side:9} " + "  ".join(cells))  # noqa: T201


def total(counts: Mapping[str, Mapping[str, Mapping[str, int]]], field: str, what: str) -> int:
    """Return a count over both halves."""
    return sum(counts[side][field].get(what, 0) for side in counts)


def summary(found: Mapping[str, Any]) -> None:
    """Print agreement over all pages, one line a field, ways side by side, and the processor time of a page."""
    print(f"\n{'agree of noted':16}" + "".join(f"{way:>20}" for way in found["counts"]))  # noqa: T201
    for field in FIELDS:
        cells = [f"{total(one, field, 'agree')}/{total(one, field, 'noted')}" for one in found["counts"].values()]
        print(f"{field:16}" + "".join(f"{cell:>20}" for cell in cells))  # noqa: T201
    for way, seconds in found["seconds"].items():
        each = [1000 * one / found["pages"] for one in seconds]
        print(f"{way}: {statistics.median(each):.0f} ms of processor a page ({min(each):.0f} to {max(each):.0f})")  # noqa: T201


def measure(data: Path, *, browser: bool, repeats: int, most: int) -> dict[str, Any]:
    """Return all counts and times."""
    folder = data / "product_pages_html"
    truth = json.loads((folder / "ground-truth.json").read_text("utf-8"))
    pages = {
        path.name.removesuffix(".html.gz"): gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        for path in sorted((folder / "html").glob("*.html.gz"))[:most]
    }
    ways: dict[str, dict[str, Said]] = {}
    seconds: dict[str, list[float]] = {}
    snapshots = {name: Snapshot(url=truth[name]["url"], html=html) for name, html in pages.items()}
    readers: dict[str, Callable[[], dict[str, Said]]] = {
        "extruct alone": lambda: {name: alone(html, truth[name]["url"]) for name, html in pages.items()},
        "ours, HTML": lambda: {name: ours(snapshot) for name, snapshot in snapshots.items()},
    }
    for way, read in readers.items():
        ways[way], seconds[way] = timed(read, repeats)
    brought = captured(pages, truth) if browser else {}
    outcomes: Counter[str] = Counter()
    if brought:
        ways["ours, browser"] = {name: ours(brought[name]) if name in brought else {} for name in pages}
        outcomes = Counter(outcome_of(one, product_profile(one.url)).kind for one in brought.values())
    regions = Counter(name for one in brought.values() for name in regions_of(one))
    counts = {way: score(said, truth) for way, said in ways.items()}
    found = {
        "pages": len(pages),
        "counts": counts,
        "seconds": seconds,
        "said": ways,
        "tweets": tweets(data / "tweet_html"),
    }
    return {
        **found,
        "outcomes": outcomes,
        "regions": regions,
        "named": {w: sum("title" in one for one in s.values()) for w, s in ways.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--pages", type=int, default=40, help="only the first of them")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/bench/product_pages.json"))
    given = parser.parse_args()
    if not (given.data / "product_pages_html" / "ground-truth.json").is_file():
        sys.exit(f"There are no product pages in '{given.data}': give the folder of the real data with --data.")
    found = measure(given.data, browser=given.browser, repeats=given.repeats, most=given.pages)
    for way, counts in found["counts"].items():
        table(way, counts)
    summary(found)
    print(f"with a name: {found['named']}; outcomes: {dict(found['outcomes'])}; regions: {dict(found['regions'])}")  # noqa: T201
    for name, one in found["tweets"].items():
        print(f"{name}: fields {', '.join(one['fields'])}; regions {', '.join(one['regions'])}")  # noqa: T201
    given.out.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in found.items() if name != "said"}
    given.out.write_text(json.dumps(kept, indent=1), "utf-8")


if __name__ == "__main__":
    main()
