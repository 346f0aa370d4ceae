"""Rows of docs/RESULTS.md for pages and files: what pages say, exports and imports, broken files, other tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.product_pages import FIELDS, total


def product_pages(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `product_pages.py`: how many fields agree with what people noted, and how the captures ended."""
    ways = found["counts"]
    yield f"\n### What {found['pages']} real product pages say, agreeing of those noted (`product_pages.py`)\n"
    yield "| | " + " | ".join(ways) + " |\n|---|" + "---|" * len(ways)
    for field in FIELDS:
        cells = (f"{total(one, field, 'agree')} of {total(one, field, 'noted')}" for one in ways.values())
        yield f"| {field} | " + " | ".join(cells) + " |"
    ended = ", ".join(f"{name} {count}" for name, count in found["outcomes"].items())
    yield f"\nIn the browser: {ended}." if ended else "\nNot run in the browser."


def million(found: list[dict[str, Any]]) -> Iterator[str]:
    """Rows of `export_million.py`: time and memory of the largest file, and its memory against the smallest one's."""
    yield "\n### Many decisions out and in, one thread (`export_million.py`)\n"
    yield "| | decisions | processor seconds | memory above the start | against a tenth of them |"
    yield "|---|---|---|---|---|"
    for what in dict.fromkeys(one["what"] for one in found):
        small, *_, large = sorted((one for one in found if one["what"] == what), key=lambda one: one["decisions"])
        grown = [one["peak_mb"] - one["start_mb"] for one in (small, large)]
        yield (
            f"| {what} | {large['decisions']:,} | {large['cpu_seconds']:.0f} | {grown[1]:.0f} MB"
            f" | {grown[1] / grown[0]:.2f} times |"
        )


def broken(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `fuzz_readers.py`: how many broken files were read, and how many went wrong."""
    counts = found["counts"]
    ends = {end: sum(n for name, n in counts.items() if name.endswith(end)) for end in ("came in", "refused")}
    yield "\n### Broken files (`fuzz_readers.py`)\n"
    yield (
        f"{sum(counts.values()):,} files of every format, broken at random: {ends['refused']:,} with rows or the whole"
        f" refused in words, {ends['came in']:,} came in, {len(found['faults'])} faults"
        f" ({found['cpu_seconds']:.0f} processor seconds)."
    )


def packs(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `interop_packs.py`: what the packages of labellers make of our files and of the original ones."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    yield f"\n### Answers of many labellers through other packages ({versions}; `interop_packs.py`)\n"
    yield "| set | answers | crowd-kit: same majority / Dawid–Skene | cleanlab: same table / majority |"
    yield "|---|---|---|---|"
    for name, one in found["sets"].items():
        crowd, clean = one["crowd-kit"], one["cleanlab"]
        pairs = (
            (crowd["same_majority"], crowd["same_dawid_skene"]),
            (clean["same_table"], clean["same_majority"]),
        )
        cells = (" / ".join("yes" if same else "no" for same in pair) for pair in pairs)
        yield f"| {name} | {one['import']['answers']:,} | " + " | ".join(cells) + " |"
