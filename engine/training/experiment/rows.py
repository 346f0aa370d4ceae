"""Reading rows of text and label: JSON lines, CSV and TSV, in one file or a folder of train, val and test files."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import InputError, did_you_mean
from engine.intake.tables import in_words
from engine.training.experiment.grouping import group_of
from engine.training.splits import SPLITS
from engine.types import ItemContent, TrainingItem

SUFFIXES = (".jsonl", ".csv", ".tsv")
TEXTS, LABELS, GROUPS = ("text", "tweet", "post", "tokens"), ("label", "class", "labels"), ("group", "author")
_SIDES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_TABLE_LABEL = re.compile(r"label|class|subtask", re.IGNORECASE)


def read(path: Path) -> tuple[list[TrainingItem], list[str]]:
    """Return the labelled items of a file or folder, and sentences on rows that were left out.

    Raises:
        InputError: nothing can be read there, or a row cannot be used; names file and row.
    """
    files = _files(path)
    task = task_name(path.stem if path.is_file() else path.name)
    items: list[TrainingItem] = []
    undecided = 0
    for file, split in files:
        for number, row in _rows(file):
            item = _item(row, f"{file.name}, row {number}", f"{file.stem}-{number}", task, split)
            if item is None:
                undecided += 1
            else:
                items.append(item)
    notes = [f"{undecided} rows of {path.name} are left out: their annotators have no majority."] if undecided else []
    return items, notes


def task_name(name: str) -> str:
    """Return a name that a task may have."""
    return _NOT_IN_NAMES.sub("-", name).strip("-") or "task"


def _files(path: Path) -> list[tuple[Path, str]]:
    """Return the files to read, and the split that each one's name gives ("" for none)."""
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise InputError(f"{path} is no data set that can be read.", f"Give a file in {', '.join(SUFFIXES)}.")
        return [(path, "")]
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    named = [(file, _SIDES[file.stem]) for file in found if file.stem in _SIDES]
    if named:
        return named
    if len(found) == 1:
        return [(found[0], "")]
    names = ", ".join(file.name for file in found) or "no such file"
    raise InputError(
        f"{path} holds {names}, which says not which rows train.", "Name one file, or call them train.jsonl, val.jsonl."
    )


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the rows with their line numbers, from 1."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}.", "Give a file in UTF-8.") from error
    if file.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield number, _decoded(line, f"{file.name}, row {number}")
        return
    tabs = file.suffix == ".tsv"
    lines = text.splitlines(keepends=True)
    table = csv.DictReader(
        lines, delimiter="\t" if tabs else ",", quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL, strict=not tabs
    )
    before = 0
    try:
        columns = _columns(table.fieldnames or (), file)
        for row in table:
            before = table.line_num
            yield before, {columns.get(name, name): value for name, value in row.items() if name is not None}
    except csv.Error as error:
        raise InputError(f"{file.name}, row {before + 1}: {in_words(error)}.", "Correct that row.") from error


def _columns(names: Sequence[str], file: Path) -> dict[str, str]:
    """Return what a table's columns are called here: its text, and its label where only one can be meant."""
    text = next((name for name in TEXTS if name in names), None)
    labels = [name for name in names if _TABLE_LABEL.search(name)]
    if text is None or not labels:
        raise InputError(
            f"{file.name} has the columns {', '.join(names)}, none of them for text and label.",
            "Name the columns text and label.",
        )
    return {text: "text", next((name for name in LABELS if name in names), labels[0]): "label"}


def _decoded(line: str, where: str) -> Mapping[str, Any]:
    try:
        row: Any = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise InputError(f"{where} is not JSON: {error}.", "Correct that row.") from error
    if not isinstance(row, dict):
        raise InputError(f"{where} is no JSON object.", "Write one object with text and label a line.")
    return row


def _item(row: Mapping[str, Any], where: str, number: str, task: str, split: str) -> TrainingItem | None:
    """Return the row's item; None where its annotators have no majority."""
    label = _label(row, where)
    if label is None:
        return None
    text, title = _text(row, where), " ".join(filter(None, (_word(row, "title"), _word(row, "target"))))
    given = next((_word(row, name) for name in GROUPS if _word(row, name)), "")
    return TrainingItem(
        content=ItemContent(id=number, kind="tweet", title=title, text=text),
        labels={task: (label,)},
        group=group_of(f"{title} {text}", given, number),
        split=_split(row, split, where),
    )


def _text(row: Mapping[str, Any], where: str) -> str:
    given = next((row[name] for name in TEXTS if name in row), None)
    if isinstance(given, list) and all(isinstance(word, str) for word in given):
        return " ".join(given)
    if not isinstance(given, str):
        raise InputError(
            f"{where} has no text: it has {', '.join(row)}.", f"Give it a field `text`. {did_you_mean('text', row)}"
        )
    return given


def _label(row: Mapping[str, Any], where: str) -> str | None:
    """Return the row's label: the given one, or what more than half of its annotators say (HateXplain's rule)."""
    given = next((row[name] for name in LABELS if name in row), None)
    if isinstance(given, list) and given and all(isinstance(label, str) for label in given):
        label, count = Counter(given).most_common(1)[0]
        return label if 2 * count > len(given) else None
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str) or not given.strip():
        raise InputError(f"{where} has no label.", "Give it a field `label` with a name, or leave the row out.")
    return given.strip()


def _word(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""


def _split(row: Mapping[str, Any], split: str, where: str) -> str:
    given = _word(row, "split") or split
    if given and given not in _SIDES:
        raise InputError(f"{where} has the split {given!r}.", did_you_mean(given, SPLITS))
    return _SIDES.get(given, "")
