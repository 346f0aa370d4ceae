"""One window per workspace: a lock that the system takes back by itself when the process that holds it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from engine.errors import WorkspaceError

NAME = "desktop.lock"


class DeskLock:
    """Holds the workspace for this window; raises `WorkspaceError` where another window has it.

    A folder that cannot be written is not locked: opening the workspace will say what is wrong with it.
    """

    def __init__(self, workspace: Path) -> None:
        self._descriptor = -1
        if not workspace.is_dir():
            return
        with contextlib.suppress(OSError):
            self._descriptor = os.open(workspace / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if self._descriptor >= 0:
            self._take(workspace)

    def _take(self, workspace: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip()
            self.release()
            raise WorkspaceError(
                f"{workspace.name} is open in another window (process {holder or 'unknown'}).",
                "Go on in that window, or close it first.",
            ) from error
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Let another window open the workspace."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
