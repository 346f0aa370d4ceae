"""One tab of the browser: opens a page, waits until it is ready, reads it and takes its picture."""

from __future__ import annotations

import base64
import json
import struct
import time
from typing import Any, NamedTuple

from engine.intake.capture.browser import scripts
from engine.intake.capture.browser.failures import (
    CommandError,
    LateError,
    OverLimitError,
    ScriptError,
    TabGoneError,
    UnreadableError,
)
from engine.intake.capture.browser.guard import Guard
from engine.intake.capture.browser.traffic import Traffic
from engine.intake.capture.browser.wire import Connection, Message, Session
from engine.intake.capture.types import Job, Settings, Snapshot

QUIET = 0.1
"""Seconds without a new request after which the network counts as quiet."""
_SLICE = 500
"""Milliseconds that one look at the page may wait in the page."""
_READING = (3.0, 15.0)
"""Seconds for reading a page and for its picture, from when it is ready, twice: the second time its scripts have been
interrupted. At least the first and at most the second figure; in between as long as a page may take to be ready."""
_PATIENCE = 15.0
_GLANCE = 0.001
_ABORTED, _LAST_WORDS_S = "net::ERR_ABORTED", 0.5
_SHOTS = 4
_MOST = {"boxes": 500, "text": 100_000, "title": 1000, "elements": 100_000, "html": 16_000_000}
_BREATH = 0.05
"""Seconds before a picture that failed is asked for again ("Not attached to an active page", "Unable to capture
screenshot"), twice as many each time."""
_WORLD = "secondlook"
_PNG_SIZE = struct.Struct(">16xII")


class Look(NamedTuple):
    """What reading and picturing a page gave."""

    page: dict[str, Any]
    png: bytes


class Tab:
    """A tab of its own window, so that it paints as if it were in front. Belongs to one thread at a time.

    `spoiled` says that its page went too far, so that the tab should not be used again.

    Raises:
        LateError, CommandError, BrowserGoneError: the browser does not give one.
    """

    def __init__(self, connection: Connection, settings: Settings, guard: Guard | None) -> None:
        self._settings, self._guard = settings, guard
        self._children: set[str] = set()
        self._html: Job | None = None
        self._world: int | None = None
        self._scripts = settings.scripts
        self._traffic = Traffic(settings, "")
        self.spoiled = False
        until = time.monotonic() + _PATIENCE
        root = Session(connection, "", self._on_event)
        # A window of full screen has no bars, which would be painted anew with every page.
        window = {"newWindow": True, "windowState": "fullscreen"}
        target = root.call("Target.createTarget", until, url="about:blank", **window)
        self._frame = str(target["targetId"])
        attached = root.call("Target.attachToTarget", until, targetId=self._frame, flatten=True)
        self._session = Session(connection, str(attached["sessionId"]), self._on_event)
        self._prepare(until)

    def close(self) -> None:
        """Close the tab, whatever its page is doing."""
        self._session.post("Page.close")
        self._session.close(*self._children)

    def blank(self) -> None:
        """Leave the page, so that it does nothing while nobody looks."""
        self._session.post("Page.navigate", url="about:blank")

    def is_alive(self) -> bool:
        """Return whether nothing happened to the tab while nobody used it."""
        try:
            self._session.pump(lambda: False, time.monotonic() + _GLANCE)
        except (TabGoneError, OverLimitError):
            return False
        return True

    def capture(self, job: Job) -> Snapshot:
        """Return what `job` asks for; what the page did wrong is in the snapshot's `problem`.

        Raises:
            TabGoneError: the tab crashed, its picture cannot be taken, or the page does not let itself be looked at.
            BrowserGoneError, StoppedError: the connection ended.
        """
        began = time.monotonic()
        until = began + self._settings.timeout
        self._traffic = Traffic(self._settings, self._frame)
        try:
            self._let_scripts_run(job.scripts and self._settings.scripts, until)
            problem = self._open(job, until)
            if problem:
                return self._snapshot(job, began, problem)
            ready = self._settle(job, until)
            return self._told(job, began, self._look(job, ready=ready), ready=ready)
        except ScriptError as error:
            return self._snapshot(job, began, f"The page cannot be read with this profile: {error}.")
        except OverLimitError as error:
            self.spoiled = True
            return self._snapshot(job, began, str(error))

    def _prepare(self, until: float) -> None:
        settings, session = self._settings, self._session
        size: Message = {"width": settings.width, "height": settings.height, "deviceScaleFactor": 1, "mobile": False}
        asked = [
            session.ask("Page.enable"),
            session.ask("Inspector.enable"),
            session.ask("Emulation.setDeviceMetricsOverride", **size),
            session.ask("Emulation.setScriptExecutionDisabled", value=not settings.scripts),
            session.ask("Page.addScriptToEvaluateOnNewDocument", source=scripts.NO_WORKERS, runImmediately=True),
            *(session.ask(method, **params) for method, params in _WATCHED),
        ]
        for number in asked:
            session.answer(number, until)

    def _let_scripts_run(self, wanted: bool, until: float) -> None:
        if wanted != self._scripts:
            # Answered before the page is opened: else the page's new process may not hear of it.
            self._session.call("Emulation.setScriptExecutionDisabled", until, value=not wanted)
            self._scripts = wanted

    def _open(self, job: Job, until: float) -> str:
        """Go to the page; return what stopped us, "" if its document is there."""
        if job.html is not None:
            self._html = job
            pattern = {"urlPattern": "*", "resourceType": "Document", "requestStage": "Request"}
            self._session.post("Fetch.enable", patterns=[pattern])
        if "#" in job.url:
            # Else the same page with another fragment would not be loaded at all.
            self.blank()
        try:
            answer = self._session.call("Page.navigate", until, url=job.url)
        except LateError:
            return self._nothing()
        except CommandError as error:
            return f"The address cannot be opened: {error.message}."
        finally:
            if job.html is not None:
                self._html = None
                self._session.post("Fetch.disable")
        if answer.get("isDownload"):
            return "Refused: the address is a file to download, not a page."
        if answer.get("errorText") == _ABORTED:
            # A tab that dies breaks off what it loads first and says so a moment later.
            self._session.pump(lambda: False, min(until, time.monotonic() + _LAST_WORDS_S))
        refused = self._refusal(job.url)
        if refused or answer.get("errorText"):
            return refused or f"The page cannot be opened: {answer['errorText']}."
        return "" if self._session.pump(lambda: self._traffic.committed, until) else self._nothing()

    def _nothing(self) -> str:
        self.spoiled = True
        return f"Nothing came within {self._settings.timeout:g} seconds."

    def _settle(self, job: Job, until: float) -> bool:
        """Wait until the page is ready; return whether it is, False once its time is up or it went where it may not."""
        traffic, pump = self._traffic, self._session.pump
        asked = {"present": job.present, "absent": job.absent, "failed": job.failed, "slice": _SLICE}
        while pump(lambda: traffic.idle, until) and not self._refusal(traffic.url):
            started = traffic.started
            try:
                waits = self._run(scripts.READY, asked, until)
            except CommandError:
                # The document changed under our hands; the next look is at the new one.
                self._undisturbed(started, min(until, time.monotonic() + QUIET))
                continue
            except LateError:
                self._session.post("Runtime.terminateExecution")
                return False
            if waits or traffic.started != started:
                continue
            if self._undisturbed(started, traffic.last + QUIET):
                return True
        return False

    def _undisturbed(self, started: int, until: float) -> bool:
        """Return whether no request after the first `started` ones begins until then."""
        return not self._session.pump(lambda: self._traffic.started != started, until)

    def _look(self, job: Job, *, ready: bool) -> Look:
        """Return what the page shows.

        Raises:
            UnreadableError: it does not let itself be looked at, even with its scripts interrupted.
        """
        if not ready:
            self.spoiled = True
            self._session.post("Page.stopLoading")
        asked = {"regions": {n: s for n, s in job.regions.items() if s}, "texts": job.texts, "most": _MOST}
        least, most = _READING
        for _ in range(2):
            try:
                return self._look_once(asked, time.monotonic() + min(max(self._settings.timeout, least), most))
            except LateError:
                self.spoiled = True
                self._session.post("Runtime.terminateExecution")
        raise UnreadableError("The page does not let itself be looked at.")

    def _look_once(self, asked: dict[str, Any], until: float) -> Look:
        failure: CommandError | None = None
        for number in range(_SHOTS):
            shot = self._session.ask("Page.captureScreenshot", format="png", optimizeForSpeed=True)
            try:
                page = self._run(scripts.READ, asked, until)
                png = base64.b64decode(self._session.answer(shot, until)["data"])
            except CommandError as error:
                failure = error
                self._session.pump(lambda: False, min(until, time.monotonic() + _BREATH * 2**number))
                continue
            if _PNG_SIZE.unpack_from(png) == (self._settings.width, self._settings.height):
                return Look(page, png)
        raise TabGoneError(failure.message if failure else "the picture has another size than was asked for")

    def _run(self, script: str, given: dict[str, Any], until: float) -> Any:
        """Return what one of our scripts returns.

        Raises:
            CommandError: the document went away meanwhile.
            ScriptError: a selector is none.
            LateError: the page did not let it run in time.
        """
        call = self._session.call
        if self._world is None:
            world = call("Page.createIsolatedWorld", until, frameId=self._frame, worldName=_WORLD)
            self._world = int(world["executionContextId"])
        expression = f"({script})({json.dumps(given)})"
        context = {"contextId": self._world, "awaitPromise": True, "returnByValue": True}
        try:
            answer = call("Runtime.evaluate", until, expression=expression, **context)
        except CommandError:
            self._world = None
            raise
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            told = str(details.get("exception", {}).get("description", details.get("text")))
            raise ScriptError(told.split("\n", maxsplit=1)[0])
        return answer["result"].get("value")

    def _told(self, job: Job, began: float, look: Look, *, ready: bool) -> Snapshot:
        refused = self._refusal(self._traffic.url)
        if refused:
            self.spoiled = True
            return self._snapshot(job, began, refused)
        page, problem = look.page, ""
        if page["elements"] > _MOST["elements"] or page.get("long"):
            problem = f"The page is too large to be read: {page['elements']:,} elements."
        if not page["url"].startswith(("http:", "https:")):
            return self._snapshot(job, began, f"The page cannot be opened: {self._traffic.error or page['url'][:100]}.")
        self.spoiled = self.spoiled or bool(problem)
        return Snapshot(
            url=job.url,
            final_url=page["url"],
            status=self._traffic.status,
            png=look.png,
            html=page["html"],
            title=page["title"],
            regions={name: tuple(map(tuple, boxes)) for name, boxes in page["regions"].items()},
            texts=page["texts"],
            ready=ready and not problem,
            seconds=time.monotonic() - began,
            problem=problem,
        )

    def _snapshot(self, job: Job, began: float, problem: str) -> Snapshot:
        traffic = self._traffic
        seconds = time.monotonic() - began
        return Snapshot(url=job.url, final_url=traffic.url, status=traffic.status, seconds=seconds, problem=problem)

    def _refusal(self, url: str) -> str:
        reason = self._guard.reason(url) if self._guard else ""
        return f"Refused: {reason}" if reason else ""

    def _on_event(self, message: Message) -> None:
        method, params, session = message["method"], message.get("params", {}), message.get("sessionId", "")
        own = session == self._session.id
        if method == "Page.frameNavigated" and params["frame"]["id"] == self._frame:
            self._world = None
        noted = _NOTED.get(method)
        if noted is not None:
            noted(self._traffic, params, "" if own else session)
            if self._traffic.over:
                raise OverLimitError(self._traffic.over)
        elif method == "Page.javascriptDialogOpening":
            # Leaving is always allowed, everything else is answered with "cancel".
            self._session.post("Page.handleJavaScriptDialog", session, accept=params.get("type") == "beforeunload")
        elif method == "Fetch.requestPaused":
            self._serve(params)
        elif method == "Target.attachedToTarget":
            self._meet(params["sessionId"], params["targetInfo"])
        elif method == "Target.detachedFromTarget":
            self._children.discard(params["sessionId"])
            self._traffic.left(params["sessionId"])
        elif own and method in ("Inspector.targetCrashed", "Inspector.detached"):
            raise TabGoneError("the page crashed the tab")

    def _serve(self, params: Message) -> None:
        """Answer the request for the page that comes from a file; let every other document (a frame) go its way."""
        job, request = self._html, params["requestId"]
        if job is None or job.html is None or params.get("frameId") != self._frame:
            self._session.post("Fetch.continueRequest", requestId=request)
            return
        self._html = None
        head = [{"name": "Content-Type", "value": "text/html; charset=utf-8"}]
        body = base64.b64encode(job.html.encode()).decode()
        self._session.post("Fetch.fulfillRequest", requestId=request, responseCode=200, responseHeaders=head, body=body)

    def _meet(self, child: str, target: Message) -> None:
        """Watch a frame of another site or a worker of this page, which waits until we let it go on."""
        self._children.add(child)
        self._session.adopt(child)
        if target["type"] in ("page", "service_worker", "shared_worker"):
            # It has not begun; closed, it never will.
            self._session.post("Target.closeTarget", targetId=target["targetId"])
            return
        for method, params in _WATCHED:
            self._session.post(method, child, **params)
        if target["type"] == "iframe":
            self._session.post("Page.enable", child)
            self._session.post(
                "Page.addScriptToEvaluateOnNewDocument", child, source=scripts.NO_WORKERS, runImmediately=True
            )
            self._session.post("Emulation.setScriptExecutionDisabled", child, value=not self._scripts)
        self._session.post("Runtime.runIfWaitingForDebugger", child)


_WATCHED: tuple[tuple[str, Message], ...] = (
    ("Network.enable", {"maxTotalBufferSize": 1, "maxResourceBufferSize": 1}),
    ("Network.setBypassServiceWorker", {"bypass": True}),
    ("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}),
)
_NOTED = {
    "Network.requestWillBeSent": Traffic.requested,
    "Network.responseReceived": Traffic.answered,
    "Network.dataReceived": Traffic.received,
    "Network.loadingFinished": Traffic.ended,
    "Network.loadingFailed": Traffic.ended,
    "Page.frameNavigated": Traffic.navigated,
}
