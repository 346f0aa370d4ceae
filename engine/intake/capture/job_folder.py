"""The folder that a capture in the window works in: what is to be captured, and what was and waits to be taken in.

    job.json          the addresses and how they are captured
    taxonomy.toml     the workspace's, when the job was made
    todo.json         which of the addresses the next run of the child is to capture
    journal.jsonl     a line for every try (`record_journal`)
    done/NAME.json    a finished capture: the item, and its picture beside it; complete once it has its name
    failed/NAME.png   what stood there instead of a page

The child writes `journal.jsonl`, `done` and `failed`; the window writes the rest, and takes what is in `done` into the
workspace. A capture is in `done` before its try is in the journal.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.errors import InputError, NotFoundError, StorageError
from engine.intake.capture.record import Made, NoItemError, add, make
from engine.intake.capture.record_journal import FOLDER, Journal
from engine.intake.capture.types import Address, Captured, Settings
from engine.taxonomy import Taxonomy, dump_taxonomy, load_taxonomy
from engine.types import Item, Struct
from engine.workspace import GivenDecision, Workspace
from engine.workspace.captures import sync_folder

T = TypeVar("T")
NAME = "window"
_JOB, _TAXONOMY, _TODO, _DONE, _FAILED = "job.json", "taxonomy.toml", "todo.json", "done", "failed"


class Job(Struct, frozen=True, kw_only=True):
    """What a capture was begun with. `profile` is "" where each address chooses its own; `rate` is pages a minute."""

    addresses: tuple[Address, ...]
    settings: Settings
    profile: str = ""
    rate: float = 60.0
    passes: int = 3


class Todo(Struct, frozen=True, kw_only=True):
    """The addresses that the next run captures; those in `again` failed before and get a new set of tries."""

    keys: tuple[str, ...]
    again: tuple[str, ...] = ()


class Finished(Struct, frozen=True, kw_only=True):
    """A capture that waits to be taken in; its picture lies beside it."""

    key: str
    item: Item
    aside: GivenDecision | None = None


class Taken(Struct, frozen=True, kw_only=True):
    """A finished capture after it was taken in: its item and picture, or (`problem`) why it could not be."""

    key: str
    item: str
    capture: str = ""
    title: str = ""
    problem: str = ""


class JobFolder:
    """Reads and writes one job; every file is complete before it has its name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, workspace: Path) -> JobFolder:
        """Return the folder of the capture in a workspace's window, whether there is one or not."""
        return cls(workspace / FOLDER / NAME)

    @property
    def begun(self) -> bool:
        """Whether there is a job."""
        return (self.path / _JOB).is_file()

    @property
    def journal(self) -> Journal:
        """The journal of the tries."""
        return Journal(self.path, str(self.path))

    def begin(self, job: Job, taxonomy: Taxonomy) -> None:
        """Make the folder for a new job; one that was there before is removed.

        Raises:
            StorageError: the disk refused.
        """
        self.remove()
        with _told(self.path):
            for name in (_DONE, _FAILED):
                (self.path / name).mkdir(parents=True)
            self._write(_TAXONOMY, dump_taxonomy(taxonomy).encode())
            self._write(_JOB, msgspec.json.encode(job))

    def job(self) -> Job:
        """Return the job; raises `NotFoundError` where there is none, `InputError` where it cannot be read."""
        return self._read(_JOB, Job)

    def taxonomy(self) -> Taxonomy:
        """Return the taxonomy that the job was made with."""
        return load_taxonomy(self.path / _TAXONOMY)

    def todo(self) -> Todo:
        """Return what the next run captures; raises as `job`."""
        return self._read(_TODO, Todo)

    def write_todo(self, todo: Todo) -> None:
        """Say what the next run captures; raises `StorageError`."""
        with _told(self.path):
            self._write(_TODO, msgspec.json.encode(todo))

    def put(self, key: str, made: Made) -> str:
        """Keep a finished capture durably and return its name; raises `StorageError`."""
        name = name_of(key)
        with _told(self.path):
            self._write(f"{_DONE}/{name}.png", made.png)
            self._write(
                f"{_DONE}/{name}.json", msgspec.json.encode(Finished(key=key, item=made.item, aside=made.aside))
            )
        return name

    def put_failed(self, key: str, png: bytes) -> str:
        """Keep the picture of what stood there instead and return its file's name, "" where there is none."""
        if not png:
            return ""
        name = f"{_FAILED}/{name_of(key)}.png"
        with contextlib.suppress(OSError):
            self._write(name, png)
            return name
        return ""

    def failed_picture(self, key: str) -> str:
        """Return the file's name of the picture of a page that failed, "" where there is none."""
        name = f"{_FAILED}/{name_of(key)}.png"
        return name if (self.path / name).is_file() else ""

    def finished(self) -> list[str]:
        """Return the names of the captures that wait to be taken in."""
        return sorted(path.stem for path in (self.path / _DONE).glob("*.json"))

    def take(self, ws: Workspace, names: Sequence[str]) -> list[Taken]:
        """Take finished captures into a workspace, each in its own transaction; those that are gone are passed over.

        An item that is there already, because this was broken off before, is left as it is.

        Raises:
            StorageError: the disk refused; what was not taken in stays where it is.
        """
        return [taken for name in names if (taken := self._take(ws, name)) is not None]

    def remove(self) -> None:
        """Forget the job; items that were taken in stay."""
        with _told(self.path):
            (self.path / _JOB).unlink(missing_ok=True)
            if self.path.exists():
                shutil.rmtree(self.path)

    def _take(self, ws: Workspace, name: str) -> Taken | None:
        picture, record = self.path / _DONE / f"{name}.png", self.path / _DONE / f"{name}.json"
        try:
            finished = msgspec.json.decode(record.read_bytes(), type=Finished)
            made = Made(item=finished.item, png=picture.read_bytes(), aside=finished.aside)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise InputError(
                f"'{record}' cannot be read ({error}).", "Delete it; its page can be tried again."
            ) from error
        taken = _added(ws, finished.key, made)
        record.unlink(missing_ok=True)
        picture.unlink(missing_ok=True)
        return taken

    def _read(self, name: str, kind: type[T]) -> T:
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            raise NotFoundError(f"There is no capture in '{self.path}'.", "Begin a new one.") from None
        except (OSError, msgspec.MsgspecError) as error:
            raise InputError(
                f"'{path}' cannot be read ({error}).", "Begin a new list; items that are there stay."
            ) from error

    def _write(self, name: str, content: bytes) -> None:
        target = self.path / name
        part = target.with_name(f"{target.name}.part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)


class InJobFolder:
    """Keeps items in a job folder, for the window to take in. What the workspace has was left out of the job."""

    def __init__(self, folder: JobFolder, taxonomy: Taxonomy, keys: dict[str, str]) -> None:
        self._folder, self._taxonomy, self._keys = folder, taxonomy, keys

    def known(self, addresses: Sequence[Address]) -> dict[str, str]:
        """Return the ids of captures that are finished and were not taken in yet."""
        finished = set(self._folder.finished())
        return {one.id: "" for one in addresses if name_of(self._keys[one.id]) in finished}

    def keep(self, captured: Captured, png: bytes, at: str) -> None:
        """Keep a capture; raises `NoItemError` where it can be no item, and `StorageError`."""
        self._folder.put(self._keys[captured.address.id], make(self._taxonomy, captured, png, at))


def name_of(key: str) -> str:
    """Return the name of a page's files in the folder."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:24]


def _added(ws: Workspace, key: str, made: Made) -> Taken:
    item = made.item
    there = ws.items.get(item.id) if ws.items.exists([item.id]) else None
    if there is not None and there.url != item.url:
        problem = f"The workspace has another page as the item '{item.id}'."
        return Taken(key=key, item=item.id, problem=problem)
    if there is None:
        try:
            add(ws, made)
        except NoItemError as error:
            return Taken(key=key, item=item.id, problem=str(error))
        there = ws.items.get(item.id)
    return Taken(key=key, item=there.id, capture=there.capture or "", title=there.title or there.text)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn the disk's refusals into a `StorageError`."""
    try:
        yield
    except OSError as error:
        way_out = "Make room or make the folder writable, then go on."
        raise StorageError(f"'{folder}' cannot be written ({error.strerror or error}).", way_out) from error
