"""A worker thread with a workspace connection of its own: jobs in, results back on the GUI thread.

Decisions are the GUI thread's own, so that a key press is one commit; everything else that writes (verdicts,
explanations, adoption, imports, backups) comes through here in transactions small enough not to make a commit wait.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from PySide6.QtCore import QObject, QThread, Signal

from desktop.children.jobs import Job, JobContext
from engine.errors import CancelledError, EngineError
from engine.workspace import Workspace

T = TypeVar("T")
log = logging.getLogger(__name__)
PROGRESS_SECONDS = 0.05


class JobFailure(msgspec.Struct, frozen=True):
    """Why a job did not end well: one plain sentence; `bug` tells ours from the environment's or the user's fault."""

    message: str
    bug: bool = False
    cancelled: bool = False

    @property
    def kind(self) -> str:
        """What kind of notice it is."""
        return "info" if self.cancelled else "error"


class _Task(msgspec.Struct, frozen=True):
    ticket: int
    job: Job[Any]
    cancelled: threading.Event


class _Callbacks(msgspec.Struct, frozen=True):
    done: Callable[[Any], None]
    failed: Callable[[JobFailure], None]
    progress: Callable[[int, int], None] | None


class Writer(QObject):
    """Runs jobs one after the other on its thread; `done`, `failed` and `progress` are called on the GUI thread.

    `idle` says whether nothing is queued or running. `idled` is emitted when the last job's result was handed out.
    """

    idled = Signal()
    _ended = Signal(int, object)
    _progressed = Signal(int, int, int)

    def __init__(self, path: Path, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[_Task, _Callbacks]] = {}
        self._ended.connect(self._on_ended)
        self._progressed.connect(self._on_progressed)
        self._thread = _Worker(path, self._ended.emit, self._progressed.emit)
        self._thread.setObjectName(name)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or running."""
        return not self._waiting

    def start(self) -> None:
        """Start the thread; jobs submitted before wait for it."""
        self._thread.start()

    def submit(
        self,
        job: Job[T],
        done: Callable[[T], None],
        failed: Callable[[JobFailure], None],
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Queue a job and return its ticket. Exactly one of `done` and `failed` is called, later, on this thread."""
        task = _Task(next(self._numbers), job, threading.Event())
        self._waiting[task.ticket] = (task, _Callbacks(done, failed, progress))
        self._thread.tasks.put(task)
        return task.ticket

    def cancel(self, ticket: int) -> None:
        """Ask a job to stop; one that is still queued never starts."""
        if ticket in self._waiting:
            self._waiting[ticket][0].cancelled.set()

    def close(self, timeout_ms: int = 20_000) -> bool:
        """Finish what is queued (cancelled jobs at once), end the thread and say whether it ended in time.

        Results that arrive after this are not handed out.
        """
        self._waiting.clear()
        self._thread.tasks.put(None)
        return self._thread.wait(timeout_ms) if self._thread.isRunning() else True

    def cancel_all(self) -> None:
        """Ask every queued and running job to stop."""
        for task, _ in self._waiting.values():
            task.cancelled.set()

    def _on_ended(self, ticket: int, result: object) -> None:
        entry = self._waiting.pop(ticket, None)
        if entry is None:
            return
        callbacks = entry[1]
        if isinstance(result, JobFailure):
            callbacks.failed(result)
        else:
            callbacks.done(result)
        if self.idle:
            self.idled.emit()

    def _on_progressed(self, ticket: int, done: int, total: int) -> None:
        entry = self._waiting.get(ticket)
        if entry is not None and entry[1].progress is not None:
            entry[1].progress(done, total)


class _Worker(QThread):
    """The thread itself. It opens its connection with the first job, because a connection belongs to one thread."""

    def __init__(
        self, path: Path, ended: Callable[[int, object], None], progressed: Callable[[int, int, int], None]
    ) -> None:
        super().__init__()
        self.tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._path = path
        self._ended = ended
        self._progressed = progressed
        self._workspace: Workspace | None = None

    def run(self) -> None:
        """Do the jobs until a None comes."""
        while (task := self.tasks.get()) is not None:
            self._ended(task.ticket, self._do(task))
        if self._workspace is not None:
            self._workspace.close()

    def _do(self, task: _Task) -> object:
        try:
            if task.cancelled.is_set():
                return JobFailure(str(CancelledError()), cancelled=True)
            if self._workspace is None:
                self._workspace = Workspace.open(self._path, check=False)
            return task.job.run(JobContext(self._workspace, self._progress(task.ticket), task.cancelled.is_set))
        except CancelledError as error:
            return JobFailure(str(error), cancelled=True)
        except EngineError as error:
            return JobFailure(str(error))
        except Exception as error:
            log.exception("A background job failed: %r", task.job.__class__.__name__)
            return JobFailure(f"{type(error).__name__}: {error}", bug=True)

    def _progress(self, ticket: int) -> Callable[[int, int], None]:
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if done == total or now - last >= PROGRESS_SECONDS:
                last = now
                self._progressed(ticket, done, total)

        return report
