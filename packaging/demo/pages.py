"""Turns an invented tweet or product into the HTML of its page, from the templates in `resources/demo/pages`."""

from __future__ import annotations

import colorsys
import zlib
from html import escape
from string import Template

import resources
from products import Product
from tweets import Tweet

WORDS = {
    "en": {
        "heading": "Post",
        "crumb": "Home › Market",
        "sold_by": "sold by",
        "buy": "Add to basket",
        "about": "About this item",
        "no_photo": "no photograph",
    },
    "el": {
        "heading": "Ανάρτηση",
        "crumb": "Αρχική › Αγορά",
        "sold_by": "από",
        "buy": "Στο καλάθι",
        "about": "Περιγραφή",
        "no_photo": "χωρίς φωτογραφία",
    },
}
ERROR_TEXT = {
    ("not-found", "en"): "404. This page is gone or never was.",
    ("not-found", "el"): "404. Η σελίδα δεν υπάρχει πια.",
    ("blocked", "en"): "Please confirm that you are not a robot to go on.",
    ("blocked", "el"): "Επιβεβαιώστε ότι δεν είστε ρομπότ για να συνεχίσετε.",
}


def _template(name: str) -> Template:
    return Template(resources.path("demo", "pages", name).read_text(encoding="utf-8"))


def _face(handle: str) -> str:
    """A quiet colour of its own for every handle, the same on every run."""
    hue = (zlib.crc32(handle.encode()) % 360) / 360
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in colorsys.hls_to_rgb(hue, 0.62, 0.32)))


def tweet_page(tweet: Tweet) -> str:
    """Return the HTML of a tweet's page."""
    media = f'<div class="media" data-region="media">{tweet.picture}</div>' if tweet.picture else ""
    preview = ""
    if tweet.preview:
        site, title = map(escape, tweet.preview)
        preview = f'<div class="preview" data-region="link-preview"><small>{site}</small><div>{title}</div></div>'
    replies, reposts, likes = tweet.counts
    return _template("tweet.html").substitute(
        language=tweet.language,
        theme="dark" if tweet.dark else "",
        heading=WORDS[tweet.language]["heading"],
        face=_face(tweet.handle),
        name=escape(tweet.name),
        handle=escape(tweet.handle),
        text=escape(tweet.text),
        media=media,
        preview=preview,
        when=tweet.when.replace("T", " · ").removesuffix(":00Z"),
        replies=replies,
        reposts=reposts,
        likes=likes,
    )


def product_page(product: Product) -> str:
    """Return the HTML of a product's page, or of the error that stands in its place."""
    words = WORDS[product.language]
    if product.error:
        return _template("error.html").substitute(language=product.language, body=_error_body(product))
    return _template("product.html").substitute(
        language=product.language,
        theme="dark" if product.dark else "",
        crumb=words["crumb"],
        media=product.picture or words["no_photo"],
        title=escape(product.title),
        sold_by=words["sold_by"],
        seller=escape(product.seller),
        price=product.price,
        buy=words["buy"],
        about=words["about"],
        text=escape(product.text),
    )


def error_text(product: Product) -> str:
    """Return what an error page says; a page that is still loading says nothing."""
    return ERROR_TEXT.get((product.error, product.language), "")


def _error_body(product: Product) -> str:
    if product.error == "loading":
        shift = product.number % 7 * 6
        bones = [(20, 240), (280, 30), (280, 30), (180 + shift, 30), (540, 16), (420 + shift, 16)]
        return "".join(f'<div class="bone" style="width:{w}px;height:{h}px"></div>' for w, h in bones)
    head = "404" if product.error == "not-found" else "?"
    return f'<div class="middle" data-region="text"><h1>{head}</h1><p>{error_text(product)}</p></div>'
