"""A trainer that outlived its window: found by the process id it left in its run folder, and ended."""

from __future__ import annotations

import contextlib
from pathlib import Path

PID_NAME = "trainer.pid"
PATIENCE_S = 3.0


def note(folder: Path, pid: int) -> None:
    """Remember which process works on the run; a folder that cannot be written is left alone."""
    with contextlib.suppress(OSError):
        (folder / PID_NAME).write_text(str(pid))


def end(folder: Path) -> bool:
    """Kill the trainer that still works on this run, if there is one, and say whether there was.

    A process that merely has the same number by now is left alone: its command line must name the folder. May take
    some seconds, so never call it on the GUI thread.
    """
    try:
        pid = int((folder / PID_NAME).read_text())
    except (OSError, ValueError):
        return False
    import psutil

    try:
        process = psutil.Process(pid)
        if str(folder) not in process.cmdline():
            return False
        process.kill()
        process.wait(PATIENCE_S)
    except (psutil.Error, OSError):
        return False
    return True
