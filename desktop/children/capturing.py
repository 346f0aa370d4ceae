"""A capture from its list of addresses to items of the workspace: the child, what it finished, and the pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from desktop.children.capture_jobs import (
    BeginCapture,
    CheckAddresses,
    Checked,
    ForgetCapture,
    SettleCapture,
    Standing,
    TakeCaptures,
    WriteTodo,
    words_of,
)
from desktop.children.capture_process import CaptureProcess
from desktop.children.capture_states import (
    FAILED,
    WAITING,
    CaptureOptions,
    CaptureState,
    Page,
    PageList,
    Tempo,
    ending,
    pace_words,
)
from desktop.children.log_file import LogFile
from desktop.children.writer import JobFailure, Writer
from engine.counting import counted
from engine.service import protocol

if TYPE_CHECKING:
    from engine.intake.capture.addresses import AddressList
    from engine.intake.capture.job_folder import Taken

AT_ONCE = 8
"""Finished captures that are taken in by one job: some milliseconds each, so that nothing else waits for long."""
TICK_MS = 1000


class Capturing(QObject):
    """One list at a time, and none lost: what a window left undone can go on at the next start.

    `listChanged()` when `pages` is another list, `pageChanged(place)` when one of them is; `stateChanged(CaptureState)`
    all along; `taken(list of item ids)` when captures became items; `offered(text)` when pages were left by a window
    before; `ended(text, kind)` when a run ended, kind as a notice's.
    """

    listChanged = Signal()
    pageChanged = Signal(int)
    stateChanged = Signal(object)
    taken = Signal(list)
    offered = Signal(str)
    ended = Signal(str, str)

    def __init__(
        self,
        command: Callable[[Path], Sequence[str]],
        log: LogFile,
        writer: Writer,
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._writer = writer
        self._tempo = Tempo(clock)
        self._folder = Path()
        self._checking = 0
        self._only: tuple[str, ...] = ()
        self._late: set[str] = set()
        self._finished: list[str] = []
        self._taking = self._stop_wanted = self._closing = False
        self._over: tuple[str, bool] | None = None
        self._blocked = ""
        self.pages = PageList()
        self.state = CaptureState()
        self.child = CaptureProcess(command, log, self)
        self.child.happened.connect(self._on_event)
        self.child.over.connect(self._on_over)
        self._ticking = QTimer(self, interval=TICK_MS)
        self._ticking.timeout.connect(self._announce)

    @property
    def folder(self) -> Path:
        """The job's folder, under which the pictures of failures lie."""
        return self._folder

    # --- what a person asks for -------------------------------------------------------------------------------

    def check(self, text: str, file: Path | None, profile: str, then: Callable[[Checked | JobFailure], None]) -> None:
        """Check pasted text or a file in the background; `then` gets the answer unless another check came after."""
        self._writer.cancel(self._checking)
        answer = partial(self._on_checked, [], then)
        self._checking = self._writer.submit(CheckAddresses(text, file, profile), answer, answer)
        answer.args[0].append(self._checking)

    def begin(self, found: AddressList, options: CaptureOptions) -> None:
        """Capture a new list; nothing happens while another one is under way."""
        if self.state.running or self._closing:
            return
        self._only, self._stop_wanted = (), False
        self._set("prepare")
        self._writer.submit(BeginCapture(found.addresses, options), self._on_begun, self._on_job_failed)

    def hold(self) -> None:
        """Finish the pages that are open, then wait."""
        if self.state.stage in ("start", "run"):
            self.child.hold()
            self._set("hold")

    def go_on(self) -> None:
        """Go on after a pause, after a stop, or with what a window left undone."""
        if self.state.stage in ("hold", "rest"):
            self._blocked = ""
            self.child.go_on()
            self._tempo.restart()
            self._set("run")
            self._take()
        elif not self.state.running and self.pages.waiting:
            self._prepare(())

    def stop(self) -> None:
        """Stop the browser; what was captured is kept, and the rest can be captured later."""
        if self.state.stage == "prepare":
            self._stop_wanted = True
        elif self.child.running:
            self.child.stop()
            self._set("stop")

    def retry(self, keys: Sequence[str]) -> None:
        """Give pages that failed a new set of tries, now if there is a browser, else with one of their own."""
        wanted = [page for key in keys if (page := self.pages.get(key)) is not None and page.state == FAILED]
        if not wanted or self.state.stage in ("prepare", "stop") or self._closing:
            return
        for page in wanted:
            self._put(msgspec.structs.replace(page, state="waiting", reason="", tries=0))
        again = tuple(page.key for page in wanted)
        if self.child.running:
            self._late.update(again)
            self.child.retry(again)
            self._announce()
        else:
            self._prepare(again)

    def forget(self) -> None:
        """Give the list up, to make room for another one; items that were captured stay."""
        if not self.state.running and len(self.pages):
            self._writer.submit(ForgetCapture(self._folder), _nothing, self._on_forgotten_badly)
            self.pages = PageList()
            self.listChanged.emit()
            self._set("idle")

    # --- the life of a session --------------------------------------------------------------------------------

    def look(self) -> None:
        """Look for what a window left undone, and take in what was finished."""
        self._writer.submit(SettleCapture(), self._on_found, self._on_job_failed)

    def close(self) -> None:
        """At shutdown: stop now; the list can go on when the desktop starts again."""
        self._closing = True
        self._ticking.stop()
        self.child.close()

    def _on_found(self, standing: Standing | None) -> None:
        if standing is None or self.state.stage != "idle":
            return
        self._show(standing)
        self._set("stopped" if self.pages.waiting else "done")
        if self.pages.waiting:
            self.offered.emit(f"A capture was left unfinished: {self._left()} to go.")

    # --- from a list to a child -------------------------------------------------------------------------------

    def _on_checked(
        self, ticket: list[int], then: Callable[[Checked | JobFailure], None], answer: Checked | JobFailure
    ) -> None:
        if ticket == [self._checking]:
            then(answer)

    def _on_begun(self, standing: Standing) -> None:
        self._show(standing)
        self._write_todo()

    def _prepare(self, only: tuple[str, ...]) -> None:
        """See what is there by now before the child starts; `only` these pages, or all that are left."""
        self._only, self._stop_wanted = only, False
        self._set("prepare")
        self._writer.submit(SettleCapture(), self._on_settled, self._on_job_failed)

    def _on_settled(self, standing: Standing | None) -> None:
        if standing is None:
            self._on_job_failed(JobFailure("The list of this capture is gone; paste it again."))
            return
        self._show(standing)
        for key in self._only:
            page = self.pages.get(key)
            if page is not None and page.state == FAILED:
                self._put(msgspec.structs.replace(page, state="waiting", reason="", tries=0, picture=""))
        self._write_todo()

    def _write_todo(self) -> None:
        waiting = self.pages.keys(*WAITING)
        keys = tuple(key for key in waiting if key in set(self._only)) if self._only else waiting
        if not keys or self._stop_wanted:
            self._over = ("", self._stop_wanted)
            self._end_when_taken()
            return
        job = WriteTodo(self._folder, keys, self._only)
        self._writer.submit(job, self._start_child, self._on_job_failed)

    def _start_child(self, folder: Path) -> None:
        self._over, self._blocked = None, ""
        if self._stop_wanted:
            self._over = ("", True)
            self._end_when_taken()
        elif not self._closing:
            self._set("start")
            self.child.start(folder)

    # --- what the child says ----------------------------------------------------------------------------------

    def _on_event(self, event: protocol.CaptureEvent) -> None:
        match event:
            case protocol.CaptureBegan():
                self._tempo.restart()
                if self.state.stage == "start":
                    self._set("run")
            case protocol.PageBegun(key=key):
                page = self.pages.get(key)
                if page is not None:
                    self._put(msgspec.structs.replace(page, state="open", reason=""))
            case protocol.PageTried():
                self._on_tried(event)
            case protocol.CaptureRests() if self.state.stage == "hold":
                self._set("rest")
            case _:
                pass

    def _on_tried(self, event: protocol.PageTried) -> None:
        page = self.pages.get(event.key)
        if page is None:
            return
        self._late.discard(event.key)
        if event.name:
            self._finished.append(event.name)
            reason = words_of(event.kind, event.reason) if event.kind != "captured" else event.reason
            self._put(msgspec.structs.replace(page, state="taking", reason=reason, tries=event.tries))
            self._tempo.count()
            self._take()
        else:
            state, reason = ("again", _again_words(event)) if event.again else (FAILED, _words(event))
            told = {"state": state, "reason": reason, "tries": event.tries, "picture": event.picture}
            self._put(msgspec.structs.replace(page, **told, seen=page.seen + 1))
            if not event.again:
                self._tempo.count()
        self._announce()

    def _on_over(self, message: str, stopped: bool) -> None:
        self._over = (message, stopped)
        self._end_when_taken()

    # --- taking in --------------------------------------------------------------------------------------------

    def _take(self) -> None:
        if self._taking or self._blocked or not self._finished or self._closing:
            return
        self._taking = True
        names, self._finished = self._finished[:AT_ONCE], self._finished[AT_ONCE:]
        job = TakeCaptures(self._folder, tuple(names))
        self._writer.submit(job, self._on_taken, partial(self._on_take_failed, names))

    def _on_taken(self, found: tuple[Taken, ...]) -> None:
        self._taking = False
        for one in found:
            page = self.pages.get(one.key)
            if page is not None:
                self._put(_after_taking(page, one))
        items = [one.item for one in found if not one.problem]
        if items:
            self.taken.emit(items)
        self._take()
        self._announce()
        self._end_when_taken()

    def _on_take_failed(self, names: list[str], failure: JobFailure) -> None:
        """Pause until somebody made room; what was captured waits in the job's folder."""
        self._taking = False
        self._finished = [*names, *self._finished]
        self._blocked = failure.message
        self.hold()
        self.ended.emit(failure.message, "error")
        self._announce()
        self._end_when_taken()

    def _end_when_taken(self) -> None:
        if self._over is None or self._taking or (self._finished and not self._blocked) or self._closing:
            return
        (message, stopped), self._over = self._over, None
        self._finished.clear()
        for key in self.pages.keys("open", "taking"):
            page = self.pages.get(key)
            if page is not None:
                self._put(msgspec.structs.replace(page, state="waiting"))
        late, self._late = tuple(self._late), set()
        if late and not (message or stopped or self._blocked):
            self._prepare(late)
        else:
            self._end(message or self._blocked, stopped=stopped)

    def _end(self, message: str, *, stopped: bool) -> None:
        self._blocked, self._stop_wanted = "", False
        if stopped or (not message and self.pages.waiting):
            self._set("stopped")
        elif message:
            self._set("broken", message)
        else:
            self._set("done")
            if not self.pages.counts[FAILED]:
                self._writer.submit(ForgetCapture(self._folder), _nothing, _nothing)
        kind = "error" if self.state.stage == "broken" else "info" if self.state.failed or stopped else "success"
        self.ended.emit(self.state.text, kind)

    # --- telling ----------------------------------------------------------------------------------------------

    def _show(self, standing: Standing) -> None:
        self._folder = standing.folder
        self.pages = PageList(standing.pages)
        self.listChanged.emit()
        if standing.taken:
            self.taken.emit(list(standing.taken))

    def _put(self, page: Page) -> None:
        self.pageChanged.emit(self.pages.put(page))

    def _set(self, stage: str, fault: str = "") -> None:
        self.state = msgspec.structs.replace(self.state, stage=stage, fault=fault)
        if stage == "run":
            self._ticking.start()
        else:
            self._ticking.stop()
        self._announce()

    def _announce(self) -> None:
        total, waiting = len(self.pages), self.pages.waiting
        counted = msgspec.structs.replace(
            self.state,
            text=self._words(),
            fault=self.state.fault or self._blocked,
            done=total - waiting,
            total=total,
            failed=self.pages.counts[FAILED],
        )
        self.state = counted
        self.stateChanged.emit(counted)

    def _words(self) -> str:
        total, left = len(self.pages), self.pages.waiting
        so_far = f"{total - left:,} of {total:,}"
        return {
            "idle": "",
            "prepare": "Getting ready…",
            "start": "Starting the browser…",
            "run": " · ".join(filter(None, (so_far, pace_words(self._tempo.per_second(), left)))),
            "hold": "Pausing: pages that are open are finished first…",
            "rest": self._blocked or f"Paused at {so_far}.",
            "stop": "Stopping the browser…",
            "stopped": f"{self._left()} left to capture; what was captured is kept.",
            "broken": f"{self.state.fault} {self._left()} left to capture.",
            "done": ending(self.pages),
        }[self.state.stage]

    def _left(self) -> str:
        total, left = len(self.pages), self.pages.waiting
        return f"{left:,} of {counted(total, 'page')}"

    def _on_job_failed(self, failure: JobFailure) -> None:
        if self.state.stage == "prepare":
            self._end(failure.message, stopped=failure.cancelled)
        elif not failure.cancelled:
            self.ended.emit(failure.message, "error")

    def _on_forgotten_badly(self, failure: JobFailure) -> None:
        self.ended.emit(failure.message, "error")


def _words(event: protocol.PageTried) -> str:
    return words_of(event.kind, event.reason)


def _again_words(event: protocol.PageTried) -> str:
    return f"{_words(event)} The next try comes in {event.wait:.0f} s or later."


def _after_taking(page: Page, taken: Taken) -> Page:
    """Return a page after its capture was taken in, or could not be."""
    if taken.problem:
        return msgspec.structs.replace(page, state=FAILED, reason=taken.problem)
    gone = page.reason.startswith(("Deleted", "Suspended"))
    state = "gone" if gone else "captured"
    return msgspec.structs.replace(page, state=state, capture=taken.capture, title=taken.title, picture="")


def _nothing(_result: object) -> None:
    """The list is out of sight already; a folder that could not be removed is offered at the next start."""
