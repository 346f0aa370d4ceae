"""A child's standard error on disk, never more than a few megabytes of it."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

KEPT_BYTES = 1_000_000
KEPT_FILES = 3


class LogFile:
    """Appends to `path`; past `limit` bytes it becomes `path.1`, the one before `path.2`, and the oldest is dropped.

    A full or read-only disk never stops the work that is logged: what cannot be written is lost.
    """

    def __init__(self, path: Path, *, limit: int = KEPT_BYTES, keep: int = KEPT_FILES) -> None:
        self.path = path
        self._limit = limit
        self._keep = keep

    def write(self, data: bytes) -> None:
        """Append `data` as it is."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(data)
                size = file.tell()
            if size > self._limit:
                self._rotate()

    def note(self, sentence: str) -> None:
        """Append a line of our own, with the time in UTC."""
        self.write(f"[{datetime.now(UTC):%Y-%m-%d %H:%M:%S}] {sentence}\n".encode())

    def tail(self, size: int = 4000) -> str:
        """Return the last `size` bytes as text."""
        try:
            return self.path.read_bytes()[-size:].decode(errors="replace")
        except OSError:
            return ""

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
