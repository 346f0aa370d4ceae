"""Hugging Face image folder: pictures, and `metadata.jsonl` whose `file_name` names each one.

    FOLDER/metadata.jsonl   one row per item that has a screenshot; columns as in `flat`
    FOLDER/without-images.jsonl   the others, which the tool has no place for
    FOLDER/images/ab/ab….png

Reading takes any such folder, also one of `train`, `validation` and `test` that hold one each. Source of the layout:
huggingface.co/docs/datasets/image_dataset, "ImageFolder".
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import uuid4

import msgspec

from engine.errors import InputError, StorageError
from engine.intake.formats import flat
from engine.intake.formats.base import Format, Reading, Writing, check_outside
from engine.intake.formats.known import known_items
from engine.intake.formats.sniffing import first_objects
from engine.intake.report import ExportReport
from engine.intake.screenshots import Screenshots
from engine.intake.sources import Record, count_lines, read_json_lines
from engine.workspace import Workspace
from engine.workspace.captures import sync_folder

METADATA, OTHERS = "metadata.jsonl", "without-images.jsonl"
_SPLITS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "dev": "val", "test": "test"}


def sniff(path: Path) -> float:
    """Return how much a folder looks like one of images."""
    if not path.is_dir():
        return 0.0
    named = any("file_name" in one for file, _ in _files(path) for one in first_objects(file))
    return 0.9 if named or (path / OTHERS).is_file() else 0.0


def count(path: Path) -> int:
    """Return about how many records there are."""
    return sum(count_lines(file) for file, _ in _files(path))


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give the record of each row of every metadata file in the folder."""
    del how
    for file, place in _files(path):
        for record in read_json_lines(file):
            yield record if record.fields is None else _placed(record, place)


def _files(path: Path) -> list[tuple[Path, str]]:
    """Return the metadata files of a folder, and the folder inside it that each one's file names start from."""
    if (path / METADATA).is_file() or (path / OTHERS).is_file():
        return [(path / name, "") for name in (METADATA, OTHERS) if (path / name).is_file()]
    found = sorted(path.glob(f"*/{METADATA}")) if path.is_dir() else []
    return [(file, file.parent.name) for file in found if file.is_file()]


def _placed(record: Record, place: str) -> Record:
    fields = dict(record.fields or {})
    name = fields.pop("file_name", None)
    if isinstance(name, str) and name:
        fields["screenshot"] = f"{place}/{name}" if place else name
    if flat.is_ours(fields):
        return flat.record_of(record.line, fields)
    if place in _SPLITS:
        fields.setdefault("split", _SPLITS[place])
    return Record(line=record.line, fields=fields)


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write a folder that is not there yet, or is empty; whole or not at all."""
    if path.is_file() or (path.is_dir() and any(path.iterdir())) or not path.absolute().parent.is_dir():
        raise InputError(f"'{path}' is no place for a folder of images.", "Name a folder that is not there yet.")
    check_outside(path)
    temporary = path.absolute().with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        temporary.mkdir()
        screenshots = Screenshots(ws)
        items = _fill(ws, temporary, how, screenshots)
        temporary.replace(path)
        sync_folder(path.absolute().parent)
    except OSError as error:
        raise StorageError(f"'{path}' cannot be written ({error.strerror}).", "Nothing was changed.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return ExportReport(file=str(path), format=FORMAT.name, items=items, rows=items, notes=screenshots.notes)


def _fill(ws: Workspace, folder: Path, how: Writing, screenshots: Screenshots) -> int:
    items = 0
    with contextlib.ExitStack() as stack:
        files: dict[str, IO[bytes]] = {}
        for known in known_items(ws, how):
            row = flat.row_of(known, ws)
            png = screenshots.of(known.item)
            if png is not None:
                row = {"file_name": _store(png, f"{known.item.capture}", folder)} | row
            name = METADATA if png is not None else OTHERS
            if name not in files:
                files[name] = stack.enter_context((folder / name).open("wb"))
            files[name].write(msgspec.json.encode(row) + b"\n")
            items += 1
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    return items


def _store(png: bytes, sha: str, folder: Path) -> str:
    name = f"images/{sha[:2]}/{sha}.png"
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(png)
    return name


FORMAT = Format(
    name="imagefolder",
    title="Hugging Face image folder",
    describes="a folder of screenshots with metadata.jsonl, for datasets.load_dataset",
    sniff=sniff,
    count=count,
    read=read,
    write=write,
)
