"""Which items belong on one side of a split: those of one author, near-duplicates, and all that hangs together so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path

import msgspec
import numpy as np

from engine.similarity import minhash, pictures
from engine.similarity.components import Link, bounded, components, without_templates
from engine.similarity.text import SHORTEST, jaccard, normalised, shingles
from engine.types import ItemContent, Struct, TrainingItem

ALIKE = 0.8
"""Jaccard similarity of shingles from which on two texts are near-duplicates."""
TEMPLATE_SHARE = 0.2
"""Near-duplicates that are a larger share of all items than this are a template: only closer copies count there."""
ADDED_SHARE = 0.1
"""So large a share of all items may near-duplicates add to the items of one author."""
SMALLEST_LIMIT = 5
"""In items: what both shares allow at least."""

_CLOSER = (0.9, 0.95)
_CLOSER_BITS = (0, 6, 14)
_HOPEFUL = ALIKE - 0.2
"""Estimated similarity below which a pair is not compared: five standard deviations below 0.8 with 128 hashes."""
_PART = 64
_THREADS = 8


class Grouping(Struct, frozen=True, kw_only=True):
    """Items with the group that each must stay with, in the order they were given, and how the groups came about.

    `copies` names, for every item that has near-duplicates, their cluster (over kept and dropped links alike).
    `groups` counts them, `largest` is the items of the largest one. `joined` counts the given groups (authors) that
    near-duplicates brought together; `dropped` the items in clusters that were too common to be kept together.
    """

    items: tuple[TrainingItem, ...]
    copies: dict[str, str]
    groups: int
    largest: int
    joined: int
    dropped: int


def _go_on() -> None:
    """Nobody wants to stop."""


def grouped(items: Sequence[TrainingItem], *, check: Callable[[], None] = _go_on) -> list[TrainingItem]:
    """Return the same items in the same order, with one `group` for near-duplicates and items of one author.

    Depends on the items, not on their order. `check` is called now and then and may raise to stop. See `examined`.
    """
    return list(examined(items, check=check).items)


def examined(items: Sequence[TrainingItem], *, check: Callable[[], None] = _go_on) -> Grouping:
    """Group the items and say how the groups came about.

    Near-duplicates are texts that are equal after normalising, or whose character shingles have a Jaccard similarity
    of at least 0.8, and screenshots that show the same page. Groups are the connected components over those and the
    given groups, named by the first of the given ones. A template that everybody uses does not chain everything: see
    `without_templates` and `bounded`; what that costs is counted in `dropped`.
    """
    order = sorted(range(len(items)), key=lambda place: items[place].content.id)
    ordered = [items[place] for place in order]
    contents = [item.content for item in ordered]
    given = [author_key(item.group) for item in ordered]
    links = [*_text_links(contents, check), *_picture_links(contents, check)]
    kept = without_templates(len(items), links, _limit(TEMPLATE_SHARE, len(items)))
    found, refused = bounded(given, kept, _limit(ADDED_SHARE, len(items)))
    names = _names(ordered, found)
    component = dict(zip(order, found, strict=True))
    return Grouping(
        items=tuple(_in_group(item, names[component[place]]) for place, item in enumerate(items)),
        copies=_copies(contents, links),
        groups=len(names),
        largest=max(Counter(found).values(), default=0),
        joined=len(set(given)) - len(names),
        dropped=_parted([*(set(links) - set(kept)), *refused], found),
    )


def _limit(share: float, count: int) -> int:
    return max(int(share * count), SMALLEST_LIMIT)


def _names(items: Sequence[TrainingItem], found: Sequence[int]) -> dict[int, str]:
    """Return each component's name: the first of the groups that its items came with."""
    names: dict[int, str] = {}
    for item, component in zip(items, found, strict=True):
        names[component] = min(names.get(component, item.group), item.group)
    return names


def _in_group(item: TrainingItem, group: str) -> TrainingItem:
    return item if item.group == group else msgspec.structs.replace(item, group=group)


def _parted(dropped: Iterable[Link], found: Sequence[int]) -> int:
    """Return how many items lost a link to an item that is in another component now."""
    return len({place for link in dropped if found[link.one] != found[link.other] for place in link[:2]})


def author_key(group: str) -> str:
    """Return the group's name with an author's handle as platforms compare it: without "@" and case."""
    kind, colon, name = group.partition(":")
    return f"{kind}:{name.lstrip('@').casefold()}" if colon and kind == "author" else group


def _copies(contents: Sequence[ItemContent], links: Sequence[Link]) -> dict[str, str]:
    clusters = components(len(contents), links)
    sizes = Counter(clusters)
    return {
        content.id: contents[cluster].id
        for content, cluster in zip(contents, clusters, strict=True)
        if sizes[cluster] > 1
    }


def _text_links(contents: Sequence[ItemContent], check: Callable[[], None]) -> Iterator[Link]:
    """Yield the links between texts: equal ones in a chain, alike ones between the first of each chain."""
    places: dict[str, list[int]] = {}
    for place, content in enumerate(contents):
        text = normalised(f"{content.title} {content.text}")
        if text:
            places.setdefault(text, []).append(place)
    for equal in places.values():
        yield from (Link(one, other, 3) for one, other in pairwise(equal))
    check()
    texts = [text for text in places if len(text) >= SHORTEST]
    sets = [shingles(text) for text in texts]
    signatures = minhash.signatures(sets)
    pairs = minhash.candidates(signatures)
    check()
    for one, other in pairs[minhash.agreement(signatures, pairs) >= _HOPEFUL].tolist():
        similarity = jaccard(sets[one], sets[other])
        if similarity >= ALIKE:
            first, second = sorted((places[texts[one]][0], places[texts[other]][0]))
            yield Link(first, second, int(np.searchsorted(_CLOSER, similarity, side="right")))


def _picture_links(contents: Sequence[ItemContent], check: Callable[[], None]) -> Iterator[Link]:
    """Yield the links between screenshots: the same file in a chain, alike ones between the first of each chain."""
    places: dict[str, list[int]] = {}
    for place, content in enumerate(contents):
        if content.capture is not None:
            places.setdefault(content.capture, []).append(place)
    prints: list[pictures.Fingerprint] = []
    files: list[str] = []
    for capture, found in _fingerprints(list(places), check):
        if found is not None:
            prints.append(found)
            files.append(capture)
            yield from (Link(one, other, 3) for one, other in pairwise(places[capture]))
    for first, second, bits in pictures.alike(prints):
        one, other = sorted((places[files[first]][0], places[files[second]][0]))
        yield Link(one, other, 3 - int(np.searchsorted(_CLOSER_BITS, bits)))


def _fingerprints(
    captures: Sequence[str], check: Callable[[], None]
) -> Iterator[tuple[str, pictures.Fingerprint | None]]:
    """Yield each capture with its fingerprint, decoded in threads."""
    waiting = iter(captures)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="fingerprint") as pool:
        while part := list(islice(waiting, _PART)):
            check()
            yield from zip(part, pool.map(pictures.fingerprint, map(Path, part)), strict=True)
