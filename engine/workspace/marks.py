"""Whether what a reviewer crosses out is there in the item, and its one canonical form."""

from __future__ import annotations

import math

import msgspec

from engine.errors import InputError
from engine.types import Box, CrossedOut, Item, Mark, Struct
from engine.workspace.database import Database
from engine.workspace.encoding import read_boxes, read_regions

MOST = 500
"""How much can be crossed out with one decision, and of how many rectangles one region can be."""

_ROUNDING = 1.0
"""Rectangles may reach this many pixels over the screenshot's edge; they are cut off there."""


Size = tuple[float, float]
_NONE: Size = (0.0, 0.0)
_ANY: Size = (math.inf, math.inf)


class _Whole(Struct, frozen=True, kw_only=True):
    """What of an item can be crossed out: its texts by field, its screenshot's size in pixels, its regions."""

    item: str
    fields: dict[str, str]
    size: Size
    regions: frozenset[str]


def checked(db: Database, item: str, marks: tuple[CrossedOut, ...]) -> tuple[CrossedOut, ...]:
    """Return the marks in canonical form, each once; raises `InputError` for one that the item does not have.

    A rectangle that came in without its screenshot may be crossed out again: a second answer takes it along.
    """
    return _checked(_kept(db, item, _ANY if _repeated(db, item, marks) else _NONE), marks) if marks else ()


def checked_from_elsewhere(db: Database, item: str, marks: tuple[CrossedOut, ...]) -> tuple[CrossedOut, ...]:
    """Return the same for marks that were made elsewhere; the screenshot that they were made on may have stayed there.

    Where it did, a rectangle is kept as it is: nobody here can tell where that screenshot ended.
    """
    return _checked(_kept(db, item, _ANY), marks) if marks else ()


def fitting(
    item: Item, marks: tuple[CrossedOut, ...], size: tuple[int, int]
) -> tuple[tuple[CrossedOut, ...], tuple[str, ...]]:
    """Return those of the marks that fit an item from elsewhere, and what is wrong with each of the others.

    `size` is that of its screenshot in pixels where the screenshot itself is missing; zeros where nobody knows.
    """
    known = (item.width, item.height) if item.capture is not None else size
    pixels = (float(known[0]), float(known[1])) if all(known) else _ANY
    texts = {"title": item.title, "text": item.text}
    whole = _Whole(item=item.id, fields=texts, size=pixels, regions=frozenset(item.regions))
    found: dict[CrossedOut, None] = {}
    faults = [_too_many(item.id, marks).message] if len(marks) > MOST else []
    for mark in marks[:MOST]:
        try:
            found[_canonical(whole, mark)] = None
        except InputError as error:
            faults.append(error.message)
    return tuple(found), tuple(faults)


def _kept(db: Database, item: str, without: Size) -> _Whole:
    """Return an item of the workspace; `without` is the size where it has no screenshot."""
    row = db.one("SELECT title, text, capture, width, height, regions FROM items WHERE id = ?", (item,))
    title, text, capture, width, height, regions = row or ("", "", None, 0, 0, "{}")
    size = (float(width), float(height)) if capture is not None else without
    names = frozenset(read_regions(regions))
    return _Whole(item=item, fields={"title": title, "text": text}, size=size, regions=names)


def _repeated(db: Database, item: str, marks: tuple[CrossedOut, ...]) -> bool:
    """Whether all rectangles were crossed out in this item before."""
    boxes = {_boxes_of(mark) for mark in marks if mark.kind is Mark.REGION}
    if not boxes:
        return False
    rows = db.all(
        "SELECT boxes FROM annotations WHERE row = (SELECT row FROM items WHERE id = ? AND capture IS NULL)", (item,)
    )
    return boxes <= {read_boxes(row) for (row,) in rows}


def _checked(whole: _Whole, marks: tuple[CrossedOut, ...]) -> tuple[CrossedOut, ...]:
    if len(marks) > MOST:
        raise _too_many(whole.item, marks)
    return tuple(dict.fromkeys(_canonical(whole, mark) for mark in marks))


def _too_many(item: str, marks: tuple[CrossedOut, ...]) -> InputError:
    return InputError(
        f"{len(marks)} parts of '{item}' are crossed out at once; {MOST} is the most.", "Cross out fewer."
    )


def _canonical(whole: _Whole, mark: CrossedOut) -> CrossedOut:
    return _word(whole, mark) if mark.kind is Mark.WORD else _region(whole, mark)


def _word(whole: _Whole, mark: CrossedOut) -> CrossedOut:
    item, raw = whole.item, whole.fields.get(mark.field)
    if raw is None:
        raise InputError(f"'{mark.field}' of '{item}' cannot be crossed out.", "Choose a word of its title or text.")
    word = raw[mark.start : mark.end] if 0 <= mark.start < mark.end <= len(raw) else ""
    if not word or (mark.text and mark.text != word):
        raise InputError(
            f"The {mark.field} of '{item}' has no '{mark.text}' from character {mark.start} to {mark.end}.",
            "Look at the item again and choose the word anew.",
        )
    return CrossedOut(kind=Mark.WORD, label=mark.label, field=mark.field, start=mark.start, end=mark.end, text=word)


def _region(whole: _Whole, mark: CrossedOut) -> CrossedOut:
    item = whole.item
    if mark.region and mark.region not in whole.regions:
        raise InputError(f"The page of '{item}' has no region '{mark.region}'.", "Choose one that it has.")
    boxes = _boxes_of(mark)
    if not 0 < len(boxes) <= MOST:
        raise InputError(
            f"A region of '{item}' is of {len(boxes)} rectangles; it takes 1 to {MOST}.", "Give so many of them."
        )
    inside = tuple(_inside(item, box, whole.size) for box in boxes)
    return CrossedOut(kind=Mark.REGION, label=mark.label, box=around(inside), boxes=inside, region=mark.region)


def _inside(item: str, box: Box, size: Size) -> Box:
    x, y, width, height = map(float, box)
    right, lower = x + width, y + height
    fits = -_ROUNDING <= x < right <= size[0] + _ROUNDING and -_ROUNDING <= y < lower <= size[1] + _ROUNDING
    if not (all(map(math.isfinite, (x, y, right, lower))) and fits):
        pixels = f" ({size[0]:g} × {size[1]:g} pixels)" if size != _ANY else ""
        raise InputError(
            f"The rectangle {x:g}, {y:g}, {width:g}, {height:g} does not lie on the screenshot of '{item}'{pixels}.",
            "Choose a part of the screenshot.",
        )
    left, top = max(0.0, x), max(0.0, y)
    inside = left == x and top == y and right <= size[0] and lower <= size[1]
    return (x, y, width, height) if inside else (left, top, min(right, size[0]) - left, min(lower, size[1]) - top)


def _boxes_of(mark: CrossedOut) -> tuple[Box, ...]:
    return mark.boxes or ((mark.box,) if mark.box is not None else ())


def around(boxes: tuple[Box, ...]) -> Box:
    """Return the smallest rectangle that holds all of them; at least one is needed."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, lower = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return (left, top, right - left, lower - top)


def in_words(mark: CrossedOut) -> str:
    """Return what is crossed out in a few words: `"sale"`, `media`, `60,2 30×10` (a superpixel's box in pixels)."""
    if mark.kind is Mark.WORD:
        return f'"{mark.text}"'
    if mark.region or mark.box is None:
        return mark.region
    x, y, width, height = mark.box
    return f"{x:.0f},{y:.0f} {width:.0f}×{height:.0f}"


def key_of(mark: CrossedOut) -> tuple[object, ...]:
    """Return what tells one part of an item from another, whatever label was explained when it was crossed out."""
    boxes = _boxes_of(mark)
    rounded = tuple(tuple(round(side, 2) for side in box) for box in boxes)
    return (mark.kind, mark.field, mark.start, mark.end, mark.region, rounded)


def plain(mark: CrossedOut, *, label: str = "") -> CrossedOut:
    """Return only what is crossed out, of an annotation too; without a label, so that the same part is equal."""
    return CrossedOut(label=label, **{name: getattr(mark, name) for name in _PLAIN})


_PLAIN = tuple(name for name in msgspec.structs.asdict(CrossedOut(kind=Mark.WORD)) if name != "label")
