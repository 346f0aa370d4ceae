"""A command of our own command line as a child process, for work that the start page asks for: `init` and `demo`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.children.log_file import LogFile
from desktop.children.process import Cancelled, ChildProcess, Finished, ProcessOutcome


class Step(msgspec.Struct, frozen=True):
    """A line of progress on a child's standard error. A `total` of 0 means that it is not known."""

    title: str
    done: int
    total: int


class _Listening(LogFile):
    """A log that also tells every line that was written to it."""

    def __init__(self, path: Path, tell: Callable[[bytes], None]) -> None:
        super().__init__(path)
        self._tell = tell
        self._rest = b""

    def write(self, data: bytes) -> None:
        super().write(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)


class CommandRunner(QObject):
    """Runs one command at a time.

    Signals:
        progressed(Step): how far it is.
        ended(sentence): "" where it did what was asked, else why not (one plain sentence), "cancelled" included.
    """

    progressed = Signal(object)
    ended = Signal(str)

    def __init__(self, log: Path, parent: QObject | None = None, *, program: Sequence[str] = ()) -> None:
        super().__init__(parent)
        self._program = tuple(program) or (sys.executable, "-P", "-m", "engine.cli.main")
        self._child = ChildProcess(_Listening(log, self._heard), self)
        self._child.ended.connect(self._on_ended)
        self._complaint = ""
        self._decoder: msgspec.json.Decoder[Step] = msgspec.json.Decoder(Step)

    @property
    def running(self) -> bool:
        """Whether a command is under way."""
        return self._child.running

    def start(self, *arguments: str) -> None:
        """Start a command with these arguments; nothing happens while one is running."""
        if not self.running:
            self._complaint = ""
            self._child.start([*self._program, *arguments], extra={"SECONDLOOK_PROGRESS_LINES": "1"})

    def cancel(self) -> None:
        """Ask the command to end."""
        self._child.stop()

    def close(self) -> None:
        """End it now; only when the application ends."""
        self._child.stop_and_wait(grace_ms=500)

    def _heard(self, line: bytes) -> None:
        if line.startswith(b"{"):
            try:
                self.progressed.emit(self._decoder.decode(line))
            except msgspec.DecodeError:
                return
        elif line.startswith(b"secondlook: "):
            self._complaint = line.removeprefix(b"secondlook: ").decode(errors="replace")

    def _on_ended(self, outcome: ProcessOutcome) -> None:
        match outcome:
            case Finished(status=0):
                self.ended.emit("")
            case Cancelled():
                self.ended.emit("Cancelled; nothing was opened.")
            case Finished():
                self.ended.emit(self._complaint or "It ended without saying why; see the log.")
            case _:
                self.ended.emit(f"It could not be done: {outcome.reason}.")
