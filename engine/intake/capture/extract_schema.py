"""What schema.org objects say of the page's item: which of them is the item, and its fields as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_MOST_OBJECTS = 5_000
_PRODUCTS = frozenset(
    (
        "product",
        "productgroup",
        "individualproduct",
        "productmodel",
        "someproducts",
        "book",
        "vehicle",
        "car",
        "vacationrental",
    )
)
_POSTS = frozenset(
    (
        "socialmediaposting",
        "discussionforumposting",
        "blogposting",
        "article",
        "newsarticle",
        "comment",
        "question",
        "answer",
    )
)
_PEOPLE = frozenset(("person", "organization", "profilepage"))
_ELSEWHERE = re.compile(
    "isrelatedto|issimilarto|isaccessoryorsparepartfor|isconsumablefor|itemlistelement|reviews?|author|publisher|brand|"
    "manufacturer|offers|seller|comment|isvariantof|ispartof|hasvariant"
)
"""Properties behind which there are other things than the page's own item."""

_TAG = re.compile(r"<[^<>]{1,2000}>")
_PRICES = ("price", "lowPrice", "lowprice", "highPrice")
Object = Mapping[str, Any]


def facts_of(objects: Iterable[Any], title: str) -> dict[str, str]:
    """Return the fields of the item that the objects describe; `title` is the page's, which tells it from others."""
    known = list(_objects(objects))
    item = _best(known, _PRODUCTS, title)
    if item is not None:
        return _filled(_product(item, known))
    item = _best(known, _POSTS, title)
    if item is not None:
        return _filled(_post(item))
    item = _best(known, _PEOPLE, title)
    return {} if item is None else _filled(_person(item))


def _objects(given: Iterable[Any]) -> Iterator[Object]:
    """Yield the objects that may be the page's item, outermost first, at most 5,000."""
    waiting, seen = list(given), 0
    while waiting and seen < _MOST_OBJECTS:
        inner: list[Any] = []
        for value in waiting:
            seen += 1
            if isinstance(value, list):
                inner.extend(value)
            elif isinstance(value, Mapping):
                yield value
                inner.extend(one for name, one in value.items() if not _ELSEWHERE.fullmatch(str(name).lower()))
        waiting = [one for one in inner if isinstance(one, list | Mapping)][:_MOST_OBJECTS]


def _types(value: Object) -> set[str]:
    given = value.get("@type", "")
    names = given if isinstance(given, list) else [given]
    return {re.split(r"[/#:]", name)[-1].lower() for name in names if isinstance(name, str)}


def _best(objects: Iterable[Object], kinds: frozenset[str], title: str) -> Object | None:
    """Return the object of one of these kinds that the page is about: it has an offer, and its name is in the title."""
    found = [one for one in objects if _types(one) & kinds]
    return max(found, key=lambda one: (2 * bool(_offer(one)) + _named(one, title), len(one)), default=None)


def _named(value: Object, title: str) -> bool:
    name = _text(value.get("name") or value.get("headline"))
    return bool(name) and name.lower()[:40] in title.lower()


def _product(item: Object, known: list[Object]) -> dict[str, str]:
    offer = _offer(item) or next(
        (found for one in known if _types(one) & {"offer", "aggregateoffer"} and (found := _priced(one))), {}
    )
    first = _first(item.get("hasVariant"))
    return {
        "title": _text(item.get("name")),
        "text": _text(item.get("description")),
        "author": _text(offer.get("seller")),
        "price": offer.get("price", ""),
        "currency": offer.get("currency", ""),
        "brand": _text(item.get("brand")) or _text(item.get("manufacturer")),
        "sku": _text(item.get("sku"))
        or _text(offer.get("sku"))
        or _text(first.get("sku"))
        or _text(item.get("productID")),
        "gtin": _gtin(item) or _gtin(first),
        "mpn": _text(item.get("mpn")) or _text(item.get("model")),
        "language": _text(item.get("inLanguage")),
    }


def _post(item: Object) -> dict[str, str]:
    return {
        "title": _text(item.get("headline")) or _text(item.get("name")),
        "text": _text(item.get("articleBody")) or _text(item.get("text")) or _text(item.get("description")),
        "author": _handle(item.get("author")) or _handle(item.get("creator")),
        "time": _text(item.get("datePublished")) or _text(item.get("dateCreated")) or _text(item.get("uploadDate")),
        "language": _text(item.get("inLanguage")),
    }


def _person(item: Object) -> dict[str, str]:
    person = item.get("mainEntity")
    item = person if isinstance(person, Mapping) else item
    return {"title": _text(item.get("name")), "text": _text(item.get("description")), "author": _handle(item)}


def _handle(value: Any) -> str:
    one = _first(value)
    return _text(one.get("alternateName")) or _text(one.get("identifier")) or _text(value)


def _gtin(item: Object) -> str:
    names = ("gtin13", "gtin", "gtin14", "gtin12", "gtin8", "isbn")
    return next((text for name in names if (text := _text(item.get(name)))), "")


def _offer(item: Object) -> dict[str, str]:
    """Return price, currency, sku and seller of the first offer that has a price, of the item or of its variants."""
    for value in (item.get("offers"), item.get("hasVariant")):
        for one in _each(value):
            found = _priced(one) or next((inner for part in _each(one.get("offers")) if (inner := _priced(part))), {})
            if found:
                return found
    return {}


def _priced(offer: Object) -> dict[str, str]:
    for one in (offer, *_each(offer.get("priceSpecification"))):
        price = next((text for name in _PRICES if (text := _text(one.get(name)))), "")
        if price:
            currency = _text(one.get("priceCurrency")) or _text(offer.get("priceCurrency"))
            seller = _text(offer.get("seller")) or _text(offer.get("offeredBy"))
            return {"price": price, "currency": currency, "sku": _text(offer.get("sku")), "seller": seller}
    return {}


def _each(value: Any) -> list[Object]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed[:200] if isinstance(one, Mapping)]


def _first(value: Any) -> Object:
    return next(iter(_each(value)), {})


def _text(value: Any) -> str:
    """Return a value as plain text: the first of a list, the name of an object, without HTML's tags and entities."""
    for _ in range(4):
        if isinstance(value, list):
            value = next((one for one in value if one), "")
        elif isinstance(value, Mapping):
            value = value.get("name") or value.get("@value") or value.get("value") or ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return _unescaped(str(value)).strip()


def _unescaped(text: str) -> str:
    import html

    plain = html.unescape(text) if "&" in text else text
    return _TAG.sub(" ", plain) if "<" in plain else plain


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    return {field: value for field, value in fields.items() if value}
