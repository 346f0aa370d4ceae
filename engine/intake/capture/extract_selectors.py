"""CSS selectors as XPath that is quick on any page: from the element outwards, not from every ancestor inwards.

`article a` as `article/descendant::a` walks a page once for every nested article and merges what it finds, which a page
can make as slow as it likes; `a[ancestor::article]` looks at each link once and at its ancestors, of which the parser
lets no more than about 255 nest.
"""

from __future__ import annotations

import functools
from typing import Any

from cssselect import HTMLTranslator, SelectorError
from cssselect.xpath import XPathExpr


class _Outwards(HTMLTranslator):
    """Combinators as conditions on the element itself."""

    def xpath_descendant_combinator(self, left: XPathExpr, right: XPathExpr) -> XPathExpr:
        plain = not left.path and not right.path
        return right.add_condition(f"ancestor::{left}") if plain else super().xpath_descendant_combinator(left, right)

    def xpath_child_combinator(self, left: XPathExpr, right: XPathExpr) -> XPathExpr:
        plain = not left.path and not right.path
        return right.add_condition(f"parent::{left}") if plain else super().xpath_child_combinator(left, right)


def problem_of(selector: str) -> str:
    """Return why a selector cannot be used, "" where it can."""
    try:
        _Outwards().css_to_xpath(selector)
    except SelectorError as error:
        return str(error)
    return ""


@functools.lru_cache(maxsize=2048)
def compiled(selector: str) -> Any:
    """Return a selector as a function of the root element, None for one that cannot be used."""
    from lxml.etree import XPath, XPathError

    try:
        return XPath(_Outwards().css_to_xpath(selector))
    except (SelectorError, XPathError):
        return None
