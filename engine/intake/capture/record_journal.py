"""The journal of a capture in progress: a line for every try, on the disk before the next one counts.

A kill can cut the last line short; it is passed over and cut off before the next line is written. An item is in the
workspace before its line is written, so a line that is missing costs a look into the workspace, never a second capture.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from engine.errors import InputError, StorageError
from engine.intake.capture.types import Kind
from engine.types import Struct
from engine.workspace.captures import sync_folder

FOLDER = "captures-in-progress"
_PLAN, _LINES = "plan.json", "journal.jsonl"

DONE = ("captured", "deleted", "suspended")
"""Ends after which an address has its item: what was there, or that it is gone."""

FAILED = ("login wall", "consent wall", "blank", "still loading", "error page", "refused", "failed")
"""Ends without an item."""


class Plan(Struct, frozen=True, kw_only=True):
    """What a capture was begun with and has to be gone on with: its list, the size of its pictures, the profile."""

    source: str
    width: int
    height: int
    profile: str


class Line(Struct, frozen=True, kw_only=True):
    """One try of one address: how it ended, and whether another one may help (`again`).

    `key` is "" where the whole campaign came to its end: what failed until then may be tried anew.
    """

    at: str
    key: str = ""
    item: str = ""
    kind: Kind = "failed"
    reason: str = ""
    again: bool = False


class Tried(Struct, frozen=True, kw_only=True):
    """What the journal knows of an address: its tries since the campaign last came to its end, and the last of them."""

    tries: int
    last: Line


class Journal:
    """The journal of one list in a workspace; a context manager while lines are added.

    Args:
        folder: where it is kept.
        source: what is captured.
    """

    def __init__(self, folder: Path, source: str = "") -> None:
        self.folder, self.source = folder, source
        self._file = -1

    @classmethod
    def of(cls, workspace: Path, source: Path) -> Self:
        """Return the journal of a list or a folder in a workspace's folder; its absolute path names the journal."""
        given = str(source.resolve())
        name = hashlib.sha256(given.encode(errors="surrogateescape")).hexdigest()[:16]
        return cls(workspace / FOLDER / name, given)

    @property
    def begun(self) -> bool:
        """Whether there is a capture to go on with."""
        return (self.folder / _PLAN).is_file()

    def begin(self, plan: Plan) -> None:
        """Note what is begun, or check that it is what was begun; raises `InputError` where it is not."""
        if not self.begun:
            with _told(self.folder):
                self._write_plan(plan)
            return
        try:
            old = msgspec.json.decode((self.folder / _PLAN).read_bytes(), type=Plan)
        except (OSError, msgspec.MsgspecError) as error:
            way_out = f"Delete the folder '{self.folder}' and begin anew; items that are there stay."
            raise InputError(f"The journal of this capture cannot be read ({error}).", way_out) from error
        if old != plan:
            was = f"--window {old.width}x{old.height}" + (f" and --profile {old.profile}" if old.profile else "")
            way_out = f"Go on with these, or delete the folder '{self.folder}' and begin anew."
            raise InputError(f"This capture was begun with {was}.", way_out)

    def tried(self) -> dict[str, Tried]:
        """Return what is known of each address, by key; raises `InputError` for a line that is damaged."""
        found: dict[str, Tried] = {}
        for line in self.lines():
            if not line.key:
                found = {key: one for key, one in found.items() if one.last.kind not in FAILED}
                continue
            before = found.get(line.key)
            found[line.key] = Tried(tries=(before.tries if before else 0) + 1, last=line)
        return found

    def last_runs(self) -> dict[str, Tried]:
        """Return the last try of each address, by key, and how many there were in its run of the campaign.

        An end of the campaign changes nothing here: what failed until then has failed until it is tried anew. Raises
        as `tried`.
        """
        found: dict[str, Tried] = {}
        run: set[str] = set()
        for line in self.lines():
            if not line.key:
                run.clear()
                continue
            tries = found[line.key].tries + 1 if line.key in run else 1
            run.add(line.key)
            found[line.key] = Tried(tries=tries, last=line)
        return found

    def lines(self) -> Iterator[Line]:
        """Give every line, the oldest first; raises `InputError` for one that is damaged."""
        for number, raw in enumerate(self._complete().splitlines(), 1):
            try:
                yield msgspec.json.decode(raw, type=Line)
            except msgspec.MsgspecError as error:
                way_out = "Delete that line; an item that is in the workspace is not captured again."
                raise InputError(
                    f"'{self.folder / _LINES}', line {number}, cannot be read: {error}.", way_out
                ) from error

    def write(self, line: Line) -> None:
        """Add a line; when this returns it is on the disk."""
        with _told(self.folder):
            os.write(self._file, msgspec.json.encode(line) + b"\n")
            os.fsync(self._file)

    def remove(self) -> None:
        """Forget a capture of which nothing is left to do."""
        with _told(self.folder):
            for name in (_LINES, _PLAN, f"{_PLAN}.part"):
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()

    def __enter__(self) -> Self:
        with _told(self.folder):
            whole = len(self._complete())
            self._file = os.open(self.folder / _LINES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.ftruncate(self._file, whole)
            sync_folder(self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        self._file = -1

    def _complete(self) -> bytes:
        """Return the lines that a kill left whole."""
        try:
            raw = (self.folder / _LINES).read_bytes()
        except FileNotFoundError:
            return b""
        return raw[: raw.rfind(b"\n") + 1]

    def _write_plan(self, plan: Plan) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{_PLAN}.part"
        with part.open("wb") as file:
            file.write(msgspec.json.encode(plan))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / _PLAN)
        sync_folder(self.folder)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn the disk's refusals into a `StorageError`."""
    try:
        yield
    except OSError as error:
        way_out = "Make room or make the folder writable, then go on with --resume."
        raise StorageError(f"'{folder}' cannot be written ({error.strerror or error}).", way_out) from error
