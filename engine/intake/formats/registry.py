"""The table of formats, and which one a file is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import InputError, NotFoundError, did_you_mean
from engine.intake.formats import (
    doccano,
    dsa,
    imagefolder,
    jsonl,
    label_studio_writing,
    parquet,
    prodigy,
    review_pack,
    table,
    workers,
)
from engine.intake.formats.base import Format

_SURE_ENOUGH = 0.3

_ALL = (
    jsonl.FORMAT,
    table.FORMAT,
    doccano.FORMAT,
    doccano.SPANS,
    label_studio_writing.FORMAT,
    prodigy.FORMAT,
    imagefolder.FORMAT,
    parquet.FORMAT,
    workers.CROWDKIT,
    workers.CLEANLAB,
    dsa.FORMAT,
    dsa.MAPPING,
    review_pack.FORMAT,
)

FORMATS: dict[str, Format] = {one.name: one for one in _ALL}
"""Every format by its name. A new one is a module with a `Format` and its place here."""


def named(name: str, *, writing: bool = False) -> Format:
    """Return the format of this name; raises `InputError` with the nearest one, or where it goes the other way only."""
    known = [one.name for one in FORMATS.values() if (one.writes if writing else one.reads)]
    if name not in known:
        way = "export" if writing else "import"
        raise InputError(f"There is no {way} format '{name}'.", did_you_mean(name, known))
    return FORMATS[name]


def by_suffix(path: Path) -> Format:
    """Return the format that a name's end stands for when writing; raises `InputError` where it stands for none."""
    found = [one for one in FORMATS.values() if one.writes and path.name.lower().endswith(one.suffixes or ("\0",))]
    if not found:
        known = ", ".join(one.name for one in FORMATS.values() if one.writes)
        raise InputError(f"The name '{path.name}' does not say its format.", f"Give --format: {known}.")
    return found[0]


def guess(path: Path) -> Format:
    """Return the format that a file or folder most looks like.

    Raises:
        NotFoundError: there is no such file or folder.
        InputError: it looks like none of them.
    """
    if not path.exists():
        raise NotFoundError(f"There is no file or folder '{path}'.", "Check the path.")
    sure = {one.name: one.sniff(path) for one in _readable() if one.sniff is not None}
    best = max(sure, key=sure.__getitem__)
    if sure[best] < _SURE_ENOUGH:
        known = ", ".join(one.name for one in _readable())
        if path.is_dir():
            what = "it holds neither metadata.jsonl nor metadata.csv"
            raise InputError(f"'{path}' cannot be imported: {what}.", "Put such a list into it, or name a file.")
        what = "it looks like no known format"
        raise InputError(f"'{path}' cannot be imported: {what}.", f"Name its format with --format: {known}.")
    return FORMATS[best]


def _readable() -> Iterable[Format]:
    return [one for one in FORMATS.values() if one.reads]
