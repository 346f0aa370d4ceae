"""Versions of items: without what reviewers crossed out, or with what was crossed out of others.

Training draws them anew in every step (`engine.training.crossed_out`); here they are fixed, so that two models are
shown the very same, and the vectors of one can be kept.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import msgspec
import numpy as np

from engine.models.decoding import Square
from engine.models.images import prepare_capture
from engine.models.spec import MEAN, NONE, ImageSpec, NetworkSpec
from engine.models.text import model_text
from engine.models.vector_store import content_key
from engine.training.crossed_out import cells_of, differ
from engine.training.elsewhere import Elsewhere, extent, is_small
from engine.types import CrossedOut, ItemContent, Mark, TrainingItem

PLANTED = 2
"""Onto so many items what was crossed out of one is planted."""

_mean_colour = np.rint(255 * np.array(MEAN)).astype(np.uint8)
_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True)
class Version:
    """An item with other words, `title` and `text`, or other pixels; its answers stay what they are.

    Where `place` has regions crossed out, the pixels are those of the item `filled`; None: the mean colour.
    """

    item: TrainingItem
    title: str
    text: str
    place: TrainingItem | None = None
    filled: ItemContent | None = None

    @property
    def has_other_words(self) -> bool:
        """Whether its words are not those of the item."""
        return (self.title, self.text) != (self.item.content.title, self.item.content.text)

    @property
    def differs(self) -> bool:
        """Whether it is another than the item at all."""
        return self.has_other_words or self.place is not None

    @property
    def content(self) -> ItemContent:
        """What it holds, with the item's id; never its screenshot's path where that shows something else.

        The name in its place tells which pixels were replaced by which, so that vectors can be kept under it.
        """
        plain = self.item.content
        if self.place is None:
            return msgspec.structs.replace(plain, title=self.title, text=self.text)
        boxes = [mark.boxes for mark in self.place.crossed_out]
        sources = [content_key(one).hex() for one in (plain, self.place.content, self.filled) if one is not None]
        name = hashlib.sha256(_encoder.encode((boxes, sources))).hexdigest()
        return msgspec.structs.replace(plain, title=self.title, text=self.text, capture=name)

    def seen_by(self, spec: NetworkSpec) -> bool:
        """Whether a network can tell it from the item."""
        return (self.has_other_words and spec.text.backbone != NONE) or (
            self.place is not None and spec.image.backbone != NONE
        )

    def square(self, spec: ImageSpec) -> Square:
        """The prepared screenshot as (S, S, 3) bytes; None where there is none that can be used."""
        own = prepare_capture(self.item.content, spec)
        if own is None or self.place is None:
            return own
        other = prepare_capture(self.filled, spec) if self.filled is not None else None
        square = own.copy()
        for left, top, right, bottom in cells_of(self.place, spec):
            square[top:bottom, left:right] = _mean_colour if other is None else other[top:bottom, left:right]
        return square


def hidden_versions(
    items: Sequence[TrainingItem], told: Sequence[TrainingItem], *, regions_elsewhere: bool = True
) -> dict[str, Version]:
    """Return by id the items without what was crossed out of them, and without the same parts wherever they sit.

    `told` are the items of which anything was crossed out, whatever side they are on. Words are left out; regions are
    filled with the same place of an item among `items` that has another label and nothing to hide. Items with nothing
    to hide are left out.
    """
    elsewhere = Elsewhere(told, regions=regions_elsewhere)
    marked = [_with_marks(item, elsewhere) for item in items]
    free = Others([item for item in marked if not item.crossed_out and item.content.capture is not None])
    found = [hidden(item, free) for item in marked if item.crossed_out]
    return {one.item.content.id: one for one in found if one.differs}


def hidden(item: TrainingItem, others: Others) -> Version:
    """Return an item without what was crossed out of it, its regions filled from one of the others.

    Words stay where nothing would be left, as in training.
    """
    title, text = _less(item, "title"), _less(item, "text")
    if not (title + text).strip():
        title, text = item.content.title, item.content.text
    if item.content.capture is None or not _regions(item):
        return Version(item, title, text)
    donor = next(others.of(item), None)
    place = msgspec.structs.replace(item, crossed_out=_regions(item))
    return Version(item, title, text, place, None if donor is None else donor.content)


def planted_versions(told: Sequence[TrainingItem], onto: Sequence[TrainingItem]) -> list[Version]:
    """Return items with another label that have, of each of these, what was crossed out: `PLANTED` for each.

    Which ones depends on the items' ids, so that most stay the same when items come in.
    """
    plain, found = Others([item for item in onto if not item.crossed_out]), []
    for source in told:
        others = enumerate(islice(plain.of(source), PLANTED))
        found += [planted(source, one, first=not number % 2) for number, one in others]
    return [one for one in found if one.differs]


def planted(source: TrainingItem, item: TrainingItem, *, first: bool) -> Version:
    """Return an item with what was crossed out of another: a word at its beginning or end, and the small regions."""
    own = item.content
    words = [mark for mark in source.crossed_out if mark.kind is Mark.WORD]
    title, text = own.title, own.text
    if words and model_text(own).strip():
        word = getattr(source.content, words[0].field)[words[0].start : words[0].end]
        if first and title.strip():
            title = f"{word} {title}"
        else:
            text = f"{word} {text}" if first else f"{text} {word}"
    size = extent(source.content)
    small = tuple(mark for mark in _regions(source) if size is not None and is_small(mark.boxes, size))
    if not small or own.capture is None:
        return Version(item, title, text)
    return Version(item, title, text, msgspec.structs.replace(source, crossed_out=small), source.content)


def _with_marks(item: TrainingItem, elsewhere: Elsewhere) -> TrainingItem:
    """Return the item with the same parts crossed out as others have, beside its own."""
    marks = (*item.crossed_out, *elsewhere.marks(item.content))
    return msgspec.structs.replace(item, crossed_out=tuple(dict.fromkeys(marks)))


def _regions(item: TrainingItem) -> tuple[CrossedOut, ...]:
    return tuple(mark for mark in item.crossed_out if mark.kind is Mark.REGION)


def _less(item: TrainingItem, field: str) -> str:
    """Return a field without the characters that are crossed out."""
    raw: str = getattr(item.content, field)
    spans = [(mark.start, mark.end) for mark in item.crossed_out if mark.kind is Mark.WORD and mark.field == field]
    gone = {place for start, end in spans for place in range(start, end)}
    return "".join(character for place, character in enumerate(raw) if place not in gone)


class Others:
    """Items in an order that says nothing, to find for an item one of the same kind that has another label."""

    def __init__(self, items: Sequence[TrainingItem]) -> None:
        self._items = sorted(items, key=lambda item: _mark(item.content.id))
        self._marks = [_mark(item.content.id) for item in self._items]

    def of(self, item: TrainingItem) -> Iterator[TrainingItem]:
        """Yield them, each item's from another one on; the same ones first when items come in between."""
        first = bisect(self._marks, _mark(item.content.id))
        for one in chain(islice(self._items, first, None), islice(self._items, first)):
            if one.content.kind == item.content.kind and differ(one.labels, item.labels):
                yield one


def _mark(name: str) -> bytes:
    """Return bytes that put ids in an order that says nothing."""
    return hashlib.blake2b(name.encode(), digest_size=8).digest()
