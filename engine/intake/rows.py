"""Turn one record (a JSON object, or a CSV row made into one) into an item, or say everything that is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.errors import InputError, NotFoundError, did_you_mean
from engine.taxonomy import ITEM_KINDS, PROFILE, Task, Taxonomy
from engine.types import Box, Item, Struct

FIELDS = (
    "id",
    "kind",
    "text",
    "title",
    "author",
    "url",
    "screenshot",
    "captured_at",
    "subsets",
    "exposure",
    "split",
    "labels",
    "regions",
    "meta",
)
ALIASES = {"file_name": "screenshot"}
"""Names that other tools' `metadata.jsonl` uses for our fields."""

SPLITS = ("train", "val", "test")
_LONGEST_ID, _LONGEST_NAME, _MOST_BOXES, _FARTHEST = 200, 2_000, 2_000, 1_000_000
_MOST_CODES = 4
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Control characters that no text holds on purpose: all but tab, line feed and carriage return."""
_IN_THEIR_PLACE = "\N{REPLACEMENT CHARACTER}"
_MISSING = (None, "")


class BadRowError(InputError):
    """A row cannot become an item; the message names everything that is wrong with it."""


class Row(Struct, frozen=True, kw_only=True):
    """A readable row: the item without its capture, the screenshot's path as given ("" for none), and remarks."""

    item: Item
    screenshot: str
    warnings: tuple[str, ...] = ()


def kinds_of(taxonomy: Taxonomy) -> list[str]:
    """Return the kinds of items that a taxonomy has tasks for."""
    return [name for name in ITEM_KINDS if taxonomy.tasks_for(name)]


def read_row(record: Mapping[str, Any], taxonomy: Taxonomy, *, pictured: bool = False) -> Row:
    """Return the item that a record describes; `pictured` where it has a screenshot that no field names.

    `kind` may be left out where the taxonomy knows only one, `id` where there is a screenshot, whose path is taken.

    A control character in `text`, `title`, `author`, `url` or `subsets` becomes U+FFFD, with a warning: a row that
    was refused for it would never be reviewed, and one that left it out would read as the author did not write it.

    Raises:
        BadRowError: one or more of its fields cannot be used.
    """
    reader = _Reader({ALIASES.get(name, name): value for name, value in record.items()}, taxonomy, pictured)
    row = reader.row()
    if reader.problems:
        raise BadRowError("; ".join(reader.problems))
    return row


class _Reader:
    """Reads the fields of one record and collects what is wrong on the way."""

    def __init__(self, record: Mapping[str, Any], taxonomy: Taxonomy, pictured: bool) -> None:
        self.record = record
        self.pictured = pictured
        self.taxonomy = taxonomy
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def row(self) -> Row:
        screenshot = self.text("screenshot", _LONGEST_NAME)
        kind = self.kind()
        item = Item(
            id=self.id(screenshot),
            kind=kind,
            title=self.printable("title", self.text("title")),
            text=self.printable("text", self.text("text")),
            author=self.author(kind),
            url=self.printable("url", self.text("url", _LONGEST_NAME)),
            captured_at=self.captured_at(),
            subsets=self.subsets(),
            exposure=self.exposure(),
            split=self.split(),
            truths=self.labels(kind),
            regions=self.regions(),
            meta=self.meta(),
        )
        if not (item.text.strip() or item.title.strip() or screenshot or self.pictured or self.problems):
            self.problems.append("it has no text, title or screenshot, so there is nothing to review")
        return Row(item=item, screenshot=screenshot, warnings=tuple(dict.fromkeys(self.warnings)))

    def text(self, field: str, longest: int = 0) -> str:
        value = self.record.get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.problems.append(f"`{field}` must be text, not {_shown(value)}")
            return ""
        if longest and len(value) > longest:
            self.problems.append(f"`{field}` is longer than {longest} characters")
            return ""
        return value

    def printable(self, field: str, value: str) -> str:
        """Return the value with U+FFFD for each control character, so that none is lost and offsets stay."""
        found = sorted(set(_CONTROL.findall(value)))
        if found:
            codes = ", ".join(f"U+{ord(character):04X}" for character in found[:_MOST_CODES])
            more = ", …" if len(found) > _MOST_CODES else ""
            self.warnings.append(f"control characters in `{field}` ({codes}{more}) were replaced by U+FFFD")
        return _CONTROL.sub(_IN_THEIR_PLACE, value)

    def name(self, field: str, longest: int = _LONGEST_NAME) -> str:
        value = self.record.get(field)
        return str(value) if type(value) is int else self.text(field, longest)

    def author(self, kind: str) -> str:
        author = self.printable("author", self.name("author")).strip()
        if kind == PROFILE and not author:
            self.problems.append("`author` is missing: a profile belongs to an account")
        return author

    def id(self, screenshot: str) -> str:
        value = self.name("id", _LONGEST_ID).strip() or ("" if "id" in self.record else screenshot)
        if not value and not any(problem.startswith("`id`") for problem in self.problems):
            self.problems.append("`id` is missing")
        elif _UNPRINTABLE.search(value) or len(value) > _LONGEST_ID:
            self.problems.append(f"`id` must be at most {_LONGEST_ID} characters without control characters")
        return value

    def kind(self) -> str:
        kind = self.text("kind").strip()
        known = kinds_of(self.taxonomy)
        if not kind and len(known) == 1:
            return known[0]
        if not kind:
            self.problems.append(f"`kind` is missing. {did_you_mean('', known)}".rstrip("."))
        elif kind not in ITEM_KINDS:
            self.problems.append(f"there is no kind {_shown(kind)}. {did_you_mean(kind, ITEM_KINDS)}".rstrip("."))
        return kind

    def captured_at(self) -> str:
        value = self.text("captured_at", 64).strip()
        try:
            if value:
                datetime.fromisoformat(value)
        except ValueError:
            self.problems.append(f"`captured_at` {_shown(value)} is no time like 2026-01-31T12:00:00Z")
        return value

    def subsets(self) -> tuple[str, ...]:
        value = self.record.get("subsets")
        if value in _MISSING:
            return ()
        names = _texts(value)
        if names is None:
            self.problems.append(f"`subsets` must be a list of names, not {_shown(value)}")
            return ()
        kept = [self.printable("subsets", name).strip() for name in names]
        return tuple(dict.fromkeys(name for name in kept if name))

    def exposure(self) -> float | None:
        value = self.record.get("exposure")
        if value in _MISSING:
            return None
        number = _number(value)
        if number is None or number < 0:
            self.problems.append(f"`exposure` {_shown(value)} is no finite number from 0 up")
        return number

    def split(self) -> str:
        split = self.text("split").strip()
        if split and split not in SPLITS:
            self.problems.append(f"there is no split {_shown(split)}. {did_you_mean(split, SPLITS)}".rstrip("."))
        return split

    def labels(self, kind: str) -> dict[str, tuple[str, ...]]:
        value = self.record.get("labels")
        if value in _MISSING:
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"`labels` must be {{task: label}}, not {_shown(value)}")
            return {}
        truths = {}
        for name, given in value.items():
            if given in _MISSING:
                continue
            try:
                task = self.taxonomy.task(name)
                truths[name] = self.answer(task, given)
            except NotFoundError as error:
                self.problems.append(str(error).rstrip("."))
                continue
            if kind in ITEM_KINDS and kind not in task.applies_to:
                self.problems.append(f"the task '{name}' does not apply to a {kind}")
        self.warn_of_idle_tasks(truths)
        return truths

    def answer(self, task: Task, given: object) -> tuple[str, ...]:
        labels = _texts(given)
        if labels is None:
            self.problems.append(f"the label of '{task.name}' must be a name or a list of names, not {_shown(given)}")
            return ()
        names = {task.label(label.strip()).name for label in labels}
        if not task.multi and len(names) != 1:
            self.problems.append(f"the task '{task.name}' takes exactly one label, not {len(names)}")
        return tuple(name for name in task.label_names if name in names)

    def warn_of_idle_tasks(self, truths: Mapping[str, tuple[str, ...]]) -> None:
        for name in truths:
            for parent, labels in self.taxonomy.task(name).when.items():
                if parent in truths and not set(truths[parent]) & set(labels):
                    self.warnings.append(f"the label of '{name}' does not count while '{parent}' is {truths[parent]}")

    def regions(self) -> dict[str, tuple[Box, ...]]:
        value = self.record.get("regions")
        if value in _MISSING:
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"`regions` must be {{name: [[x, y, w, h], …]}}, not {_shown(value)}")
            return {}
        regions = {name: _boxes(boxes) for name, boxes in value.items()}
        for name, boxes in regions.items():
            if boxes is None:
                shape = "a list of [x, y, w, h] in pixels, with w and h from 0 up"
                self.problems.append(f"the region {_shown(name)} must be {shape}")
        if sum(len(boxes or ()) for boxes in regions.values()) > _MOST_BOXES:
            self.problems.append(f"`regions` holds more than {_MOST_BOXES} boxes")
        return {name: boxes for name, boxes in regions.items() if boxes}

    def meta(self) -> dict[str, Any]:
        value = self.record.get("meta")
        if value not in _MISSING and not isinstance(value, dict):
            self.problems.append(f"`meta` must be an object, not {_shown(value)}")
        kept = value if isinstance(value, dict) else {}
        return {**kept, **{name: value for name, value in self.record.items() if name not in FIELDS}}


def _shown(value: object) -> str:
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}…"


def _texts(value: object) -> list[str] | None:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return None


def _number(value: object) -> float | None:
    """Return a finite number, also of text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _boxes(value: object) -> tuple[Box, ...] | None:
    if not isinstance(value, list):
        return None
    boxes = [_box(each) for each in value]
    return None if None in boxes else tuple(box for box in boxes if box is not None)


def _box(value: object) -> Box | None:
    if not isinstance(value, list) or len(value) != 4 or any(isinstance(each, str) for each in value):
        return None
    numbers = [_number(each) for each in value]
    if any(number is None or abs(number) > _FARTHEST for number in numbers):
        return None
    x, y, width, height = (number or 0.0 for number in numbers)
    return (x, y, width, height) if width >= 0 and height >= 0 else None
