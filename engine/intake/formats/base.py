"""What a format is, what its reader and writer are told, and how a file is written whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from engine.errors import EngineError, InputError, StorageError
from engine.intake.captures import CaptureError
from engine.intake.report import ExportReport
from engine.intake.sources import Record, count_lines
from engine.taxonomy import Taxonomy
from engine.types import Struct
from engine.workspace import Workspace
from engine.workspace.database import DATABASE_NAME

_PART = ".part"
OWN_FILE = "dsa.toml"
"""The one file in a workspace's folder that people write."""


def each_read(lines: Iterable[Record], record: Callable[[int, dict[str, Any]], Record]) -> Iterator[Record]:
    """Give what `record` makes of each line's number and fields; one that it refuses becomes a problem of that line."""
    for one in lines:
        if one.fields is None:
            yield one
            continue
        try:
            yield record(one.line, one.fields)
        except (EngineError, CaptureError) as error:
            yield Record(line=one.line, problem=f"{error}".rstrip("."))


class Reading(Struct, frozen=True, kw_only=True):
    """What a reader is told: the workspace's tasks, and what to take where a file does not say it ("" for nothing).

    `kind` is the kind of its items, `reviewer` who gave its answers.
    """

    taxonomy: Taxonomy
    kind: str = ""
    reviewer: str = ""


class Writing(Struct, frozen=True, kw_only=True):
    """What a writer is told: whom to tell how many items are done of how many, and who may call it off."""

    progress: Callable[[int, int], None] | None = None
    cancelled: Callable[[], bool] | None = None


def _itself(path: Path) -> Path:
    return path


class Format(Struct, frozen=True, kw_only=True):
    """One interchange format.

    `title` is what people call it, `describes` one line for a list. `suffixes` are the names' ends that stand for it
    when writing (the first format of the table with an end has it) and that are tried first when reading; `ending` is
    the usual end where none stands for it alone, "" for a folder.

    `sniff` says how sure it is, in [0, 1], that a file or folder is of this format; it reads only its beginning and
    raises nothing. `locate` gives the file to read of what was named (a folder's metadata.jsonl); screenshots lie
    beside it. `count` gives about how many records a file has, for progress. `read` gives records, a line that cannot
    be read as one with a `problem`; `write` writes everything, whole or not at all. A format without `read` or `write`
    is one-way.
    """

    name: str
    title: str
    describes: str
    suffixes: tuple[str, ...] = ()
    ending: str = ""
    sniff: Callable[[Path], float] | None = None
    locate: Callable[[Path], Path] = _itself
    count: Callable[[Path], int] = count_lines
    read: Callable[[Path, Reading], Iterator[Record]] | None = None
    write: Callable[[Workspace, Path, Writing], ExportReport] | None = None

    @property
    def extension(self) -> str:
        """What a file's name is given where it has no end of its own."""
        return self.suffixes[0] if self.suffixes else self.ending

    @property
    def reads(self) -> bool:
        """Whether files of this format can be imported."""
        return self.read is not None

    @property
    def writes(self) -> bool:
        """Whether a workspace can be exported to it."""
        return self.write is not None


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file under a temporary name that takes the place of `path` once the block has ended, safe on the disk.

    Raises:
        InputError: the folder does not exist, or `path` is one, a device or in a workspace.
        StorageError: the disk refused. As after any other failure, what was there before is untouched.
    """
    check_place(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{_PART}")
    try:
        _sweep(path)
        with temporary.open("wb") as file:
            _hold(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"'{path}' cannot be written ({error.strerror}).", "Nothing was changed.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Delete what earlier writers of this file left behind when they were killed; one that is at work holds its own."""
    with contextlib.suppress(OSError):
        for left in path.parent.iterdir():
            if left.name.startswith(f".{path.name}.") and left.name.endswith(_PART):
                with left.open("rb") as file:
                    if _hold(file):
                        left.unlink()


def _hold(file: IO[bytes]) -> bool:
    """Hold an open file for this process until it is closed; False where another one does, or nobody can."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def check_place(path: Path) -> None:
    """Raise `InputError` where no file can be written to: no folder, a device, - (standard output), in a workspace."""
    if path == Path("-"):
        raise InputError("This cannot be written to standard output.", "Give a file name.")
    if not path.parent.is_dir() or (path.exists() and not path.is_file()):
        raise InputError(f"'{path}' is no place for a file.", "Give a file name in a folder that exists.")
    check_outside(path)


def check_picture(path: Path) -> None:
    """Raise `InputError` where no PNG file can be written to, or where it would be called a picture of another kind."""
    check_place(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"'{path.name}' is to be a PNG picture.", f"Call it '{path.stem}.png'.")


def check_outside(path: Path) -> None:
    """Raise `InputError` where a file would be written into a workspace's folder, over its own files perhaps."""
    inside = next((folder for folder in path.resolve().parents if (folder / DATABASE_NAME).is_file()), None)
    if inside is not None and path.name != OWN_FILE:
        raise InputError(
            f"'{path}' lies inside the workspace '{inside.name}', which Second Look keeps to itself.",
            "Give a file name outside of that folder.",
        )
