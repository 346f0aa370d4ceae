"""Values that stand beside their name on the page: "Brand: X", rows of tables, lists of terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.intake.capture.extract_page import text_of, tidy

_MOST_ELEMENTS = 50_000
_LONGEST_NAME, _LONGEST_VALUE = 40, 100
_ENDS = " \t\n:：*"


def labelled(root: Any, names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return per field the first value beside one of its names (lower case), in the order of the page.

    The value is what follows the name in the same element, after it, in the next element or in the next cell; at most
    100 characters on one line.
    """
    fields = {name: field for field, given in names.items() for name in given}
    found: dict[str, str] = {}
    if root is None or not fields:
        return found
    for number, element in enumerate(root.iter()):
        if number >= _MOST_ELEMENTS or len(found) == len(names):
            break
        name, rest = _split(element)
        field = fields.get(name, "")
        if field and field not in found:
            value = next((one for one in _beside(element, rest) if 0 < len(one) <= _LONGEST_VALUE), "")
            if value and "\n" not in value and value.strip(_ENDS).lower() not in fields:
                found[field] = value
    return found


def _split(element: Any) -> tuple[str, str]:
    """Return the name that an element starts with, in lower case, and what follows it in the same text."""
    if not isinstance(element.tag, str) or element.tag in ("script", "style"):
        return "", ""
    text = (element.text or "")[: 2 * (_LONGEST_NAME + _LONGEST_VALUE)].strip()
    name, colon, rest = text.partition(":")
    if not colon:
        name, rest = text, ""
    return (name.strip(_ENDS).lower(), rest.strip()) if len(name) <= _LONGEST_NAME else ("", "")


def _beside(element: Any, rest: str) -> Iterator[str]:
    if rest:
        yield tidy(rest)
    if len(element):
        yield text_of(element)[len(tidy(element.text or "")) :].strip(_ENDS)
    yield tidy(element.tail or "").strip(_ENDS)
    for one in (element, element.getparent()):
        following = one.getnext() if one is not None else None
        if following is not None and isinstance(following.tag, str):
            yield text_of(following).strip(_ENDS)
