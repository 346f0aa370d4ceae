"""The window's capture as a process: what it writes for its job, and what it does as it is told."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
from PIL import Image

from engine.cli.capture_child import Orders, run
from engine.errors import CancelledError, EngineError
from engine.intake.capture.job_folder import Job, JobFolder, Todo
from engine.intake.capture.record_journal import Line
from engine.intake.capture.types import Address, Settings, Snapshot
from engine.intake.capture.types import Job as Page
from engine.service import protocol
from engine.service.protocol import GoOn, Hold, Message, Stop, TryAgain
from engine.taxonomy import preset
from engine.workspace import Workspace

HTML = "<html><head><title>A lamp</title></head><body><main><h1>A lamp</h1><p>Warm.</p></main></body></html>"


def png() -> bytes:
    written = io.BytesIO()
    Image.linear_gradient("L").resize((60, 40)).convert("RGB").save(written, "PNG")
    return written.getvalue()


class Fake:
    """A browser for which an address says what it brings: ".../401", ".../500"; anything else is a good page.

    `before` does something before a page of this number is asked for.
    """

    def __init__(self, before: dict[int, Callable[[], None]] | None = None) -> None:
        self.asked: list[str] = []
        self.before = before or {}
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def cancel(self) -> None:
        self.stopped.set()

    def capture_many(self, jobs: Iterable[Page | None]) -> Iterator[Snapshot]:
        for job in jobs:
            if self.stopped.is_set():
                raise CancelledError
            if job is None:
                continue
            self.before.get(len(self.asked), lambda: None)()
            self.asked.append(job.url)
            status = int(job.url[-3:]) if job.url[-3:].isdigit() else 200
            html, texts = (HTML, {"visible": "A lamp Warm."}) if status == 200 else ("<p>no</p>", {"visible": "no"})
            yield Snapshot(url=job.url, final_url=job.url, status=status, png=png(), html=html, texts=texts, ready=True)


class Window:
    """The window's end of the pipe to the child's standard input; `orders` is the child's."""

    def __init__(self) -> None:
        theirs, self._ours = os.pipe()
        self._stream = os.fdopen(theirs, "rb")
        self.orders = Orders(self._stream)

    def say(self, *messages: Message) -> None:
        for message in messages:
            os.write(self._ours, protocol.encode(message))

    def close(self) -> None:
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def end(self) -> None:
        self.close()
        for thread in threading.enumerate():
            if thread.name == "capture-requests":
                thread.join(30)
        self._stream.close()


def until(what: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    moment = threading.Event()
    for _ in range(6000):
        if what():
            return
        moment.wait(0.005)
    pytest.fail("it did not happen")


@pytest.fixture
def window() -> Iterator[Window]:
    made = Window()
    yield made
    made.end()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "shop.secondlook"
    Workspace.create(path, preset("products")).close()
    return path


@pytest.fixture
def begin(workspace: Path) -> Callable[..., JobFolder]:
    """A job of addresses `begin("lamp", "401")`."""

    def make(*paths: str, again: tuple[str, ...] = ()) -> JobFolder:
        folder = JobFolder.of(workspace)
        urls = [f"https://a.example/{path}" for path in paths]
        addresses = tuple(Address(url=url, id=url.rsplit("/", 1)[1], kind="product") for url in urls)
        taxonomy = preset("products")
        folder.begin(Job(addresses=addresses, settings=Settings(), rate=0.0, passes=1), taxonomy)
        folder.write_todo(Todo(keys=tuple(urls), again=again))
        return folder

    return make


def ended(folder: JobFolder, window: Window, browser: Fake) -> tuple[int, list[protocol.CaptureEvent]]:
    out = io.BytesIO()
    status = run(folder, window.orders, out, lambda *_: browser)
    return status, [protocol.decode_capture_event(one) for one in out.getvalue().splitlines()]


def test_a_job_is_done_page_by_page_and_lies_in_its_folder(
    begin: Callable[..., JobFolder], window: Window, workspace: Path
) -> None:
    folder = begin("lamp", "401", "404")
    status, events = ended(folder, window, Fake())
    assert status == 0
    assert isinstance(events[0], protocol.CaptureBegan)
    assert isinstance(events[-1], protocol.CaptureEnded)
    tried = {one.key[-4:]: one for one in events if isinstance(one, protocol.PageTried)}
    assert {key: (one.kind, one.again) for key, one in tried.items()} == {
        "lamp": ("captured", False),
        "/401": ("login wall", False),
        "/404": ("deleted", False),
    }
    assert sorted(folder.finished()) == sorted([tried["lamp"].name, tried["/404"].name])
    assert (folder.path / tried["/401"].picture).read_bytes() == png()
    with Workspace.open(workspace) as ws:
        assert ws.items.count() == 0
        folder.take(ws, folder.finished())
        assert ws.items.get("lamp").title == "A lamp"


def test_only_what_is_to_be_done_is_done_and_a_failure_wanted_anew_gets_its_tries(
    begin: Callable[..., JobFolder], window: Window
) -> None:
    folder = begin("a", "b", "401")
    with folder.journal as journal:
        journal.write(Line(at="x", key="https://a.example/401", kind="login wall", reason="?"))
        journal.write(Line(at="x", key="https://a.example/b", kind="login wall", reason="?"))
    urls = ("https://a.example/b", "https://a.example/401")
    folder.write_todo(Todo(keys=urls, again=("https://a.example/401",)))
    browser = Fake()
    ended(folder, window, browser)
    assert browser.asked == ["https://a.example/401"]


def test_it_holds_and_goes_on_as_it_is_told(begin: Callable[..., JobFolder], window: Window) -> None:
    rested: list[bytes] = []

    class Out(io.BytesIO):
        def write(self, data: Any) -> int:
            if isinstance(protocol.decode_capture_event(data), protocol.CaptureRests):
                rested.append(data)
                window.say(GoOn())
            return super().write(data)

    def hold() -> None:
        window.say(Hold())
        until(lambda: window.orders.control.paused)

    browser = Fake({0: hold})
    assert run(begin("a", "b", "c", "d"), window.orders, Out(), lambda *_: browser) == 0
    assert len(rested) == 1
    assert len(browser.asked) == 4


def test_what_failed_is_tried_again_as_it_is_told(begin: Callable[..., JobFolder], window: Window) -> None:
    def again() -> None:
        window.say(TryAgain(keys=("https://a.example/401",)))
        until(lambda: not window.orders.control._again.empty())

    browser = Fake({1: again})
    ended(begin("401", "b"), window, browser)
    assert browser.asked == ["https://a.example/401", "https://a.example/b", "https://a.example/401"]


@pytest.mark.parametrize("how", ["asked", "nobody listens"])
def test_it_stops_when_it_is_asked_and_when_the_window_is_gone(
    begin: Callable[..., JobFolder], window: Window, how: str
) -> None:
    folder = begin("a", "b")
    browser = Fake()

    def stop() -> None:
        if how == "asked":
            window.say(Stop())
        else:
            window.close()
        assert browser.stopped.wait(30)

    browser.before[0] = stop
    status, events = ended(folder, window, browser)
    assert status == 130
    assert events[-1] == protocol.CaptureFailed(message="Stopped; what was captured is kept.", stopped=True)
    assert len(folder.finished()) == 1


def test_a_line_that_is_no_request_is_passed_over(begin: Callable[..., JobFolder], window: Window) -> None:
    os.write(window._ours, b"nonsense\n\xff\n")
    assert ended(begin("a"), window, Fake())[0] == 0


def test_without_a_browser_it_says_so_in_words(begin: Callable[..., JobFolder], window: Window) -> None:
    def none(*_: object) -> Fake:
        raise EngineError("Chromium is not installed.", "Install it.")

    out = io.BytesIO()
    assert run(begin("a"), window.orders, out, none) == 2
    assert protocol.decode_capture_event(out.getvalue()) == protocol.CaptureFailed(
        message="Chromium is not installed. Install it."
    )


def test_a_mistake_of_ours_is_told_as_one(begin: Callable[..., JobFolder], window: Window) -> None:
    def broken(*_: object) -> Fake:
        raise ZeroDivisionError("no")

    out = io.BytesIO()
    assert run(begin("a"), window.orders, out, broken) == 1
    event = protocol.decode_capture_event(out.getvalue())
    assert isinstance(event, protocol.CaptureFailed)
    assert event.bug
    assert "ZeroDivisionError: no" in event.message


def test_messages_are_read_as_they_were_written() -> None:
    for message in (Hold(), GoOn(), Stop(), TryAgain(keys=("a",))):
        assert protocol.decode_capture_request(protocol.encode(message)) == message
    with pytest.raises(msgspec.ValidationError):
        protocol.decode_capture_request(b'{"type":"tryagain"}')
