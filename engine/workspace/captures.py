"""The captures folder: PNG files named by the SHA-256 of their bytes, named only once complete on the disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from engine.errors import InputError, StorageError

_SHA = re.compile(r"[0-9a-f]{64}")


def digest(content: bytes) -> str:
    """Return the name that these bytes get: 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_unchanged(path: Path) -> bytes:
    """Return a screenshot's bytes.

    Raises:
        OSError: the file cannot be read.
        ValueError: its name is a digest, and these are not the bytes that got that name.
    """
    content = path.read_bytes()
    if _SHA.fullmatch(path.stem) and digest(content) != path.stem:
        raise ValueError("its file is not the one that was imported")
    return content


class Captures:
    """Screenshots by content: storing the same bytes twice keeps one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, sha: str) -> Path:
        """Return where the capture of this digest is kept (whether or not it is there); raises `InputError`."""
        if not _SHA.fullmatch(sha):
            raise InputError(
                f"'{sha}' is no capture's name: it needs the 64 hexadecimal digits of a SHA-256.",
                "Leave the capture out, or give the one that it was exported with.",
            )
        return self.folder / sha[:2] / f"{sha}.png"

    def is_intact(self, sha: str) -> bool:
        """Whether the capture of this digest is there and still is what it was stored as; raises `InputError`."""
        try:
            return digest(self.path_of(sha).read_bytes()) == sha
        except OSError:
            return False

    def store(self, content: bytes) -> str:
        """Keep these PNG bytes durably and return their digest; raises `StorageError`, leaving no part of a file.

        A file of that name which is damaged is replaced.
        """
        return self.store_many([content])[0]

    def store_many(self, contents: Iterable[bytes]) -> list[str]:
        """Keep all of them and return their digests in order. One directory sync per folder, not per file."""
        shas = []
        pending: dict[Path, Path] = {}
        try:
            for content in contents:
                sha = digest(content)
                shas.append(sha)
                target = self.path_of(sha)
                if target not in pending and not self.is_intact(sha):
                    pending[target] = self._write(target, content)
            self._name(pending)
        except OSError as error:
            raise _refused(self.folder, error) from error
        finally:
            for temporary in pending.values():
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
        return shas

    def _write(self, target: Path, content: bytes) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{uuid4().hex}.part")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _name(self, pending: dict[Path, Path]) -> None:
        """Give complete files their names; only then may a row of the database speak of them."""
        for target, temporary in pending.items():
            temporary.replace(target)
        for folder in {target.parent for target in pending}:
            sync_folder(folder)
        if pending:
            sync_folder(self.folder)


def sync_folder(folder: Path) -> None:
    """Make the names inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The captures folder '{folder}' cannot be written ({error.strerror or error}).",
        "No half-written capture was kept; free some space or make the folder writable, then try again.",
    )
