"""A zip that came from anywhere, looked at before any of it is unpacked, and read only in bounded pieces.

Entries are never written under their own names, so no name can lead anywhere; names that try are refused all the same.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

from engine.counting import counted
from engine.intake.captures import MOST_BYTES as MOST_CAPTURE_BYTES
from engine.intake.pack import manifest as limits
from engine.intake.pack.manifest import DOCUMENTS, MANIFEST, TAXONOMY, PackError, capture_of

_PIECE = 1 << 20
_END, _END_BYTES, _MOST_COMMENT = b"PK\x05\x06", 22, 0xFFFF
_LOCATOR, _END_64 = b"PK\x06\x07", b"PK\x06\x06"
_ENCRYPTED = 0x1 | 0x40
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_AGAIN = "Ask for the pack again, or make it anew with: secondlook pack."

BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    IndexError,
)
"""What zipfile raises on broken files, as seen by feeding it mutated ones; anything else is a bug that must be seen."""


class Archive:
    """An open zip whose every entry has a name that a pack may hold, a method we know and a size within limits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise PackError(f"'{path}' cannot be read ({error.strerror}).", "Check the path.") from error
        with contextlib.ExitStack() as refused:
            refused.callback(self._file.close)
            self._zip = self._opened()
            self.entries = {info.filename: info for info in self._zip.infolist()}
            self._check()
            refused.pop_all()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._zip.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pieces(self, name: str) -> Iterator[bytes]:
        """Give an entry's bytes; never more than its stated size. Raises `PackError` where they are damaged."""
        try:
            with self._zip.open(self.entries[name]) as entry:
                while piece := entry.read(_PIECE):
                    yield piece
        except BROKEN as error:
            raise self.refused(name, f"is damaged ({error})") from error

    def lines(self, name: str, longest: int) -> Iterator[tuple[int, bytes]]:
        """Give an entry's numbered lines; raises `PackError` for one of more than `longest` bytes."""
        try:
            with self._zip.open(self.entries[name]) as entry:
                number = 0
                while line := entry.readline(longest + 1):
                    number += 1
                    if len(line) > longest:
                        raise self.refused(name, f"has a line of more than {longest >> 20} MB (line {number})")
                    yield number, line
        except BROKEN as error:
            raise self.refused(name, f"is damaged ({error})") from error

    def refused(self, name: str, why: str) -> PackError:
        """Return the error for an entry."""
        shown = name if len(name) <= 100 and name.isprintable() else f"{ascii(name)[1:100]}…"
        return PackError(f"The pack '{self.path}' is refused: its entry '{shown}' {why}.", _AGAIN)

    def _opened(self) -> zipfile.ZipFile:
        try:
            size = _directory_bytes(self._file)
            if size > limits.MOST_DIRECTORY_BYTES:
                raise PackError(
                    f"The pack '{self.path}' is refused: its list of entries takes {size >> 20} MB.", _AGAIN
                )
            return zipfile.ZipFile(self._file)
        except BROKEN as error:
            raise PackError(f"'{self.path}' is no zip file, or it is damaged ({error}).", _AGAIN) from error

    def _check(self) -> None:
        infos = self._zip.infolist()
        if len(infos) > limits.MOST_ENTRIES:
            raise PackError(
                f"The pack '{self.path}' is refused: it has {counted(len(infos), 'entry', 'entries')};"
                f" {limits.MOST_ENTRIES:,} is the most.",
                "Have it made in several parts.",
            )
        seen: set[str] = set()
        is_pack = any(info.filename == MANIFEST for info in infos)
        for info in infos:
            why = "is there twice" if info.filename in seen else _wrong_name(info) or _wrong_form(info)
            if why == _FOREIGN and not is_pack:
                break
            if why:
                raise self.refused(info.filename, why)
            seen.add(info.filename)
        self._check_totals(infos)
        if not is_pack:
            way_out = "Give a pack, or unpack it and import what is in it."
            raise PackError(f"'{self.path}' is a zip file, but no review pack: it has no {MANIFEST}.", way_out)

    def _check_totals(self, infos: list[zipfile.ZipInfo]) -> None:
        packed, size = sum(info.compress_size for info in infos), self.path.stat().st_size
        if packed > size:
            raise PackError(f"The pack '{self.path}' is refused: its entries overlap, as in a zip bomb.", _AGAIN)
        unpacked = sum(info.file_size for info in infos)
        if unpacked > limits.MOST_BYTES:
            most = limits.MOST_BYTES >> 30
            raise PackError(
                f"The pack '{self.path}' is refused: unpacked it takes {unpacked >> 30} GB; {most} is the most.",
                "Have it made in several parts.",
            )


_FOREIGN = "is nothing that a review pack holds"


def _directory_bytes(file: IO[bytes]) -> int:
    """Return how large the list of entries says it is; zipfile would read it whole, however large.

    ZIP application note 6.3.10, sections 4.3.14 to 4.3.16.
    """
    end = file.seek(0, 2)
    start = max(0, end - _END_BYTES - _MOST_COMMENT)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0:
        raise zipfile.BadZipFile("it has no end record")
    size = int(struct.unpack_from("<L", tail, place + 12)[0])
    locator = start + place - 20
    if locator >= 0:
        file.seek(locator)
        record = file.read(20)
        if record.startswith(_LOCATOR):
            file.seek(struct.unpack_from("<Q", record, 8)[0])
            large = file.read(56)
            if not large.startswith(_END_64):
                raise zipfile.BadZipFile("its end record is misplaced")
            size = int(struct.unpack_from("<Q", large, 40)[0])
    file.seek(0)
    return size


def _wrong_name(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        return "has an absolute path"
    if ".." in PurePosixPath(name.replace("\\", "/")).parts:
        return "leads out of the pack"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
        return "is no plain file"
    if name != info.filename or not (name in DOCUMENTS or name == MANIFEST or capture_of(name)):
        return _FOREIGN
    return ""


def _wrong_form(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted; a pack has no password"
    if info.compress_type not in _METHODS:
        return "is packed by an unknown method"
    most = _most_bytes(info.filename)
    if info.file_size > most:
        return f"would take {info.file_size >> 20} MB; {most >> 20} is the most"
    if info.file_size > max(limits.LARGE, limits.MOST_RATIO * info.compress_size):
        return f"would grow {info.file_size // max(1, info.compress_size)} times, as in a zip bomb"
    return ""


def _most_bytes(name: str) -> int:
    if capture_of(name):
        return MOST_CAPTURE_BYTES
    return {MANIFEST: limits.MOST_MANIFEST_BYTES, TAXONOMY: limits.MOST_TAXONOMY_BYTES}.get(
        name, limits.MOST_DOCUMENT_BYTES
    )
