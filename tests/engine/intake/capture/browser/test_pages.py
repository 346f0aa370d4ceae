"""What a capture brings of a page, and when it takes the page for ready."""

from __future__ import annotations

import io
from importlib.resources import files
from typing import Any

import pytest
from PIL import Image

from engine.intake.capture.browser.failures import CommandError, LateError
from engine.intake.capture.browser.tab import _SHOTS
from engine.intake.capture.browser.wire import Session
from engine.intake.capture.types import Job


@pytest.mark.parametrize("size", [(600, 600), (390, 844), (1280, 300)])
def test_picture_has_exactly_the_size_asked_for(capture: Any, site: Any, size: tuple[int, int]) -> None:
    url = site.at("/tall", "<style>body{margin:0}</style><div style='height:5000px;width:3000px'>x</div>")
    snapshot = capture(url, own=True, width=size[0], height=size[1])
    assert Image.open(io.BytesIO(snapshot.png)).size == size


def test_title_markup_status_and_final_address(capture: Any, site: Any) -> None:
    site.at("/end", "<title>An end</title><p id=x>Γειά</p>")
    url = site.at("/start", (302, {"Location": "/end"}, b""))
    snapshot = capture(url)
    assert (snapshot.url, snapshot.status, snapshot.title) == (url, 200, "An end")
    assert snapshot.final_url.endswith("/end")
    assert '<p id="x">Γειά</p>' in snapshot.html
    assert snapshot.ready
    assert snapshot.problem == ""


def test_regions_are_rectangles_in_view_in_pixels_of_the_picture(capture: Any, site: Any, colour: Any) -> None:
    boxes = "".join(
        f"<div class='b {name}' style='{place};position:absolute;width:50px;height:40px;background:#0f0'>{name}</div>"
        for name, place in {
            "in": "left:30px;top:20px",
            "cut": "left:580px;top:100px",
            "out": "left:0;top:900px",
        }.items()
    )
    url = site.at("/boxes", f"<body style='margin:0'>{boxes}<div class='b' style='display:none'>no</div>")
    snapshot = capture(
        Job(url=url, regions={"boxes": (".b",), "none": (".zzz",)}, texts={"name": (".zzz", ".cut"), "no": (".zzz",)})
    )
    assert snapshot.regions == {"boxes": ((30, 20, 50, 40), (580, 100, 20, 40)), "none": ()}
    assert snapshot.texts == {"name": "cut", "no": ""}
    assert colour(snapshot, 79, 59) == (0, 255, 0)
    assert colour(snapshot, 80, 60) == (255, 255, 255)


def test_a_selector_that_is_none_is_told(capture: Any, site: Any) -> None:
    snapshot = capture(Job(url=site.at("/", "<p>x"), regions={"a": ("p",)}, present=("p[",)))
    assert "p[" in snapshot.problem


def test_ready_after_a_late_image(capture: Any, site: Any, red: bytes, colour: Any) -> None:
    site.at("/red.png", site.after("/late", (200, {"Content-Type": "image/png"}, red)))
    site.at("/late", (200, {}, b""))
    script = "<script>onload = null; setTimeout(() => fetch('/late'), 300)</script>"
    snapshot = capture(site.at("/", f"<body style='margin:0'><img src=/red.png>{script}"))
    assert snapshot.ready
    assert colour(snapshot, 300, 300) == (255, 0, 0)


def test_ready_after_an_image_that_a_script_adds_after_loading(
    capture: Any, site: Any, red: bytes, colour: Any
) -> None:
    site.at("/red.png", (200, {"Content-Type": "image/png"}, red))
    site.at("/data", site.after("/later", (200, {}, b"{}")))
    site.at("/later", (200, {}, b""))
    script = """<script>fetch('/data').then(() => {
        const i = new Image(); i.src = '/red.png'; document.body.append(i) });
        setTimeout(() => fetch('/later'), 300)</script>"""
    snapshot = capture(site.at("/", f"<body style='margin:0'>{script}"))
    assert snapshot.ready
    assert colour(snapshot, 300, 300) == (255, 0, 0)


def test_ready_after_a_late_font(capture: Any, site: Any) -> None:
    font = files("matplotlib").joinpath("mpl-data/fonts/ttf/DejaVuSansMono.ttf").read_bytes()
    site.at("/font.ttf", site.after("/late", (200, {"Content-Type": "font/ttf"}, font)))
    site.at("/late", (200, {}, b""))
    page = """<style>@font-face{font-family:F;src:url(/font.ttf)} span{font:20px F,serif}</style>
        <span>iiiiiiiiii</span><script>setTimeout(() => fetch('/late'), 300)</script>"""
    snapshot = capture(Job(url=site.at("/", page), regions={"line": ("span",)}))
    width = snapshot.regions["line"][0][2]
    # Every character of the font is 1233/2048 of its size wide; an i of a serif font is not half of that.
    assert width == pytest.approx(10 * 20 * 1233 / 2048, abs=0.5)


def test_ready_once_the_skeleton_is_gone_and_what_must_be_there_is(capture: Any, site: Any, colour: Any) -> None:
    page = """<body style='margin:0'><div class=skeleton style='width:600px;height:600px;background:#ccc'></div>
        <script>setTimeout(() => document.querySelector('div').outerHTML =
            '<main style="width:600px;height:600px;background:#00f">here</main>', 700)</script>"""
    url = site.at("/", page)
    for job in (Job(url=url, absent=(".skeleton",)), Job(url=url, present=("main",))):
        snapshot = capture(job)
        assert snapshot.ready
        assert colour(snapshot, 300, 300) == (0, 0, 255)


def test_a_sign_of_failure_ends_the_waiting(capture: Any, site: Any) -> None:
    url = site.at("/", "<div class=skeleton>…</div><div class=sorry>Something went wrong</div>")
    snapshot = capture(Job(url=url, absent=(".skeleton",), failed=(".sorry",)))
    assert snapshot.ready


def test_a_page_that_is_never_ready_is_captured_at_the_ceiling_and_says_so(capture: Any, site: Any) -> None:
    url = site.at("/", "<title>Still</title><div class=skeleton>…</div>")
    snapshot = capture(Job(url=url, absent=(".skeleton",)), timeout=1.5)
    assert not snapshot.ready
    assert snapshot.title == "Still"
    assert snapshot.png


@pytest.mark.parametrize("status", [404, 500])
def test_error_pages_are_captured_with_their_status(capture: Any, site: Any, status: int) -> None:
    snapshot = capture(site.at("/", (status, {}, b"<title>Sorry</title><h1>Sorry</h1>")))
    assert (snapshot.status, snapshot.title) == (status, "Sorry")
    assert snapshot.png


def test_an_error_without_a_page_is_told(capture: Any, site: Any) -> None:
    snapshot = capture(site.at("/", (500, {}, b"")))
    assert "ERR_HTTP_RESPONSE_CODE_FAILURE" in snapshot.problem
    assert snapshot.status == 500


def test_nobody_at_the_address_is_told(capture: Any) -> None:
    snapshot = capture("http://127.0.0.1:9/")
    assert snapshot.problem.startswith("The page cannot be opened: net::ERR_")
    assert snapshot.png == b""


def test_a_page_from_a_file_is_served_under_its_address(capture: Any, site: Any, red: bytes, colour: Any) -> None:
    url = site.at("/folder/page", "<p>the network's")
    site.at("/folder/red.png", (200, {"Content-Type": "image/png"}, red))
    page = "<title>From a file</title><body style='margin:0'><img src=red.png>"
    snapshot = capture(Job(url=url, html=page))
    assert snapshot.title == "From a file"
    assert snapshot.final_url == url
    assert colour(snapshot, 300, 300) == (255, 0, 0)
    assert site.asked == ["/folder/red.png"]


def test_scripts_switched_off_do_not_run_and_the_page_is_read_all_the_same(
    capture: Any, site: Any, red: bytes, colour: Any
) -> None:
    site.at("/red.png", (200, {"Content-Type": "image/png"}, red))
    page = """<title>before</title><body style='margin:0'><img src=/red.png><noscript>plain</noscript>
        <script>document.title = 'after'; fetch('/called')</script>"""
    snapshot = capture(Job(url=site.at("/", page), regions={"i": ("img",)}), own=True, scripts=False)
    assert (snapshot.title, snapshot.ready) == ("before", True)
    assert snapshot.regions == {"i": ((0, 0, 600, 600),)}
    assert colour(snapshot, 300, 300) == (255, 0, 0)
    assert "/called" not in site.asked
    assert capture(site.at("/", page)).title == "after"


def test_scripts_run_or_not_as_each_page_asks(capture: Any, site: Any) -> None:
    other = site.at("/frame", "<script>fetch('/called')</script>").replace("127.0.0.1", "localhost")
    url = site.at("/", f"<title>before</title><iframe src='{other}'></iframe><script>document.title = 'after'</script>")
    titles = [capture(Job(url=url, scripts=wanted)).title for wanted in (True, False, False, True)]
    assert titles == ["after", "before", "before", "after"]
    assert site.asked.count("/called") == 2


@pytest.mark.parametrize("said", ["Not attached to an active page", "Unable to capture screenshot", "Internal error"])
def test_a_picture_that_fails_now_and_then_is_taken_again(
    capture: Any, site: Any, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    refused = refuse(monkeypatch, "Page.captureScreenshot", CommandError("x", said), times=2)
    snapshot = capture(site.at("/", "<title>here</title>"))
    assert (snapshot.title, snapshot.ready, snapshot.problem) == ("here", True, "")
    assert snapshot.png
    assert refused == [said, said]


def test_a_picture_that_fails_always_in_one_tab_is_taken_in_another(
    browser: Any, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "Page.captureScreenshot", CommandError("x", "Unable to capture screenshot"), times=_SHOTS)
    url = site.at("/", "<title>here</title>")
    (snapshot,) = browser.capture_many([Job(url=url)])
    assert (snapshot.title, snapshot.problem) == ("here", "")
    assert site.asked.count("/") == 2


@pytest.mark.parametrize(("times", "asked"), [(1, 1), (2, 2), (4, 2)])
def test_a_page_that_cannot_be_read_in_time_is_read_again_then_opened_in_a_fresh_tab(
    browser: Any, site: Any, monkeypatch: pytest.MonkeyPatch, times: int, asked: int
) -> None:
    refuse(monkeypatch, "Page.captureScreenshot", LateError(), times=times)
    url = site.at("/", "<title>here</title>")
    (snapshot,) = browser.capture_many([Job(url=url)])
    told = "The page does not let itself be looked at." if times == 4 else ""
    assert (snapshot.title, snapshot.problem) == ("" if told else "here", told)
    assert site.asked.count("/") == asked


def refuse(monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, *, times: int) -> list[str]:
    """Answer the first `times` commands of this name with an error; return what was answered, as it grows."""
    numbers: set[int] = set()
    refused: list[str] = []
    ask, answer = Session.ask, Session.answer

    def asking(self: Session, name: str, **params: Any) -> int:
        number = ask(self, name, **params)
        numbers.update({number} if name == method else set())
        return number

    def answering(self: Session, number: int, until: float) -> Any:
        found = answer(self, number, until)
        if number in numbers and len(refused) < times:
            refused.append(getattr(error, "message", ""))
            raise error
        return found

    monkeypatch.setattr(Session, "ask", asking)
    monkeypatch.setattr(Session, "answer", answering)
    return refused


def test_half_a_character_in_a_page_is_read(capture: Any, site: Any) -> None:
    page = """<p></p><script>document.title = 'half \\ud83d';
        document.querySelector('p').innerText = '\\udc00 x'</script>"""
    snapshot = capture(Job(url=site.at("/", page), texts={"p": ("p",)}))
    assert snapshot.problem == ""
    assert snapshot.title.startswith("half ")
    assert snapshot.texts["p"].endswith(" x")


def test_a_page_cannot_change_what_reads_it(capture: Any, site: Any) -> None:
    page = """<title>true</title><p>true</p><script>
        document.querySelector = () => null; JSON.stringify = () => 'false';
        Element.prototype.getBoundingClientRect = 0;
        Object.defineProperty(document, 'title', {get: () => 'false'});
        window.requestAnimationFrame = () => 0</script>"""
    snapshot = capture(Job(url=site.at("/", page), texts={"p": ("p",)}))
    assert (snapshot.title, snapshot.texts, snapshot.ready) == ("true", {"p": "true"}, True)


def test_the_same_page_with_another_fragment_is_loaded_anew(capture: Any, site: Any) -> None:
    url = site.at("/", "<script>document.title = location.hash</script>")
    assert [capture(f"{url}#{part}").title for part in ("a", "b", "b")] == ["#a", "#b", "#b"]
    assert site.asked.count("/") == 3
