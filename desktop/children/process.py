"""A child process that never blocks the window and says how it ended in a typed outcome."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

import engine
from desktop.children.log_file import LogFile

MAX_LINE = 32 * 1024 * 1024
SLICE_SECONDS = 0.004
"""How long one turn of the event loop may spend on a child's lines: a quarter of a frame."""


class Finished(msgspec.Struct, frozen=True):
    """The child exited by itself with this status."""

    status: int


class Crashed(msgspec.Struct, frozen=True):
    """The child was killed by a signal or a fault; `reason` is in words."""

    reason: str


class FailedToStart(msgspec.Struct, frozen=True):
    """The child could not be started; `reason` is in words."""

    reason: str


class Cancelled(msgspec.Struct, frozen=True):
    """The child ended because we asked it to."""


ProcessOutcome = Finished | Crashed | FailedToStart | Cancelled

_KILLED = "ended by SIGKILL"


def sudden_end(who: str, outcome: ProcessOutcome) -> str:
    """Return how a child ended that nobody asked to end, as the start of a sentence: "The engine stopped with …"."""
    match outcome:
        case FailedToStart(reason=reason):
            return f"{who} could not be started ({reason})"
        case Crashed(reason=reason) if reason == _KILLED:
            return f"{who} was killed from outside, as the system does where memory runs out"
        case Crashed(reason=reason):
            return f"{who} was {reason}; its log says more"
        case Finished(status=status):
            return f"{who} stopped with status {status}; its log says why"
    return f"{who} was stopped"


def engine_command(*arguments: str) -> tuple[str, ...]:
    """Return the command line of an engine child: this interpreter, this source tree, and not the current folder."""
    return (sys.executable, "-P", "-m", "engine", *arguments)


class ChildProcess(QObject):
    """One child at a time: lines of its standard output as signals, its standard error into a log file.

    `lineArrived(bytes)` has no newline at the end. `ended(ProcessOutcome)` comes once for each `start`, after the
    last line. A line of more than `max_line` bytes is dropped and noted in the log.
    """

    started = Signal()
    lineArrived = Signal(bytes)
    ended = Signal(object)

    def __init__(self, log: LogFile, parent: QObject | None = None, *, max_line: int = MAX_LINE) -> None:
        super().__init__(parent)
        self.log = log
        self._max_line = max_line
        self._buffer = bytearray()
        self._skipping = False
        self._stopping = False
        self._outcome: ProcessOutcome | None = None
        self._process: QProcess | None = None
        self._kill_timer = QTimer(self, singleShot=True)
        self._kill_timer.timeout.connect(self._kill)
        self._pump_timer = QTimer(self, singleShot=True, interval=0)
        self._pump_timer.timeout.connect(self._pump)

    @property
    def running(self) -> bool:
        """Whether a child was started and has not been reported as ended."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process id, 0 when there is none."""
        return int(self._process.processId()) if self._process is not None else 0

    def start(
        self, command: Sequence[str], *, folder: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> None:
        """Start `command` (program, then arguments); nothing happens while a child is running.

        `extra` goes into the child's environment.
        """
        if self.running:
            return
        self._buffer.clear()
        self._skipping = self._stopping = False
        self._outcome = None
        process = self._process = QProcess(self)
        process.setProcessEnvironment(_environment(extra or {}))
        if folder is not None:
            process.setWorkingDirectory(str(folder))
        process.started.connect(self.started)
        process.readyReadStandardOutput.connect(self._read_output)
        process.readyReadStandardError.connect(self._read_errors)
        process.errorOccurred.connect(self._on_error)
        process.finished.connect(self._on_finished)
        self.log.note(f"Starting: {' '.join(command)}")
        process.start(command[0], list(command[1:]))

    def write(self, data: bytes) -> None:
        """Queue `data` for the child's standard input; it is sent as the child reads."""
        if self._process is not None and self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.write(data)

    def pending_bytes(self) -> int:
        """How much of what was written the child has not taken yet."""
        return int(self._process.bytesToWrite()) if self._process is not None else 0

    def close_input(self) -> None:
        """Close the child's standard input once everything written was sent."""
        if self._process is not None:
            self._process.closeWriteChannel()

    def stop(self, *, grace_ms: int = 3000) -> None:
        """Ask the child to end (input closed, terminate signal), and kill it when it has not after `grace_ms`."""
        if self._process is None:
            return
        self._stopping = True
        self._process.closeWriteChannel()
        self._process.terminate()
        if not self._kill_timer.isActive():
            self._kill_timer.start(grace_ms)

    def stop_and_wait(self, *, grace_ms: int = 1500) -> None:
        """Only at shutdown: end the child now, blocking for at most about `grace_ms` plus half a second.

        With no grace at all it is killed without being asked, as a power cut would.
        """
        process = self._process
        if process is None:
            return
        self._stopping = True
        if grace_ms > 0:
            self.stop(grace_ms=grace_ms)
        if grace_ms == 0 or not process.waitForFinished(grace_ms):
            process.kill()
            process.waitForFinished(500)

    def _kill(self) -> None:
        if self._process is not None:
            self.log.note("It did not end when asked to; killing it.")
            self._process.kill()

    def _read_errors(self) -> None:
        if self._process is not None:
            self.log.write(bytes(self._process.readAllStandardError().data()))

    def _read_output(self) -> None:
        if self._process is not None:
            self._buffer += bytes(self._process.readAllStandardOutput().data())
            if not self._pump_timer.isActive():
                self._pump()

    def _pump(self) -> None:
        """Hand out complete lines for one slice of time; the rest waits for the next turn of the event loop."""
        deadline = time.perf_counter() + SLICE_SECONDS
        while (line := self._next_line()) is not None:
            if len(line) > self._max_line or self._skipping:
                self._skipping = False
                self.log.note(f"Dropped a line of more than {self._max_line} bytes.")
            elif line:
                self.lineArrived.emit(line)
            if time.perf_counter() > deadline:
                self._pump_timer.start()
                return
        if len(self._buffer) > self._max_line:
            self._buffer.clear()
            self._skipping = True
        if self._outcome is not None:
            self._report()

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._end(FailedToStart(self._process.errorString()))

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read_errors()
        if self._process is not None:
            self._buffer += bytes(self._process.readAllStandardOutput().data())
        if self._stopping:
            self._end(Cancelled())
        elif status == QProcess.ExitStatus.CrashExit:
            self._end(Crashed(_signal_words(code)))
        else:
            self._end(Finished(code))

    def _end(self, outcome: ProcessOutcome) -> None:
        self._kill_timer.stop()
        if self._outcome is None:
            self._outcome = outcome
            self.log.note(f"Ended: {outcome}")
            self._pump()

    def _report(self) -> None:
        outcome, process = self._outcome, self._process
        if outcome is None or process is None:
            return
        self._process = None
        process.deleteLater()
        self.ended.emit(outcome)


def _environment(extra: Mapping[str, str]) -> QProcessEnvironment:
    """The desktop's environment and `extra`; our source tree first on the path, output unbuffered."""
    environment = QProcessEnvironment.systemEnvironment()
    root = str(Path(engine.__file__).resolve().parent.parent)
    rest = environment.value("PYTHONPATH")
    environment.insert("PYTHONPATH", f"{root}:{rest}" if rest else root)
    environment.insert("PYTHONUNBUFFERED", "1")
    for name, value in extra.items():
        environment.insert(name, value)
    return environment


def _signal_words(number: int) -> str:
    try:
        return f"ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended by signal {number}"
