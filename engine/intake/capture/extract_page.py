"""A page's HTML as selectors see it. The HTML is a stranger's: it is cut to a size, and nothing here raises on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from engine.types import Struct

MOST_HTML = 8_000_000
"""Characters of HTML that are read; what comes after them is left out."""

_MOST_FOUND = 500
_LONGEST_TEXT, _LONGEST_LINK, _LONGEST_ALT = 50_000, 2_000, 64
_ATTRIBUTE = " @"
_UNSEEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "head", "select", "iframe", "object", "textarea")
)
_INLINE = re.compile(
    "a|abbr|b|bdi|bdo|cite|code|data|del|em|font|i|img|ins|kbd|label|mark|meta|q|s|small|span|strong|sub|sup|time|u|var|wbr"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")


class Link(Struct, frozen=True, kw_only=True):
    """A link: its address, absolute, the text that it shows, and the text of the preview card that it lies in."""

    url: str
    text: str = ""
    preview: str = ""


class Page:
    """The elements of one page. A page that is no HTML at all has none."""

    def __init__(self, html: str, url: str = "") -> None:
        self.root: Any = parse(html)
        self.url = url

    def select(self, selector: str) -> list[Any]:
        """Return what a CSS selector matches, in the order of the page, at most 500 elements."""
        from engine.intake.capture.extract_selectors import compiled

        find = compiled(selector)
        if self.root is None or find is None:
            return []
        return list(find(self.root)[:_MOST_FOUND])

    def values(self, selectors: Iterable[str]) -> Iterator[str]:
        """Yield what the selectors find that is not empty: texts, or attributes for `SELECTOR @NAME`."""
        for selector in selectors:
            css, _, attribute = selector.rpartition(_ATTRIBUTE) if _ATTRIBUTE in selector else (selector, "", "")
            for element in self.select(css):
                value = tidy(element.get(attribute) or "") if attribute else text_of(element)
                if value:
                    yield value

    def has_pictured_text(self, selectors: Iterable[str]) -> bool:
        """Return whether the first element found holds pictures that stand for characters (emoji)."""
        for selector in selectors:
            found = self.select(selector) if _ATTRIBUTE not in selector else []
            if found:
                return any(_pictured(image) for image in found[0].iter("img"))
        return False

    def links(self, selectors: Iterable[str], cards: Iterable[str]) -> list[Link]:
        """Return the http and https links that the selectors find, each address once, with the text of their card."""
        inside = {element: text_of(element) for selector in cards for element in self.select(selector)}
        found: dict[str, Link] = {}
        for selector in selectors:
            for element in self.select(selector):
                url = self.absolute(element.get("href") or "")
                if not url:
                    continue
                card = next((inside[one] for one in (element, *element.iterancestors()) if one in inside), "")
                old = found.get(url, Link(url=url))
                text = "" if card else text_of(element)
                found[url] = Link(url=url, text=old.text or text, preview=old.preview or card)
        return list(found.values())

    def absolute(self, address: str) -> str:
        """Return an address of the page as an absolute one, "" where it is no web address."""
        try:
            url = urljoin(self.url, _CONTROL.sub("", address).strip())
            parts = urlsplit(url)
        except ValueError:
            return ""
        return url if parts.scheme in ("http", "https") and parts.hostname and len(url) <= _LONGEST_LINK else ""


def parse(html: str) -> Any:
    """Return the root element of a page, None where there is none."""
    import lxml.etree
    import lxml.html

    cut = html[:MOST_HTML].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    try:
        return lxml.html.document_fromstring(cut, parser=parser)
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return None


def text_of(element: Any) -> str:
    """Return an element's text as it reads: lines where blocks begin, pictures of characters as those characters.

    Scripts, styles and elements that are marked as hidden are left out. At most 50,000 characters.
    """
    parts: list[str] = []
    size = 0
    for part in _pieces(element):
        parts.append(part)
        size += len(part)
        if size > 2 * _LONGEST_TEXT:
            break
    return tidy("".join(parts))


def _pieces(element: Any) -> Iterator[str]:
    """Walk without recursion: pages nest as deep as they like."""
    waiting: list[tuple[Any, bool]] = [(element, False)]
    while waiting:
        node, leaving = waiting.pop()
        if leaving:
            if not _INLINE.fullmatch(node.tag):
                yield "\n"
            if node is not element:
                yield node.tail or ""
            continue
        if not isinstance(node.tag, str) or (node is not element and _hidden(node)):
            yield node.tail or "" if node is not element else ""
            continue
        yield from _opening(node)
        waiting.append((node, True))
        waiting.extend((child, False) for child in reversed(node))


def _opening(node: Any) -> Iterator[str]:
    if not _INLINE.fullmatch(node.tag):
        yield "\n"
    if node.tag == "img" and _pictured(node):
        yield node.get("alt")
    yield node.text or ""


def _hidden(node: Any) -> bool:
    style = (node.get("style") or "").replace(" ", "").lower()
    return node.tag in _UNSEEN or node.get("hidden") is not None or "display:none" in style


def _pictured(image: Any) -> bool:
    """Return whether an image stands for a character: its other text is short and holds no letters or digits."""
    other = image.get("alt") or ""
    return 0 < len(other) <= _LONGEST_ALT and not any(character.isalnum() for character in other)


def tidy(text: str) -> str:
    """Return a text without control characters and with single spaces and line ends, at most 50,000 characters."""
    clean = _SPACES.sub(" ", _CONTROL.sub("", text[: 4 * _LONGEST_TEXT].replace("\r", "\n")))
    return _LINES.sub("\n", clean).strip()[:_LONGEST_TEXT].rstrip()
