"""Figures that are written as they come: a benchmark that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec


class KeptRows:
    """A file of JSON lines, one a measured key. Rows that were measured of something else are measured again.

    `about` says of what: the model, the arithmetic, the version of the code. A line that a kill cut short is not there.
    """

    def __init__(self, file: Path, about: dict[str, Any]) -> None:
        self._file = file
        self._about = hashlib.sha256(msgspec.json.encode(about, order="sorted")).hexdigest()[:16]
        self._rows = dict(self._read())

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def row(self, key: str, measure: Callable[[], Any]) -> Any:
        """The row of that key: the one that is kept, else a new one, which is then kept."""
        if key not in self._rows:
            found = self._rows[key] = measure()
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as lines:
                lines.write(msgspec.json.encode({"about": self._about, "key": key, "row": found}) + b"\n")
        return self._rows[key]

    def _read(self) -> Iterable[tuple[str, Any]]:
        if not self._file.exists():
            return
        data = self._file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._file.write_bytes(whole)
        for line in whole.splitlines():
            kept = msgspec.json.decode(line)
            if kept["about"] == self._about:
                yield kept["key"], kept["row"]


def code_version(paths: Iterable[Path]) -> str:
    """A digest of source files, folders with all that lies directly in them."""
    files = [file for path in paths for file in (sorted(path.glob("*.py")) if path.is_dir() else [path])]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
