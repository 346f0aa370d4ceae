"""Vectors of items on disk: fixed-size records, each with its checksum, in a file that may be deleted at any time.

A record that was half-written or damaged is left out when the file is read. Several processes may append: each append
holds a lock and first cuts off what a killed one left unfinished.
"""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

SUFFIX = ".vectors"
KEPT_FILES = 3
"""Files of so many backbones are kept in a folder: the one in use and those that a rollback may want."""
LOCK_S = 2.0
_MAGIC = b"SLVEC\x00\x00\x01"
_READ_AT_ONCE = 4096

_log = logging.getLogger(__name__)


class VectorFile:
    """The records of one pair of backbones: a 16-byte key, a byte of flags, `width` half-precision numbers."""

    def __init__(self, folder: Path, digest: str, width: int) -> None:
        self.path = folder / f"{digest[:32]}{SUFFIX}"
        self.record = np.dtype([("key", "V16"), ("parts", "u1"), ("vector", "<f2", (width,)), ("check", "<u4")])
        self._header = _MAGIC + bytes.fromhex(digest) + width.to_bytes(8, "little")

    def read(self, most: int) -> NDArray[np.void]:
        """The sound records in the order they were written, the first `most` at most; none where there is no file."""
        try:
            with self.path.open("rb") as file:
                if file.read(len(self._header)) != self._header:
                    return np.empty(0, self.record)
                data = np.fromfile(file, self.record, count=most)
        except OSError:
            return np.empty(0, self.record)
        sound = np.fromiter((record["check"] == _check(record) for record in data), np.bool_, len(data))
        return data[sound]

    def append(self, records: NDArray[np.void], most: int) -> bool:
        """Write records at the end of a file that holds fewer than `most`.

        False (and a line in the log) where they cannot be kept, which costs nothing but time.
        """
        for record in records:
            record["check"] = _check(record)
        try:
            self.path.parent.mkdir(exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=LOCK_S):
                self._write(records.tobytes(), most)
        except (OSError, Timeout) as error:
            _log.warning("the vectors in %s cannot be kept: %s", self.path, error)
            return False
        return True

    def tidy(self) -> None:
        """Note that this file is in use and delete those of backbones that were not used for longest."""
        try:
            if self.path.exists():
                self.path.touch()
            files = sorted(self.path.parent.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in [path for path in files if path != self.path][KEPT_FILES - 1 :]:
                old.unlink(missing_ok=True)
                old.with_suffix(".lock").unlink(missing_ok=True)
        except OSError as error:
            _log.warning("old vectors in %s cannot be deleted: %s", self.path.parent, error)

    def _write(self, data: bytes, most: int) -> None:
        with self.path.open("ab") as file:
            size = file.tell()
            whole = size - (size - len(self._header)) % self.record.itemsize
            if size < len(self._header) or not self._ours():
                file.truncate(0)
                file.write(self._header)
            elif whole != size:
                file.truncate(whole)
            if whole < len(self._header) + most * self.record.itemsize:
                file.write(data)

    def _ours(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(len(self._header)) == self._header


def _check(record: np.void) -> int:
    return zlib.crc32(record.tobytes()[:-4])
