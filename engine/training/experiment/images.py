"""Reading an image folder: pictures beside a `metadata.jsonl` that names each one's file, words and labels."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from engine.errors import InputError, StorageError
from engine.paper import on_paper
from engine.training.experiment.grouping import group_of
from engine.training.experiment.rows import task_name
from engine.training.splits import SPLITS
from engine.types import ItemContent, TrainingItem

METADATA = "metadata.jsonl"
LONGEST_SIDE = 256
"""Larger pictures are kept at this many pixels a side: more than a network looks at."""
_KNOWN = {"file_name", "title", "description", "text", "split", "group", "author", "id", "url"}
_THREADS = 4


def read_folder(path: Path, captures: Path | None) -> list[TrainingItem]:
    """Return the items of an image folder. Every further field of the metadata that holds a word is a task.

    Pictures are kept as PNG files in `captures`, named by the SHA-256 of the original file; without a folder, pictures
    must be PNG files and are used where they lie.

    Raises:
        InputError: a row or a picture cannot be used; names file and row.
        StorageError: the disk refused.
    """
    rows = list(_rows(path / METADATA))
    names = [_file(path, row, where) for where, row in rows]
    with ThreadPoolExecutor(_THREADS) as pool:
        kept = list(pool.map(lambda pair: _kept(pair[0], pair[1][0], captures), zip(names, rows, strict=True)))
    return [
        _item(row, capture, where, number)
        for number, ((where, row), capture) in enumerate(zip(rows, kept, strict=True))
    ]


def _rows(file: Path) -> list[tuple[str, Mapping[str, Any]]]:
    found: list[tuple[str, Mapping[str, Any]]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        where = f"{file.name}, row {number}"
        if not line.strip():
            continue
        try:
            found.append((where, msgspec.json.decode(line, type=dict[str, Any])))
        except msgspec.DecodeError as error:
            raise InputError(f"{where} is no JSON object: {error}.", "Correct that row.") from error
    return found


def _file(path: Path, row: Mapping[str, Any], where: str) -> Path:
    name = row.get("file_name")
    if not isinstance(name, str) or not (path / name).is_file():
        raise InputError(f"{where} names the picture {name!r}, which is not there.", "Correct `file_name`.")
    return path / name


def _kept(picture: Path, where: str, captures: Path | None) -> str:
    """Return the path of the picture as PNG, made anew only where it is not there yet."""
    if captures is None:
        if picture.suffix.lower() != ".png":
            raise InputError(f"{where}: {picture.name} is no PNG file.", "Give a folder to keep pictures in.")
        return str(picture.absolute())
    target = captures / f"{hashlib.sha256(picture.read_bytes()).hexdigest()}.png"
    if not target.exists():
        _convert(picture, target, where)
    return str(target.absolute())


def _convert(picture: Path, target: Path, where: str) -> None:
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")  # the same picture may come twice at once
    try:
        with Image.open(picture, formats=["PNG", "JPEG", "WEBP"]) as image:
            image.load()
            rgb = on_paper(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{where}: the picture {picture.name} cannot be read: {error}.", "Replace it.") from error
    rgb.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        rgb.save(beside, format="PNG", compress_level=1)
        beside.replace(target)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error}.", "Free some space.") from error


def _item(row: Mapping[str, Any], capture: str, where: str, number: int) -> TrainingItem:
    labels: dict[str, tuple[str, ...]] = {
        task_name(name): (str(value),) for name, value in row.items() if name not in _KNOWN and _is_word(value)
    }
    if not labels:
        raise InputError(f"{where} has no label.", "Give it a field `label`.")
    split = str(row.get("split", "") or "")
    if split and split not in SPLITS:
        raise InputError(f"{where} has the split {split!r}.", f"Use one of {', '.join(SPLITS)}.")
    title, text = str(row.get("title", "") or ""), str(row.get("description", row.get("text", "")) or "")
    name = str(row["file_name"])
    return TrainingItem(
        content=ItemContent(id=f"{number}-{name}", kind="product", title=title, text=text, capture=capture),
        labels=labels,
        group=group_of("", str(row.get("group", row.get("author", "")) or ""), name),
        split=split,
    )


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
