"""Makes the demo's 240 captures: `python packaging/demo [FOLDER]`, by default into `resources/demo`.

Needs Chromium and its driver (Debian: chromium, chromium-driver) and a user other than root, since the browser's
sandbox stays on. The same seed gives the same pages; captures can differ by a font's rendering.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pages
import render
from products import Product, make_products
from tweets import Tweet, make_tweets

SEED = 20260905


def tweet_row(tweet: Tweet) -> dict[str, Any]:
    """Return a tweet's line of the metadata, without its regions."""
    return {
        "id": f"tweet-{tweet.number:04}",
        "kind": "tweet",
        "text": tweet.text,
        "author": tweet.handle,
        "url": f"https://tweets.example/{tweet.handle}/{1000 + tweet.number}",
        "captured_at": tweet.when,
        "subsets": ["demo", tweet.language],
        "exposure": sum(tweet.counts),
        "labels": {"toxicity": tweet.label},
        "signal": tweet.signal,
    }


def product_row(product: Product) -> dict[str, Any]:
    """Return a product's line of the metadata, without its regions."""
    labels: dict[str, Any] = {"verdict": product.label}
    if product.reasons:
        labels["reason"] = list(product.reasons)
    return {
        "id": f"product-{product.number:04}",
        "kind": "product",
        "title": product.title,
        "text": product.text or pages.error_text(product),
        "author": product.seller,
        "url": f"https://agora-lane.example/item/{4000 + product.number}",
        "captured_at": "2026-08-14T09:00:00Z",
        "subsets": ["demo", product.language],
        "exposure": 40 + 37 * product.number % 900,
        "labels": labels,
        "signal": product.signal,
        "price": product.price,
        "brand": product.brand if product.title else "",
    }


def main(folder: Path) -> None:
    """Render every page into `folder/captures` and write `folder/metadata.jsonl`."""
    rng = random.Random(SEED)
    todo = [(tweet_row(t), pages.tweet_page(t)) for t in make_tweets(120, rng)]
    todo += [(product_row(p), pages.product_page(p)) for p in make_products(120, rng)]
    rng.shuffle(todo)
    captures = folder / "captures"
    captures.mkdir(parents=True, exist_ok=True)
    lines = []
    with render.browser() as driver:
        for row, html in todo:
            file = captures / f"{row['id']}.png"
            regions = render.capture(driver, html, file)
            lines.append(
                json.dumps({**row, "screenshot": f"captures/{file.name}", "regions": regions}, ensure_ascii=False)
            )
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in captures.glob("*.png"))
    print(f"{len(lines)} captures in {folder}, {size / 1e6:.1f} MB together")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "resources" / "demo")
