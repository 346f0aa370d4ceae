"""Many pages through one browser: several tabs at work at once, and a new tab or browser where one broke."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from engine.errors import CancelledError
from engine.intake.capture.browser.failures import (
    BrowserGoneError,
    BrowserUnavailableError,
    CommandError,
    LateError,
    StoppedError,
    TabGoneError,
    UnreadableError,
)
from engine.intake.capture.browser.guard import Guard, RefusedError, check_form
from engine.intake.capture.browser.process import Chromium, check_sandbox, clean_up
from engine.intake.capture.browser.proxy import Proxy
from engine.intake.capture.browser.tab import Tab
from engine.intake.capture.browser.wire import Connection, Message, Session
from engine.intake.capture.types import Job, Settings, Snapshot

log = logging.getLogger(__name__)

_TRIES = 2
_POLL = 0.05
_PATIENCE = 15.0


class Running:
    """One started browser: its processes, the connection to it and its free tabs."""

    def __init__(self, settings: Settings, guard: Guard | None, proxy: Proxy | None) -> None:
        self._settings, self._guard = settings, guard
        self._free: list[Tab] = []
        self._lock = threading.Lock()
        self.chromium = Chromium(proxy.port if proxy else None)
        try:
            self.connection = Connection(self.chromium.address, self._on_event)
            self._secure()
        except (BrowserUnavailableError, BrowserGoneError, CommandError, LateError) as error:
            self.stop()
            if isinstance(error, BrowserUnavailableError):
                raise
            raise BrowserUnavailableError(f"Chromium started and does not answer: {error}.", "Try again.") from error

    def take(self) -> Tab:
        """Return a free tab, a new one if there is none."""
        while True:
            with self._lock:
                tab = self._free.pop() if self._free else None
            if tab is None:
                break
            if tab.is_alive():
                return tab
            tab.close()
        return Tab(self.connection, self._settings, self._guard)

    def give(self, tab: Tab, *, rest: bool) -> None:
        """Take a tab back; a spoiled one is closed. `rest`: nobody waits for it, so it leaves its page."""
        if tab.spoiled:
            tab.close()
            return
        if rest:
            tab.blank()
        with self._lock:
            self._free.append(tab)

    def stop(self) -> None:
        """End the browser at once."""
        self.chromium.stop()
        if hasattr(self, "connection"):
            self.connection.close()

    def _secure(self) -> None:
        session = Session(self.connection, "", lambda _: None)
        until = time.monotonic() + _PATIENCE
        session.call("Browser.setDownloadBehavior", until, behavior="deny")
        session.call("Target.setDiscoverTargets", until, discover=True)
        check_sandbox(session.call("SystemInfo.getProcessInfo", until)["processInfo"])

    def _on_event(self, message: Message) -> None:
        """Close what a page opened beside itself."""
        target = message.get("params", {}).get("targetInfo", {})
        popup = target.get("type") == "page" and target.get("openerId")
        if message["method"] == "Target.targetCreated" and (popup or target.get("type") == "service_worker"):
            self.connection.send("", "Target.closeTarget", {"targetId": target["targetId"]})


class Browser:
    """Captures pages; a context manager, from whose end on no process and no file of the browser is left.

    Args:
        settings: sizes, limits and rights.
        guard: what names resolve to and who is connected; another one only for tests.

    Raises:
        BrowserUnavailableError: Chromium cannot be started here, or not with its sandbox.
    """

    def __init__(self, settings: Settings, guard: Guard | None = None) -> None:
        self._settings = settings
        self._guard = None if settings.allow_local else guard or Guard()
        self._proxy: Proxy | None = None
        self._running: Running | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(settings.workers, thread_name_prefix="capture")
        self._open = 0

    def __enter__(self) -> Self:
        clean_up()
        self._proxy = Proxy(self._guard) if self._guard else None
        try:
            self._running = Running(self._settings, self._guard, self._proxy)
        except BrowserUnavailableError:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def process_group(self) -> int:
        """The process group of the browser with all its helpers, 0 where none runs."""
        return self._running.chromium.group if self._running else 0

    def capture_many(self, jobs: Iterable[Job | None]) -> Iterator[Snapshot]:
        """Yield a snapshot of every job as it is finished, in no particular order.

        `jobs` is asked for the next one, in the caller's thread, whenever a tab is about to become free; it may give
        None for "none just now" and is asked again in a twentieth of a second, so that it can keep a pace.

        Raises:
            CancelledError: `cancel` was called.
            BrowserUnavailableError: the browser broke and cannot be started again.
        """
        source, more = iter(jobs), True
        pending: set[Future[Snapshot]] = set()
        try:
            while more or pending:
                more = more and self._fill(source, pending)
                done, rest = wait(pending, timeout=_POLL if more else None, return_when=FIRST_COMPLETED)
                pending = set(rest)
                if self._stopped.is_set():
                    raise CancelledError
                for future in done:
                    yield future.result()
                if not (done or pending):
                    self._stopped.wait(_POLL)
        finally:
            for future in pending:
                future.cancel()

    def cancel(self) -> None:
        """Stop at once, from any thread: whoever waits for a page gets a `CancelledError`."""
        self._stopped.set()
        with self._lock:
            running = self._running
        if running is not None:
            running.connection.stop()

    def _fill(self, source: Iterator[Job | None], pending: set[Future[Snapshot]]) -> bool:
        """Hand out jobs while there are tabs for them; return whether there may be more."""
        while len(pending) <= self._settings.workers and not self._stopped.is_set():
            try:
                job = next(source)
            except StopIteration:
                return False
            if job is None:
                return True
            with self._lock:
                self._open += 1
            pending.add(self._workers.submit(self._one, job))
        return True

    def _one(self, job: Job) -> Snapshot:
        """Capture one page in a worker's thread; once more in a new tab or browser if the first broke."""
        try:
            check_form(job.url)
        except RefusedError as error:
            return Snapshot(url=job.url, problem=f"Refused: {error}")
        began, failure = time.monotonic(), ""
        try:
            for _ in range(_TRIES):
                running = self._alive()
                try:
                    return self._with_tab(running, job)
                except UnreadableError as error:
                    failure = str(error)
                except (TabGoneError, CommandError, LateError) as error:
                    failure = f"The tab broke: {str(error) or 'no answer'}."
                except BrowserGoneError:
                    failure = "The browser broke."
                    self._revive(running)
                log.warning("%s once: %s", job.url, failure)
        except StoppedError:
            raise CancelledError from None
        finally:
            with self._lock:
                self._open -= 1
        return Snapshot(url=job.url, problem=failure, seconds=time.monotonic() - began)

    def _with_tab(self, running: Running, job: Job) -> Snapshot:
        tab = running.take()
        try:
            snapshot = tab.capture(job)
        except (TabGoneError, CommandError, LateError):
            tab.spoiled = True
            raise
        finally:
            if not self._stopped.is_set():
                running.give(tab, rest=self._open <= self._settings.workers)
        return snapshot

    def _alive(self) -> Running:
        with self._lock:
            running = self._running
        if running is None or self._stopped.is_set():
            raise CancelledError
        return running

    def _revive(self, broken: Running) -> None:
        """Start the browser anew, once for all who found it broken."""
        with self._lock:
            if self._running is broken and not self._stopped.is_set():
                broken.stop()
                self._running = None
                self._running = Running(self._settings, self._guard, self._proxy)

    def _end(self) -> None:
        self.cancel()
        if self._running is not None:
            self._running.stop()
        self._workers.shutdown(wait=True, cancel_futures=True)
        if self._proxy is not None:
            self._proxy.close()
