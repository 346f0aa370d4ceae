"""Groups from links: connected components that cannot grow without bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

LEVELS = 4
"""How close a link can be: 0 (just alike) to 3 (equal)."""


class Link(NamedTuple):
    """Two places that are near-duplicates, the smaller one first, and how close they are: 0 up to LEVELS - 1."""

    one: int
    other: int
    closeness: int


class Forest:
    """Disjoint sets of the places 0 to n - 1; a set is named by its smallest place."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def find(self, place: int) -> int:
        """Return the smallest place of the set that this one is in."""
        root = place
        while self._above[root] != root:
            root = self._above[root]
        while self._above[place] != root:
            self._above[place], place = root, self._above[place]
        return root

    def join(self, one: int, other: int) -> None:
        """Make one set of those that these two places are in."""
        low, high = sorted((self.find(one), self.find(other)))
        self._above[high] = low


def components(count: int, links: Iterable[Link]) -> list[int]:
    """Return for each place the smallest place that it hangs together with."""
    forest = Forest(count)
    for link in links:
        forest.join(link.one, link.other)
    return [forest.find(place) for place in range(count)]


def without_templates(count: int, links: Sequence[Link], limit: int) -> list[Link]:
    """Return the links less the loose ones of clusters with more than `limit` places.

    A template that very many items share does not make them copies: such a cluster loses its loosest links, level by
    level, until what hangs together is small enough, in the end all of them.
    """
    kept = list(links)
    for level in range(LEVELS):
        found = components(count, kept)
        sizes = Counter(found)
        if max(sizes.values(), default=0) <= limit:
            break
        kept = [link for link in kept if link.closeness > level or sizes[found[link.one]] <= limit]
    return kept


def bounded(groups: Sequence[str], links: Sequence[Link], limit: int) -> tuple[list[int], list[Link]]:
    """Return the component of each place, over its given group and the links, and the links that were refused.

    The closest links come first (Kruskal 1956). One that would leave a component with more than `limit` places beyond
    those of its largest given group is refused: authors who all repeat each other would else hang together as one.
    Given groups never fall apart, whatever their size.
    """
    forest = Forest(len(groups))
    first: dict[str, int] = {}
    for place, group in enumerate(groups):
        forest.join(first.setdefault(group, place), place)
    size = Counter(forest.find(place) for place in range(len(groups)))
    largest = dict(size)
    refused: list[Link] = []
    for link in sorted(links, key=lambda link: (-link.closeness, link)):
        one, other = sorted((forest.find(link.one), forest.find(link.other)))
        most = max(largest[one], largest[other])
        if one != other and size[one] + size[other] - most > limit:
            refused.append(link)
        elif one != other:
            forest.join(one, other)
            size[one], largest[one] = size[one] + size[other], most
    return [forest.find(place) for place in range(len(groups))], refused
