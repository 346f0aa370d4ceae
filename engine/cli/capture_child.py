"""The window's capture: `python -m engine capture JOB_FOLDER`, one event a line on standard output.

It writes its job folder and no database. Requests come on standard input; when that is closed, because the window is
gone, the capture stops, and the browser with it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import msgspec

from engine.errors import CancelledError, EngineError
from engine.intake.capture.campaign import CapturingBrowser, Task, run_campaign, web_tasks
from engine.intake.capture.campaign_control import Control, Try
from engine.intake.capture.job_folder import InJobFolder, JobFolder, name_of
from engine.intake.capture.profile import Profile, choose
from engine.intake.capture.record_journal import DONE
from engine.intake.capture.types import Settings
from engine.service import protocol
from engine.service.protocol import (
    CaptureBegan,
    CaptureEnded,
    CaptureEvent,
    CaptureFailed,
    CaptureRests,
    PageBegun,
    PageTried,
)

NICENESS = 10
"""The browser draws only when nobody else wants the processor: the desk comes first."""
ENDED, BUG, REFUSED, STOPPED = 0, 1, 2, 130
STOPPED_WORDS = "Stopped; what was captured is kept."

_log = logging.getLogger(__name__)
Emit = Callable[[CaptureEvent], None]


class StoppableBrowser(CapturingBrowser, Protocol):
    """What the child needs of a browser: a context manager that can be stopped from another thread."""

    def cancel(self) -> None:
        """Stop at once."""

    def __enter__(self) -> Self:
        """Start it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End it, and leave nothing of it behind."""


def main(arguments: Sequence[str]) -> int:
    """Capture what a job folder asks for and return the exit status.

    0: nothing is left to do. 1: a bug of ours (traceback on standard error). 2: it cannot begin or go on, the
    `CaptureFailed` event says why. 130: stopped, or nobody listens any more. Whatever it was, it can be started again.
    """
    parser = argparse.ArgumentParser(prog="python -m engine capture", description="Capture what a job folder asks for.")
    parser.add_argument("job_folder", type=Path)
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    os.nice(NICENESS)
    events, orders = sys.stdout.buffer, Orders(sys.stdin.buffer)
    for number in (signal.SIGTERM, signal.SIGINT):
        # On a thread: stopping waits for locks that the interrupted code may hold.
        signal.signal(number, lambda *_: threading.Thread(target=orders.stop, daemon=True).start())
    with contextlib.redirect_stdout(sys.stderr):
        return run(JobFolder(options.job_folder), orders, events, browser_for)


def browser_for(_: list[Task], settings: Settings) -> StoppableBrowser:
    """Return the browser for these pages."""
    from engine.cli.capture import browser_for as browser

    return browser(settings, None)


def run(
    folder: JobFolder,
    orders: Orders,
    events: BinaryIO,
    browser_of: Callable[[list[Task], Settings], StoppableBrowser],
) -> int:
    """Do the job of `folder`, write events, and return the exit status as `main`."""
    emit = _Lines(events, orders.stop)
    try:
        _capture(folder, orders, emit, browser_of)
    except CancelledError:
        emit(CaptureFailed(message=STOPPED_WORDS, stopped=True))
        return STOPPED
    except EngineError as error:
        emit(CaptureFailed(message=str(error)))
        return REFUSED
    except Exception as error:  # noqa: BLE001 - the process boundary
        _log.critical("the capture ended by a mistake of ours", exc_info=True)
        message = f"The capture ended by a mistake of ours ({type(error).__name__}: {error}); its log has the details."
        emit(CaptureFailed(message=message, bug=True))
        return BUG
    emit(CaptureEnded())
    return ENDED


class Orders:
    """Reads requests on a thread of its own from `listen` on; what comes before there is a browser holds for it too."""

    def __init__(self, stream: BinaryIO) -> None:
        self.control = Control()
        self._stream = stream
        self._stopped = False
        self._browser: StoppableBrowser | None = None
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="capture-requests", daemon=True).start()

    def stop(self) -> None:
        """Stop the browser; one that is not there yet is stopped as it comes."""
        with self._lock:
            self._stopped = True
            browser = self._browser
        if browser is not None:
            browser.cancel()

    def is_stopped(self) -> bool:
        """Return whether the capture is to stop."""
        return self._stopped

    def serve(self, browser: StoppableBrowser) -> None:
        """Say whom to stop; raises `CancelledError` where that was asked before."""
        with self._lock:
            self._browser = browser
            if self._stopped:
                raise CancelledError

    def _read(self) -> None:
        for line in self._stream:
            try:
                self._obey(protocol.decode_capture_request(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                _log.warning("ignored a line that is no request (%s): %r", error, line[:200])
        self.stop()

    def _obey(self, request: protocol.CaptureRequest) -> None:
        match request:
            case protocol.Hold():
                self.control.pause()
            case protocol.GoOn():
                self.control.go_on()
            case protocol.TryAgain(keys=keys):
                for key in keys:
                    self.control.retry(key)
            case protocol.Stop():
                self.stop()


class Telling:
    """Turns what the campaign says into events, and keeps the pictures of what failed."""

    def __init__(self, folder: JobFolder, emit: Emit) -> None:
        self._folder, self._emit = folder, emit

    def begun(self, key: str) -> None:
        """A page was handed to the browser."""
        self._emit(PageBegun(key=key))

    def tried(self, one: Try) -> None:
        """A try ended."""
        done = one.outcome.kind in DONE
        self._emit(
            PageTried(
                key=one.key,
                kind=one.outcome.kind,
                reason=one.outcome.reason,
                name=name_of(one.key) if done else "",
                tries=one.tries,
                again=one.again,
                wait=one.wait,
                picture="" if done else self._folder.put_failed(one.key, one.png),
            )
        )

    def rests(self) -> None:
        """The campaign is paused and no page is open."""
        self._emit(CaptureRests())


class _Lines:
    """Writes events as lines; when nobody reads them any more it calls `gone` and falls silent."""

    def __init__(self, stream: BinaryIO, gone: Callable[[], None]) -> None:
        self._stream, self._gone, self._silent = stream, gone, False

    def __call__(self, event: CaptureEvent) -> None:
        if self._silent:
            return
        try:
            self._stream.write(protocol.encode(event))
            self._stream.flush()
        except OSError:
            self._silent = True
            self._gone()


def _capture(
    folder: JobFolder,
    orders: Orders,
    emit: Emit,
    browser_of: Callable[[list[Task], Settings], StoppableBrowser],
) -> None:
    job, todo = folder.job(), folder.todo()
    wanted = set(todo.keys)
    tasks = web_tasks([one for one in job.addresses if one.url in wanted], _profiles(job.profile))
    for key in todo.again:
        orders.control.retry(key)
    orders.listen()
    keeper = InJobFolder(folder, folder.taxonomy(), {task.address.id: task.key for task in tasks})
    with browser_of(tasks, job.settings) as browser:
        orders.serve(browser)
        emit(CaptureBegan(total=len(tasks)))
        with folder.journal as journal:
            run_campaign(
                keeper,
                tasks,
                browser,
                journal,
                rate=job.rate,
                passes=job.passes,
                control=orders.control,
                watch=Telling(folder, emit),
            )


def _profiles(given: str) -> Callable[[str], Profile]:
    if not given:
        return functools.lru_cache(1)(choose)
    one = Profile.load(given)
    return lambda _: one
