"""Prices as people and machines spell them: 1.234,56 €, $1,234.56, CHF 19.–, 12,990 円, 1 299,00 zł."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections import Counter
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import resources
from engine.types import Struct

_LONGEST, _LONGEST_PAGE = 400, 20_000
_SPACE = "\u0020\u00a0\u202f\u2009"
_NUMBER = re.compile(rf"\d{{1,3}}(?:[{_SPACE}'’]\d{{3}})+(?:[.,]\d{{1,2}})?(?!\d)|\d[\d.,]*")
_PLAIN = re.compile(r"\d{1,12}(\.\d{1,6})?")
_DIVIDED = re.compile(r"[.,]")
_CODE = re.compile(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_NEAR = 8
"""Characters before and after a number in which its currency is looked for."""

_LETTER = r"[^\W\d_]"
_BEFORE = re.compile(rf"(?:(?<!{_LETTER})|(?!{_LETTER}))\D{{0,{_NEAR}}}$")
_AFTER = re.compile(rf"\D{{0,{_NEAR}}}(?:(?!{_LETTER})|(?<!{_LETTER}))")

_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""Currencies of 1,000 small units, the only ones with three digits after the sign."""


class Price(Struct, frozen=True, kw_only=True):
    """An amount in plain digits with a dot ("1234.56") and its currency's ISO 4217 code, "" where it is not stated."""

    amount: str
    currency: str = ""


def price_of(text: str, currency: str = "", url: str = "") -> Price | None:
    """Return the first price in a text, None where there is none.

    `currency` is what the page says beside it (a code or a sign); `url` tells which dollar or krone it is. A number
    with one separator before three digits is in thousands, unless its currency has 1,000 small units.
    """
    plain = _digits(text[:_LONGEST])
    stated = currency_of(currency, url)
    numbers = list(_NUMBER.finditer(plain))
    near = [(one, currency_of(_around(plain, one.start(), one.end()), url)) for one in numbers]
    chosen = next((one for one in near if one[1]), near[0] if near and (stated or len(near) == 1) else None)
    if chosen is None:
        return None
    number, own = chosen
    amount = _amount(number[0], stated or own)
    return Price(amount=amount, currency=stated or own) if amount else None


def stated_price(amount: str, currency: str = "", url: str = "") -> Price | None:
    """Return a price that the page states for machines: a plain number has a decimal dot, whatever follows it."""
    text = _digits(amount.strip())
    if _PLAIN.fullmatch(text):
        return Price(amount=_shortest(text), currency=currency_of(currency, url))
    return price_of(text, currency, url)


def currency_of(text: str, url: str = "") -> str:
    """Return the ISO 4217 code that a text names by code or sign, "" where it names none."""
    table = _table()
    for code in _CODE.findall(text.upper() if len(text.strip()) == 3 else text):
        if code in table["codes"]:
            return str(code)
    given = unicodedata.normalize("NFC", text.lower())
    for sign, code in table["signs"]:
        if _holds(given, sign):
            return str(code)
    for sign, places in table["shared"]:
        if _holds(given, sign):
            return str(places.get(_country(url), places[""]))
    return ""


def commonest_currency(text: str, url: str = "") -> str:
    """Return the currency that most prices in a text's first 20,000 characters have, "" where there is none."""
    plain = _digits(text[:_LONGEST_PAGE])
    found = Counter(currency_of(_around(plain, *one.span()), url) for one in _NUMBER.finditer(plain))
    del found[""]
    return found.most_common(1)[0][0] if found else ""


def _holds(text: str, sign: str) -> bool:
    """Return whether a text holds the sign, and not as part of a word."""
    at = text.find(sign)
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(sign) : at + len(sign) + 1]
        if not (sign[0].isalpha() and before.isalpha()) and not (sign[-1].isalpha() and after.isalpha()):
            return True
        at = text.find(sign, at + 1)
    return False


def _around(text: str, start: int, end: int) -> str:
    """Return what stands next to a number, in whole words and up to the numbers beside it."""
    before, after = _BEFORE.search(text[max(0, start - 2 * _NEAR) : start]), _AFTER.match(text[end : end + 2 * _NEAR])
    return f"{before[0] if before else ''} {after[0] if after else ''}"


def _amount(number: str, currency: str) -> str:
    text = number.rstrip(".,")
    marks = _DIVIDED.findall(text)
    whole, _, cents = text.rpartition(marks[-1]) if marks else (text, "", "")
    if marks and not _is_decimal(marks, whole, cents, currency):
        whole, cents = text, ""
    digits = re.sub(r"\D", "", whole)
    if not digits or len(digits) > 12:
        return ""
    return _shortest(f"{digits}.{cents}" if cents else digits)


def _is_decimal(marks: list[str], whole: str, cents: str, currency: str) -> bool:
    """Return whether the last separator stands before small units, not before a group of three."""
    if marks.count(marks[-1]) > 1:
        return False
    if len(cents) != 3:
        return True
    return currency in _THOUSANDTHS or re.sub(r"\D", "", whole) == "0"


def _shortest(number: str) -> str:
    """Return "119.00" and "0119.0" as "119.00" and "119.0": the digits after the dot are the page's own."""
    return format(Decimal(number), "f")


def _digits(text: str) -> str:
    """Return a text with the digits of all scripts as 0 to 9, and Arabic separators as dot and comma."""
    plain = "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)
    return plain.replace("٫", ".").replace("٬", ",")


def _country(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rpartition(".")[2].lower()
    except ValueError:
        return ""


@functools.cache
def _table() -> dict[str, Any]:
    """Return the signs of `resources/profiles/currencies.toml`, longest first, so that "us$" comes before "$"."""
    given = tomllib.loads(resources.path("profiles", "currencies.toml").read_text("utf-8"))
    signs = {part: sorted(given[part].items(), key=lambda one: -len(one[0])) for part in ("signs", "shared")}
    return {**signs, "codes": frozenset(given["codes"])}
