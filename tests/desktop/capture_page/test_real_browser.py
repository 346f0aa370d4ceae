"""The whole way: pasted addresses, the real child and the real browser, a site on this computer, items in the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil
import pytest
from pytestqt.qtbot import QtBot

from desktop.children.process import engine_command

pytestmark = pytest.mark.end_to_end
PAGE = "<html><head><title>A {name}</title></head><body><main><h1>A {name}</h1><p>Warm.</p></main></body></html>"
Open = Callable[..., Any]


class _Visitor(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        if name == "slow":
            self.server.asked.set()
            self.server.over.wait(60)
        body = PAGE.format(name=name).encode()
        self.send_response(404 if name == "gone" else 401 if name == "wall" else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.asked, self.over = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), _Visitor)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that is stopped hangs up."""


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def window(open_window: Open, chromium: None) -> Any:
    return open_window(command=engine_command("capture"))


def begin(window: Any, qtbot: QtBot, server: _Server, *names: str) -> None:
    compose = window.page.compose
    site = f"http://127.0.0.1:{server.server_address[1]}"
    compose.addresses.setPlainText("".join(f"{site}/{name}\n" for name in names))
    compose.options.rate.setValue(0)
    compose.options.passes.setValue(1)
    compose.options.local.setChecked(True)
    qtbot.waitUntil(lambda: window.can("start"))
    compose.start()


def test_pages_of_a_site_become_items(window: Any, qtbot: QtBot, server: _Server) -> None:
    begin(window, qtbot, server, "lamp", "gone", "wall")
    qtbot.waitUntil(lambda: window.capturing.state.stage in ("done", "broken"), timeout=120_000)
    assert window.capturing.state.text == "1 captured, 1 gone, 1 failed."
    assert window.states() == {"lamp": "captured", "gone": "gone", "wall": "failed"}
    lamp, _, wall = window.capturing.pages.rows
    item = window.desk.workspace.items.get(lamp.item)
    assert (item.title, item.width, item.height) == ("A lamp", 600, 600)
    assert wall.reason.startswith("Login wall: ")
    assert (window.capturing.folder / wall.picture).read_bytes().startswith(b"\x89PNG")
    assert window.desk.workspace.queues.counts().open == 1


def test_closing_the_window_leaves_no_browser(window: Any, qtbot: QtBot, server: _Server) -> None:
    begin(window, qtbot, server, "slow")
    qtbot.waitUntil(server.asked.is_set, timeout=120_000)
    child = psutil.Process(window.capturing.child.process.pid)
    family = [child, *child.children(recursive=True)]
    assert len(family) > 2
    window.shell.window.close()
    _, left = psutil.wait_procs(family, timeout=20)
    assert left == []


def test_a_child_that_is_killed_leaves_no_browser_and_is_told(window: Any, qtbot: QtBot, server: _Server) -> None:
    begin(window, qtbot, server, "slow")
    qtbot.waitUntil(server.asked.is_set, timeout=120_000)
    child = psutil.Process(window.capturing.child.process.pid)
    family = child.children(recursive=True)
    child.kill()
    qtbot.waitUntil(lambda: window.capturing.state.stage == "broken")
    assert "stopped unexpectedly" in window.capturing.state.text
    _, left = psutil.wait_procs(family, timeout=20)
    assert left == []
    assert window.states() == {"slow": "waiting"}
