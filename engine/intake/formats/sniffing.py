"""Look at the beginning of a file, without ever failing: what it is to be read as is only a guess here."""

from __future__ import annotations

import codecs
import contextlib
from pathlib import Path
from typing import Any

import msgspec

_HEAD = 1 << 20
_RECORDS = 5


def head_of(path: Path) -> bytes:
    """Return up to the first megabyte of a file without its byte order mark; nothing where it cannot be read."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(_HEAD).removeprefix(codecs.BOM_UTF8)
    return b""


def first_objects(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects among the first lines of a file; none where it holds no such lines."""
    if not path.is_file():
        return []
    found = []
    for line in [line for line in head_of(path).split(b"\n") if line.strip()][:_RECORDS]:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = msgspec.json.decode(line)
            if isinstance(document, dict):
                found.append(document)
    return found
