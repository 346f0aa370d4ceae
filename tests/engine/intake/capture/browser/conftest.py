"""A local site that remembers what it was asked for, and browsers that look at it."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from engine.intake.capture.browser import Browser, Guard
from engine.intake.capture.browser.tab import Tab
from engine.intake.capture.types import Job, Settings, Snapshot

PUBLIC = "93.184.215.14"
"""An address of the public internet that the guarded browser's tests connect to the local site instead."""

Reply = tuple[int, dict[str, str], bytes]
Page = str | bytes | Reply | Callable[["Visitor"], Reply | None]


class Visitor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.site.asked.append(self.path)
        self.site.arrived(self.path).set()
        page = self.site.pages.get(self.path, (404, {}, b"nothing here"))
        if callable(page):
            made = page(self)
            if made is None:
                self.close_connection = True
                return
            page = made
        if isinstance(page, tuple):
            self.reply(*page)
        else:
            self.reply(200, {}, page.encode() if isinstance(page, str) else page)

    do_POST = do_GET  # noqa: N815  (the library's name)

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "text/html; charset=utf-8"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is what some tests are about."""


class Site:
    """`pages` are served by path; `asked` are the paths that somebody came for."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self._arrivals: dict[str, threading.Event] = {}
        self._server = Server(("127.0.0.1", 0), type("Mine", (Visitor,), {"site": self}))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def at(self, path: str, page: Page) -> str:
        self.pages[path] = page
        return f"http://127.0.0.1:{self.port}{path}"

    def arrived(self, path: str) -> threading.Event:
        """Set once somebody came for `path`."""
        return self._arrivals.setdefault(path, threading.Event())

    def after(self, path: str, reply: Reply) -> Page:
        """A page that is held back until somebody came for `path`."""

        def page(visitor: Visitor) -> Reply:
            self.arrived(path).wait(10)
            return reply

        return page

    def forget(self) -> None:
        for event in self._arrivals.values():
            event.set()
        self.pages, self.asked, self._arrivals = {}, [], {}

    def close(self) -> None:
        self.forget()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="session", autouse=True)
def _with_a_browser(chromium: None) -> None:
    """Nothing here can be tested without one."""


@pytest.fixture(scope="session")
def whole_site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    yield whole_site
    whole_site.forget()


@pytest.fixture(scope="session")
def browser(chromium: None) -> Iterator[Browser]:
    with Browser(Settings(allow_local=True, workers=2)) as browser:
        yield browser


Capture = Callable[..., Snapshot]


@pytest.fixture
def capture(browser: Browser) -> Capture:
    """Captures one job with limits of its own; in a tab of its own where the limits are for a whole tab."""
    running = browser._running
    assert running is not None

    def capture(job: Job | str, *, own: bool = False, **settings: object) -> Snapshot:
        limits = Settings(**({"allow_local": True, "timeout": 10.0} | settings))  # type: ignore[arg-type]
        tab = Tab(running.connection, limits, None) if own else running.take()
        tab._settings = limits
        try:
            return tab.capture(Job(url=job) if isinstance(job, str) else job)
        finally:
            tab._settings = browser._settings
            tab.spoiled = tab.spoiled or own
            running.give(tab, rest=True)

    return capture


class Names:
    """Answers for names: a list per name, one entry a question, the last for ever."""

    def __init__(self) -> None:
        self.known: dict[str, list[list[str]]] = {}

    def __call__(self, host: str, port: int) -> list[str]:
        answers = self.known.get(host, [[host]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture(scope="session")
def names() -> Names:
    return Names()


@pytest.fixture(scope="session")
def guarded(chromium: None, names: Names, whole_site: Site) -> Iterator[Browser]:
    """A browser without leave for local addresses, to whom the local site is at a public one."""

    def connect(address: str, port: int, timeout: float) -> socket.socket:
        assert address == PUBLIC, f"the guard let {address} through"
        return socket.create_connection(("127.0.0.1", whole_site.port), timeout)

    names.known["public.test"] = [[PUBLIC]]
    with Browser(Settings(workers=2, timeout=10.0), Guard(names, connect)) as browser:
        yield browser


@pytest.fixture(scope="session")
def red() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (600, 600), (255, 0, 0)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture(scope="session")
def colour() -> Callable[[Snapshot, int, int], object]:
    """The colour of one pixel of the picture."""

    def colour(snapshot: Snapshot, x: int, y: int) -> object:
        return Image.open(io.BytesIO(snapshot.png)).convert("RGB").getpixel((x, y))

    return colour
