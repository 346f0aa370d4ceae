"""CSS selectors on a stranger's page: each step looks at an element once, whatever nests in what.

As one XPath, `article a` walks a page once for every nested article, so that a page could make it as slow as it likes.
Here the parts of a selector are found by themselves and then joined: descendants and children in time that grows with
the page. Siblings (`+`, `~`) and what stands in brackets (`:not(…)`, `:has(…)`) are left to XPath.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from cssselect import HTMLTranslator, SelectorError, parse
from cssselect.parser import CombinedSelector

Find = Callable[[Any], list[Any]]


def problem_of(selector: str) -> str:
    """Return why a selector cannot be used, "" where it can."""
    try:
        HTMLTranslator().css_to_xpath(selector)
    except SelectorError as error:
        return str(error)
    return ""


@functools.lru_cache(maxsize=2048)
def compiled(selector: str) -> Find | None:
    """Return a selector as a function from the root element to what it matches, in the order of the page.

    None for one that cannot be used.
    """
    from lxml.etree import XPathError

    try:
        steps = [_step(one.parsed_tree) for one in parse(selector)]
    except (SelectorError, XPathError):
        return None
    return steps[0] if len(steps) == 1 else lambda root: _in_order(root, (one for step in steps for one in step(root)))


def _in_order(root: Any, found: Iterable[Any]) -> list[Any]:
    chosen = set(found)
    return [element for element in root.iter() if element in chosen]


def _step(tree: Any) -> Find:
    if not isinstance(tree, CombinedSelector) or tree.combinator not in (" ", ">"):
        return _xpath(tree)
    left, right = _step(tree.selector), _xpath(tree.subselector)
    join = _under if tree.combinator == " " else _children
    return lambda root: join(right(root), set(left(root)))


def _xpath(tree: Any) -> Find:
    from lxml.etree import XPath

    found: Find = XPath(f"descendant-or-self::{HTMLTranslator().xpath(tree)}")
    return found


def _children(elements: Iterable[Any], parents: set[Any]) -> list[Any]:
    return [element for element in elements if element.getparent() in parents]


def _under(elements: Iterable[Any], above: set[Any]) -> list[Any]:
    """Return the elements that have one of `above` as an ancestor; each ancestor is looked at once."""
    known: dict[Any, bool] = {}
    return [element for element in elements if _is_under(element, above, known)]


def _is_under(element: Any, above: set[Any], known: dict[Any, bool]) -> bool:
    passed = []
    answer = False
    for ancestor in element.iterancestors():
        if ancestor in known:
            answer = known[ancestor]
            break
        passed.append(ancestor)
        if ancestor in above:
            answer = True
            break
    known.update(dict.fromkeys(passed, answer))
    return answer
