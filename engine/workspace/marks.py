"""Whether what a reviewer crosses out is there in the item, and its one canonical form."""

from __future__ import annotations

import math

import msgspec

from engine.errors import InputError
from engine.types import Box, CrossedOut, Item, Mark
from engine.workspace.database import Database
from engine.workspace.encoding import read_regions

MOST = 500
"""How much can be crossed out with one decision, and of how many rectangles one region can be."""

_ROUNDING = 1.0
"""Rectangles may reach this many pixels over the screenshot's edge; they are cut off there."""


def checked(db: Database, item: str, marks: tuple[CrossedOut, ...]) -> tuple[CrossedOut, ...]:
    """Return the marks in canonical form, each once; raises `InputError` for one that the item does not have."""
    if not marks:
        return ()
    row = db.one("SELECT title, text, capture, width, height, regions FROM items WHERE id = ?", (item,))
    title, text, capture, width, height, regions = row or ("", "", None, 0, 0, "{}")
    size = (float(width), float(height)) if capture is not None else (0.0, 0.0)
    return _checked(item, marks, {"title": title, "text": text}, size, set(read_regions(regions)))


def checked_in(item: Item, marks: tuple[CrossedOut, ...]) -> tuple[CrossedOut, ...]:
    """Return the same for an item that is not in the workspace yet."""
    size = (float(item.width), float(item.height)) if item.capture is not None else (0.0, 0.0)
    return _checked(item.id, marks, {"title": item.title, "text": item.text}, size, set(item.regions))


def _checked(
    item: str, marks: tuple[CrossedOut, ...], fields: dict[str, str], size: tuple[float, float], regions: set[str]
) -> tuple[CrossedOut, ...]:
    if len(marks) > MOST:
        raise InputError(
            f"{len(marks)} parts of '{item}' are crossed out at once; {MOST} is the most.", "Cross out fewer."
        )
    found: dict[CrossedOut, None] = {}
    for mark in marks:
        word = mark.kind is Mark.WORD
        found[_word(item, mark, fields) if word else _region(item, mark, size, regions)] = None
    return tuple(found)


def _word(item: str, mark: CrossedOut, fields: dict[str, str]) -> CrossedOut:
    raw = fields.get(mark.field)
    if raw is None:
        raise InputError(f"'{mark.field}' of '{item}' cannot be crossed out.", "Choose a word of its title or text.")
    word = raw[mark.start : mark.end] if 0 <= mark.start < mark.end <= len(raw) else ""
    if not word or (mark.text and mark.text != word):
        raise InputError(
            f"The {mark.field} of '{item}' has no '{mark.text}' from character {mark.start} to {mark.end}.",
            "Look at the item again and choose the word anew.",
        )
    return CrossedOut(kind=Mark.WORD, label=mark.label, field=mark.field, start=mark.start, end=mark.end, text=word)


def _region(item: str, mark: CrossedOut, size: tuple[float, float], regions: set[str]) -> CrossedOut:
    if mark.region and mark.region not in regions:
        raise InputError(f"The page of '{item}' has no region '{mark.region}'.", "Choose one that it has.")
    boxes = mark.boxes or ((mark.box,) if mark.box is not None else ())
    if not 0 < len(boxes) <= MOST:
        raise InputError(
            f"A region of '{item}' is of {len(boxes)} rectangles; it takes 1 to {MOST}.", "Give so many of them."
        )
    inside = tuple(_inside(item, box, size) for box in boxes)
    return CrossedOut(kind=Mark.REGION, label=mark.label, box=around(inside), boxes=inside, region=mark.region)


def _inside(item: str, box: Box, size: tuple[float, float]) -> Box:
    x, y, width, height = map(float, box)
    right, lower = x + width, y + height
    fits = -_ROUNDING <= x < right <= size[0] + _ROUNDING and -_ROUNDING <= y < lower <= size[1] + _ROUNDING
    if not (all(map(math.isfinite, (x, y, right, lower))) and fits):
        raise InputError(
            f"The rectangle {x:g}, {y:g}, {width:g}, {height:g} does not lie on the screenshot of '{item}'"
            f" ({size[0]:g} × {size[1]:g} pixels).",
            "Choose a part of the screenshot.",
        )
    left, top = max(0.0, x), max(0.0, y)
    inside = left == x and top == y and right <= size[0] and lower <= size[1]
    return (x, y, width, height) if inside else (left, top, min(right, size[0]) - left, min(lower, size[1]) - top)


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
    boxes = mark.boxes or ((mark.box,) if mark.box is not None else ())
    rounded = tuple(tuple(round(side, 2) for side in box) for box in boxes)
    return (mark.kind, mark.field, mark.start, mark.end, mark.region, rounded)


def plain(mark: CrossedOut, *, label: str = "") -> CrossedOut:
    """Return only what is crossed out, of an annotation too; without a label, so that the same part is equal."""
    return CrossedOut(label=label, **{name: getattr(mark, name) for name in _PLAIN})


_PLAIN = tuple(name for name in msgspec.structs.asdict(CrossedOut(kind=Mark.WORD)) if name != "label")
