"""Pages that try what a page must not be able to do."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from typing import Any

import psutil
import pytest

from engine.intake.capture.browser.browser import Browser
from engine.intake.capture.browser.failures import TabGoneError
from engine.intake.capture.browser.tab import _MOST, Tab
from engine.intake.capture.types import Job, Settings, Snapshot

OUTWARDS = {
    "frame": "<iframe src='{at}/frame'></iframe>",
    "image": "<img src='{at}/image'>",
    "style": "<link rel=stylesheet href='{at}/style'>",
    "script": "<script src='{at}/script'></script>",
    "prefetch": "<link rel=prefetch href='{at}/prefetch'>",
    "fetch": "<script>go(fetch('{at}/fetch', {{mode: 'no-cors'}}))</script>",
    "post": "<script>go(fetch('{at}/post', {{mode: 'no-cors', method: 'POST', body: 'x'}}))</script>",
    "beacon": "<script>navigator.sendBeacon('{at}/beacon')</script>",
    "events": """<script>go(new Promise(r => {{ const source = new EventSource('{at}/events');
        source.onerror = () => source.readyState === 2 && r() }}))</script>""",
    "socket": "<script>go(new Promise(r => new WebSocket('{ws}/socket').onerror = r))</script>",
    "worker": """<script>go(new Promise(r => new Worker(URL.createObjectURL(new Blob([
        "fetch('{at}/worker', {{mode: 'no-cors'}}).finally(() => postMessage(1))"]))).onmessage = r))</script>""",
    "redirect": "<img src='/away'>",
}
HEAD = "<script>const all = []; const go = (p) => all.push(p)</script>"
TAIL = (
    "<script>Promise.allSettled(all).then(() => "
    "document.body.append(Object.assign(new Image(), {id: 'done'})))</script>"
)


def one(browser: Browser, job: Job | str) -> Snapshot:
    (snapshot,) = browser.capture_many([Job(url=job) if isinstance(job, str) else job])
    return snapshot


def attempts(site: Any, at: str) -> str:
    """Serve a page that tries to reach `at` in every way; return its path."""
    ways = "".join(way.format(at=at, ws=at.replace("http", "ws", 1)) for way in OUTWARDS.values())
    site.at("/away", (302, {"Location": f"{at}/redirect"}, b""))
    site.at("/", HEAD + "<body>" + ways + TAIL)
    return "/"


def test_a_page_reaches_local_addresses_in_each_of_these_ways_where_it_may(browser: Browser, site: Any) -> None:
    path = attempts(site, f"http://localhost:{site.port}")
    snapshot = one(browser, Job(url=f"http://127.0.0.1:{site.port}{path}", present=("#done",)))
    assert snapshot.ready
    assert {f"/{way}" for way in OUTWARDS} - set(site.asked) == set()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "both.test"])
def test_a_page_reaches_nothing_local_otherwise(guarded: Browser, names: Any, site: Any, host: str) -> None:
    names.known["both.test"] = [["93.184.215.14", "127.0.0.1"]]
    path = attempts(site, f"http://{host}:{site.port}")
    snapshot = one(guarded, Job(url=f"http://public.test{path}", present=("#done",)))
    assert snapshot.ready
    assert set(site.asked) <= {"/", "/away", "/favicon.ico"}


def test_a_name_that_answers_differently_the_second_time_gains_nothing(guarded: Browser, names: Any, site: Any) -> None:
    names.known["rebind.test"] = [["93.184.215.14"], ["127.0.0.1"]]
    page = "<body><script>fetch('/secret').catch(() => 0).finally(() => document.body.append(new Image()))</script>"
    site.at("/rebind", page)
    snapshot = one(guarded, Job(url="http://rebind.test/rebind", present=("img",)))
    assert snapshot.problem.startswith("Refused: 'rebind.test' is at 127.0.0.1")
    assert "/rebind" in site.asked
    assert "/secret" not in site.asked


def test_local_addresses_are_refused(guarded: Browser, names: Any, site: Any) -> None:
    names.known |= {"localhost": [["::1", "127.0.0.1"]], "inside.test": [["10.0.0.5"]]}
    urls = [
        f"http://127.0.0.1:{site.port}/x",
        "https://localhost/x",
        "http://inside.test/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:10.0.0.1]/",
        f"http://2130706433:{site.port}/x",
    ]
    found = {snapshot.url: snapshot for snapshot in guarded.capture_many(Job(url=url) for url in urls)}
    assert set(found) == set(urls)
    for snapshot in found.values():
        assert snapshot.problem.startswith("Refused: ")
        assert "not on the public internet" in snapshot.problem
        assert snapshot.png == b""
    assert site.asked == []


@pytest.mark.parametrize("how", ["header", "script", "meta"])
def test_a_page_that_sends_the_browser_to_a_local_address_is_refused(guarded: Browser, site: Any, how: str) -> None:
    away = f"http://127.0.0.1:{site.port}/secret"
    pages: dict[str, Any] = {
        "header": (302, {"Location": away}, b""),
        "script": f"<script>location = '{away}'</script>",
        "meta": f"<meta http-equiv=refresh content='0; {away}'>",
    }
    site.at("/out", pages[how])
    snapshot = one(guarded, Job(url="http://public.test/out", present=("#never",) if how != "header" else ()))
    assert snapshot.problem.startswith("Refused: '127.0.0.1'")
    assert "/secret" not in site.asked


def test_only_web_addresses_are_captured_at_all(browser: Browser) -> None:
    urls = ["file:///etc/passwd", "chrome://version", "about:blank", "data:text/html,x", "ftp://x/"]
    found = list(browser.capture_many(Job(url=url) for url in urls))
    assert {snapshot.url for snapshot in found} == set(urls)
    for snapshot in found:
        assert snapshot.problem.startswith("Refused: ")
        assert "not an http or https address" in snapshot.problem


@pytest.mark.parametrize("how", ["frame", "script", "header", "fetch"])
def test_a_page_reaches_no_file_even_where_it_may_be_local(capture: Any, site: Any, how: str, tmp_path: Any) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("<title>hunter2</title>hunter2")
    secret.chmod(0o644)
    pages: dict[str, Any] = {
        "frame": f"<iframe src='{secret.as_uri()}'></iframe>",
        "script": f"<script>location = '{secret.as_uri()}'</script>",
        "header": (302, {"Location": secret.as_uri()}, b""),
        "fetch": f"<script>fetch('{secret.as_uri()}').then(r => r.text()).then(t => document.title = t)</script>",
    }
    snapshot = capture(site.at("/", pages[how]))
    assert "hunter2" not in snapshot.html + snapshot.title
    assert "file:" not in snapshot.final_url


def test_downloads_come_to_nothing(browser: Browser, site: Any) -> None:
    attached = {"Content-Disposition": "attachment; filename=evil.bin", "Content-Type": "application/octet-stream"}
    site.at("/evil.bin", (200, attached, b"evil"))
    page = """<a href=/evil.bin download=evil.bin>x</a><iframe src=/evil.bin></iframe>
        <a id=b href="data:application/octet-stream,evil" download=evil2.bin>x</a>
        <script>for (const a of document.querySelectorAll('a')) a.click()</script>"""
    assert one(browser, site.at("/", page)).png
    assert one(browser, site.at("/evil.bin", site.pages["/evil.bin"])).problem.startswith(
        "Refused: the address is a file"
    )
    assert browser._running is not None
    assert not [path for path in browser._running.chromium.folder.rglob("*") if path.name.startswith("evil")]


def test_dialogs_are_dismissed(capture: Any, site: Any) -> None:
    page = """<p></p><script>alert('x'); const said = [confirm('x'), prompt('x')];
        document.querySelector('p').textContent = JSON.stringify(said);
        onbeforeunload = (e) => { e.preventDefault(); e.returnValue = 'stay' }</script>"""
    snapshot = capture(Job(url=site.at("/", page), texts={"said": ("p",)}))
    assert (snapshot.texts["said"], snapshot.ready) == ("[false,null]", True)


def test_a_page_that_will_not_be_left_is_left(browser: Browser, site: Any) -> None:
    stay = site.at("/stay", "<script>onbeforeunload = (e) => { e.returnValue = 'stay' }; alert(1)</script>")
    leave = site.at("/leave", "<title>left</title>")
    found = [one(browser, url).title for url in (stay, leave, stay, leave)]
    assert found == ["", "left", "", "left"]


def test_there_are_no_service_workers_not_even_in_frames(capture: Any, site: Any) -> None:
    site.at("/sw.js", (200, {"Content-Type": "text/javascript"}, b"oninstall = () => fetch('/from-worker')"))
    register = (
        "<script>navigator.serviceWorker?.register('/sw.js'); document.title = typeof navigator.serviceWorker</script>"
    )
    other = site.at("/frame", register).replace("127.0.0.1", "localhost")
    snapshot = capture(site.at("/", f"{register}<iframe src='/frame'></iframe><iframe src='{other}'></iframe>"))
    assert snapshot.title == "undefined"
    assert site.asked.count("/frame") == 2
    assert not {"/sw.js", "/from-worker"} & set(site.asked)


def test_popups_do_not_open(browser: Browser, site: Any) -> None:
    page = """<a href=/popup target=_blank>x</a><form action=/popup target=other></form><script>
        document.title = String(window.open('/popup')); document.querySelector('a').click();
        document.querySelector('form').submit()</script>"""
    snapshot = one(browser, site.at("/", page))
    assert (snapshot.title, snapshot.ready) == ("null", True)
    assert "/popup" not in site.asked


def test_permissions_are_denied(capture: Any, site: Any) -> None:
    page = """<p></p><script>(async () => {
        const asked = [window.Notification ? Notification.requestPermission() : 'denied',
            new Promise((y, n) => navigator.geolocation.getCurrentPosition(() => y('granted'), () => y('denied'))),
            navigator.clipboard.readText().then(() => 'granted', () => 'denied'),
            navigator.mediaDevices.getUserMedia({audio: true}).then(() => 'granted', () => 'denied')];
        document.querySelector('p').textContent = await Promise.all(asked);
        document.body.append(new Image()) })()</script>"""
    snapshot = capture(Job(url=site.at("/", page), texts={"p": ("p",)}, present=("img",)))
    assert snapshot.texts["p"] == "denied,denied,denied,denied"


def test_a_page_that_never_ends_is_captured_at_the_ceiling(capture: Any, site: Any) -> None:
    def endless(visitor: Any) -> None:
        visitor.send_response(200)
        visitor.send_header("Content-Type", "text/html")
        visitor.end_headers()
        visitor.wfile.write(b"<title>endless</title><p>" + b"x" * 4096)
        visitor.wfile.flush()
        site.arrived("/release").wait(10)

    snapshot = capture(site.at("/", endless), timeout=1.5)
    assert (snapshot.title, snapshot.ready) == ("endless", False)
    assert snapshot.png


def test_a_server_that_says_nothing_is_left_at_the_ceiling(capture: Any, site: Any) -> None:
    snapshot = capture(site.at("/", site.after("/never", (200, {}, b""))), timeout=0.5)
    assert snapshot.problem == "Nothing came within 0.5 seconds."
    assert (snapshot.png, snapshot.ready) == (b"", False)


def test_a_script_that_never_ends_is_interrupted(capture: Any, site: Any) -> None:
    page = "<title>busy</title><p>here</p><script>setTimeout(() => { for (;;); }, 0)</script>"
    snapshot = capture(site.at("/", page), timeout=1.5)
    assert (snapshot.title, snapshot.ready) == ("busy", False)
    assert snapshot.png


@pytest.mark.parametrize("how", ["document", "fetch", "frame"])
def test_a_page_that_brings_too_much_is_stopped(capture: Any, site: Any, how: str) -> None:
    site.at("/big", b"<p>" + b"x" * 400_000)
    pages: dict[str, Any] = {
        "document": site.pages["/big"],
        "fetch": "<script>fetch('/big').then(r => r.text())</script>",
        "frame": f"<iframe src='http://localhost:{site.port}/big'></iframe>",
    }
    snapshot = capture(site.at("/", pages[how]), max_bytes=200_000)
    assert snapshot.problem == "The page brought more than 200,000 bytes."
    assert not snapshot.ready


def test_a_page_of_too_many_elements_is_not_read(capture: Any, site: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(_MOST, "elements", 1000)
    snapshot = capture(site.at("/", "<body>" + "<b></b>" * 2000))
    assert snapshot.problem == "The page is too large to be read: 2,003 elements."
    assert snapshot.html == ""


@pytest.mark.parametrize("how", ["header", "script"])
def test_a_page_that_sends_the_browser_on_for_ever_is_stopped(capture: Any, site: Any, how: str) -> None:
    for here, there in itertools.permutations(("/a", "/b")):
        site.at(here, (302, {"Location": there}, b"") if how == "header" else f"<script>location = '{there}'</script>")
    snapshot = capture(site.at("/a", site.pages["/a"]), max_redirects=4)
    assert snapshot.problem == "The page sent the browser on more than 4 times."


def test_a_dead_tab_is_replaced_and_the_page_tried_again(browser: Browser, site: Any, monkeypatch: Any) -> None:
    used: list[Tab] = []
    broken = threading.Event()
    capture = Tab.capture

    def noted(tab: Tab, job: Job) -> Snapshot:
        used.append(tab)
        try:
            return capture(tab, job)
        except TabGoneError:
            broken.set()
            raise

    def crash(visitor: Any) -> Any:
        used[0]._session.post("Page.crash")  # by this tab's process, what is in store for the next tab could go with it
        broken.wait(timeout=30)
        return 200, {}, b""

    def page(visitor: Any) -> Any:
        return 200, {}, b"<title>alive</title>" + b"<script>fetch('/crash')</script>" * (len(used) == 1)

    monkeypatch.setattr(Tab, "capture", noted)
    site.at("/crash", crash)
    assert one(browser, site.at("/", page)).title == "alive"
    assert len(used) == 2
    assert used[1] is not used[0]
    assert site.asked.count("/") == 2


def test_a_dead_browser_is_started_again_and_the_page_tried_again(browser: Browser, site: Any) -> None:
    def kill_browser(visitor: Any) -> Any:
        if site.asked.count("/") == 1:
            kill(browser, "--remote-debugging-port")
        return 200, {}, b"<title>alive</title>"

    group = browser.process_group
    assert one(browser, site.at("/", kill_browser)).title == "alive"
    assert browser.process_group != group
    assert not psutil.pid_exists(group)


def test_a_page_that_always_kills_its_tab_is_told(browser: Browser, site: Any) -> None:
    def kill_renderers(visitor: Any) -> Any:
        kill(browser, "--type=renderer")
        return 200, {}, b"<title>alive</title>"

    assert one(browser, site.at("/", kill_renderers)).problem.startswith("The tab broke: ")
    assert site.asked.count("/") == 2


def kill(browser: Browser, mark: str) -> None:
    """Kill those that run now, not what is started in place of the first of them while the others are looked for."""
    found = []
    for process in psutil.Process(browser.process_group).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(word.startswith(mark) for word in process.cmdline()):
                found.append(process.pid)
    for number in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def test_settings_are_local_only_when_asked() -> None:
    assert not Settings().allow_local
