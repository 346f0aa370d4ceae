"""The capture's child process: its events as signals, orders to it as calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.children import orphans
from desktop.children.log_file import LogFile
from desktop.children.process import ChildProcess, FailedToStart, Finished, ProcessOutcome
from engine.service import protocol

STOP_GRACE_MS = 10_000
CLOSE_GRACE_MS = 4_000
"""The browser is killed at once when its child stops; the rest is the flush of a page that was just finished."""


class CaptureProcess(QObject):
    """Runs `python -m engine capture JOB_FOLDER`; `command(folder)` gives its command line.

    `happened(CaptureEvent)` for what it says of pages and pauses. For each `start` exactly one `over(sentence,
    stopped)` after its last event, unless `close` came in between: "" where nothing was left to do; `stopped` where it
    was asked to.
    """

    happened = Signal(object)
    over = Signal(str, bool)

    def __init__(self, command: Callable[[Path], Sequence[str]], log: LogFile, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._command = command
        self._folder = Path()
        self._last: protocol.CaptureEnded | protocol.CaptureFailed | None = None
        self._asked = self._closing = False
        self.process = ChildProcess(log, self)
        self.process.started.connect(lambda: orphans.note(self._folder, self.process.pid))
        self.process.lineArrived.connect(self._on_line)
        self.process.ended.connect(self._on_ended)

    @property
    def running(self) -> bool:
        """Whether the child is up."""
        return self.process.running

    def start(self, folder: Path) -> None:
        """Do the job in `folder`; nothing happens while there is a child."""
        if self.running or self._closing:
            return
        self._folder, self._last, self._asked = folder, None, False
        self.process.start(self._command(folder))

    def hold(self) -> None:
        """Begin no further page."""
        self._say(protocol.Hold())

    def go_on(self) -> None:
        """Begin pages again."""
        self._say(protocol.GoOn())

    def retry(self, keys: Sequence[str]) -> None:
        """Give pages that failed a new set of tries."""
        self._say(protocol.TryAgain(keys=tuple(keys)))

    def stop(self) -> None:
        """Stop the browser and the child; it says `over` with `stopped`."""
        self._asked = True
        self.process.stop(grace_ms=STOP_GRACE_MS)

    def close(self) -> None:
        """At shutdown: end the child and its browser now; what is open is captured when the list goes on."""
        self._closing = True
        self.process.stop_and_wait(grace_ms=CLOSE_GRACE_MS)

    def _say(self, request: protocol.CaptureRequest) -> None:
        self.process.write(protocol.encode(request))

    def _on_line(self, line: bytes) -> None:
        try:
            event = protocol.decode_capture_event(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.process.log.note(f"Ignored a line that is no event ({error}): {line[:200]!r}")
            return
        if isinstance(event, protocol.CaptureEnded | protocol.CaptureFailed):
            self._last = event
        elif not self._closing:
            self.happened.emit(event)

    def _on_ended(self, outcome: ProcessOutcome) -> None:
        if self._closing:
            return
        match self._last, outcome:
            case protocol.CaptureEnded(), _:
                self.over.emit("", False)
            case protocol.CaptureFailed(message=message, stopped=stopped), _:
                self.over.emit(message, stopped)
            case _ if self._asked:
                self.over.emit("Stopped; what was captured is kept.", True)
            case _, FailedToStart(reason=reason):
                self.over.emit(f"The capture could not be started ({reason}).", False)
            case _, Finished(status=status):
                self.over.emit(f"The capture stopped with status {status}; its log says why.", False)
            case _:
                self.over.emit("The capture stopped unexpectedly; its log says why.", False)
