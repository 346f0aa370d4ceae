"""Long commands on one workspace take turns, and say who is at it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engine.errors import WorkspaceError
from engine.types import Struct
from engine.workspace.encoding import now

LOCK_NAME = "command.lock"
HOLDER_NAME = "command.json"


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds the lock: what it does, its process id, since when (UTC)."""

    purpose: str
    pid: int
    since: str


@contextlib.contextmanager
def exclusive(
    path: Path, purpose: str, *, wait_s: float = 0.0, waiting: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the workspace's command lock; waits up to `wait_s` seconds, and tells `waiting` whom for before it does.

    Raises `WorkspaceError` that names the command (`purpose`) and process that hold it. A killed holder lets go.
    Reviewing needs no lock: only imports, scoring and retraining take it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path / LOCK_NAME)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting is not None and wait_s > 0:
                waiting(f"Waiting for {_who(path)} to finish. Ctrl+C gives up.")
            lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise _taken(path) from error
    except OSError as error:
        raise WorkspaceError(
            f"The workspace '{path}' cannot be locked ({error.strerror or error}).",
            "Make the folder writable, or copy the workspace to a place where you may write.",
        ) from error
    holder = path / HOLDER_NAME
    try:
        with contextlib.suppress(OSError):
            holder.write_bytes(msgspec.json.encode(Holder(purpose=purpose, pid=os.getpid(), since=now())))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def holder_of(path: Path) -> Holder | None:
    """Return who noted to hold the lock last; None where nobody did or the note cannot be read."""
    try:
        return msgspec.json.decode((path / HOLDER_NAME).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def _who(path: Path) -> str:
    holder = holder_of(path)
    return "another command" if holder is None else f"'{holder.purpose}' (process {holder.pid}, since {holder.since})"


def _taken(path: Path) -> WorkspaceError:
    return WorkspaceError(
        f"The workspace '{path}' is in use by {_who(path)}.", "Wait until it has finished, or stop it, and try again."
    )
