from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from PIL import Image

from engine.cli import capture as command
from engine.cli.capture_showing import in_words, showing
from engine.cli.output import PROGRESS_LINES
from engine.errors import CancelledError, EngineError
from engine.intake.capture.campaign import Standing
from engine.intake.capture.types import Job, Settings, Snapshot

PAGE = "<html><head><title>A lamp</title></head><body><main><h1>A lamp</h1><p>Warm.</p></main></body></html>"


def png() -> bytes:
    written = io.BytesIO()
    Image.linear_gradient("L").resize((60, 40)).convert("RGB").save(written, "PNG")
    return written.getvalue()


class Fake:
    """A browser for which an address says what it brings: ".../404", ".../500", ".../refused", else a good page.

    `interrupts` sends the process an interrupt before that page, and stops when it is told to.
    """

    asked: list[str]

    def __init__(self) -> None:
        self.asked = []
        self.interrupts = -1
        self.told = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def cancel(self) -> None:
        self.told.set()

    def capture_many(self, jobs: Iterable[Job | None]) -> Iterator[Snapshot]:
        for job in jobs:
            assert job is not None
            if len(self.asked) == self.interrupts:
                signal.raise_signal(signal.SIGINT)
                assert self.told.wait(30)
                raise CancelledError
            self.asked.append(job.url)
            status = int(job.url[-3:]) if job.url[-3:].isdigit() else 200
            html, texts = (PAGE, {"visible": "A lamp Warm."}) if status == 200 else ("<p>no</p>", {"visible": "no"})
            if job.url.endswith("/refused"):
                problem = "Refused: 'a.example' is at 10.0.0.1, which is not on the public internet."
                yield Snapshot(url=job.url, final_url=job.url, status=0, png=b"", html="", problem=problem)
                continue
            yield Snapshot(url=job.url, final_url=job.url, status=status, png=png(), html=html, texts=texts, ready=True)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr(command, "browser_for", lambda *_: fake)
    return fake


@pytest.fixture
def home(secondlook: Any, tmp_path: Path) -> Path:
    path = tmp_path / "shop.secondlook"
    assert secondlook("init", path, "--preset", "products").status == 0
    return path


Listed = Callable[..., Path]


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    """A list of addresses: `listed("1", "404")`."""

    def write(*paths: str, more: str = "") -> Path:
        file = tmp_path / "list.txt"
        file.write_text("".join(f"https://a.example/{path}\n" for path in paths) + more)
        return file

    return write


def test_pages_become_items_and_the_ends_are_told(secondlook: Any, home: Path, browser: Fake, listed: Listed) -> None:
    file = listed("lamp", "404", "500", "lamp", more="not one\n")
    ended = secondlook("capture", home, file, "--rate", 0, "--passes", 1)
    assert ended.status == 0
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["captured", "1"] in rows
    assert ["deleted", "1", "set", "aside", "as", "skipped", "items"] in rows
    assert "The site has a fault of its own." in ended.out
    assert "list.txt, line 5: 'not one' is no http or https address" in ended.err
    assert "1 line repeats an address" in ended.err
    assert "https://a.example/500: error page after 1 try" in ended.err
    assert "To try these again later, give the same command with --resume." in ended.err
    assert "--allow-local" not in ended.err
    shown = secondlook("items", home, "--queue", "all")
    assert "The page is gone." in shown.out
    assert "skipped" in shown.out
    (row,) = secondlook("items", home, "--queue", "skipped", "--json").json
    assert row["gone"] == {"outcome": "deleted", "reason": "The page is gone."}
    (row,) = secondlook("items", home, "--queue", "to-review", "--json").json
    assert (row["title"], row["gone"]) == ("A lamp", None)


def test_a_refused_address_names_its_own_way_out(secondlook: Any, home: Path, browser: Fake, listed: Listed) -> None:
    ended = secondlook("capture", home, listed("refused"), "--rate", 0)
    assert ended.status == 2
    assert "To capture 1 refused address, add --resume --allow-local: only for" in ended.err
    assert "later" not in ended.err, "the same command once more would be refused once more"


def test_refused_addresses_and_others_are_told_apart(
    secondlook: Any, home: Path, browser: Fake, listed: Listed
) -> None:
    ended = secondlook("capture", home, listed("1/refused", "2/refused", "500"), "--rate", 0, "--passes", 1)
    assert "To capture 2 refused addresses, add --resume --allow-local" in ended.err
    assert "To try the others again later, give the same command with --resume." in ended.err


def test_a_capture_with_pages_left_goes_on_only_with_resume(
    secondlook: Any, home: Path, browser: Fake, listed: Listed
) -> None:
    file = listed("lamp", "401")
    assert secondlook("capture", home, file, "--rate", 0).status == 0
    ended = secondlook("capture", home, file, "--rate", 0)
    assert ended.status == 2
    assert "was begun before and has pages left. Add --resume" in ended.err
    ended = secondlook("capture", home, file, "--rate", 0, "--resume", "--window", "800x600")
    assert ended.status == 2
    assert "begun with --window 600x600" in ended.err
    ended = secondlook("capture", home, file, "--rate", 0, "--resume", "--json")
    assert browser.asked == [f"https://a.example/{path}" for path in ("lamp", "401", "401")]
    assert (ended.json["captured"], ended.json["there"], ended.json["failed"]) == (0, 1, {"login wall": 1})
    (failure,) = ended.json["failures"]
    assert (failure["url"], failure["kind"], failure["tries"]) == ("https://a.example/401", "login wall", 1)


@pytest.mark.parametrize(("given", "run"), [((), True), (("--no-scripts",), False)])
def test_scripts_of_pages_can_be_switched_off(
    secondlook: Any, home: Path, listed: Listed, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], run: bool
) -> None:
    found: list[Settings] = []

    def browser_for(settings: Settings, _server: object) -> Fake:
        found.append(settings)
        return Fake()

    monkeypatch.setattr(command, "browser_for", browser_for)
    assert secondlook("capture", home, listed("lamp"), *given).status == 0
    assert [settings.scripts for settings in found] == [run]


def test_a_finished_capture_leaves_no_journal_and_captures_nothing_again(
    secondlook: Any, home: Path, browser: Fake, listed: Listed
) -> None:
    file = listed("lamp", "404")
    for _ in range(2):
        assert secondlook("capture", home, file, "--rate", 0).status == 0
    assert len(browser.asked) == 2
    assert list((home / "captures-in-progress").iterdir()) == []


def test_an_interrupt_ends_in_words_and_leaves_the_rest_to_resume(
    secondlook: Any, home: Path, browser: Fake, listed: Listed
) -> None:
    file = listed("a", "b", "c")
    browser.interrupts = 1
    ended = secondlook("capture", home, file, "--rate", 0)
    assert ended.status == 130
    assert "Stopped with 2 of 3 pages to go; what was captured is kept." in ended.err
    browser.interrupts = -1
    ended = secondlook("capture", home, file, "--rate", 0, "--resume", "--json")
    assert (ended.json["captured"], ended.json["there"]) == (2, 1)
    assert len(set(browser.asked)) == len(browser.asked) == 3


def test_where_nothing_could_be_captured_the_status_says_so(
    secondlook: Any, home: Path, browser: Fake, listed: Listed
) -> None:
    assert secondlook("capture", home, listed("401")).status == 2
    ended = secondlook("capture", home, listed(more="# nothing\n"), "--resume")
    assert ended.status == 2
    assert "holds no address" in ended.err


def test_without_a_browser_nothing_is_begun(
    secondlook: Any, home: Path, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> Fake:
        raise EngineError("Chromium is not installed.", "Install it.")

    monkeypatch.setattr(command, "browser_for", none)
    ended = secondlook("capture", home, listed("lamp"))
    assert ended.status == 2
    assert "Chromium is not installed. Install it." in ended.err
    assert not (home / "captures-in-progress").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give either a file of addresses or --from-html"),
        (("list.txt", "--from-html", "x"), "Give either a file of addresses or --from-html"),
        (("list.txt", "--window", "wide"), "'wide' is no size"),
        (("list.txt", "--window", "10x600"), "'10x600' is no size"),
        (("list.txt", "--profile", "twet"), "Did you mean 'tweet'?"),
        (("none.txt",), "There is no file"),
        (("--from-html", "none"), "There is no folder"),
    ],
)
def test_what_was_asked_wrongly_is_said_before_anything_begins(
    secondlook: Any, home: Path, browser: Fake, arguments: tuple[str, ...], said: str
) -> None:
    ended = secondlook("capture", home, *arguments)
    assert ended.status == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert browser.asked == []
    assert not (home / "captures-in-progress").exists()


def test_progress_lines_hold_pace_and_reasons(
    secondlook: Any, home: Path, browser: Fake, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROGRESS_LINES, "1")
    ended = secondlook("capture", home, listed("lamp", "401"), "--rate", 0)
    lines = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert [(line["title"], line["done"], line["total"]) for line in lines] == [
        ("Capturing", 0, 2),
        ("Capturing", 1, 2),
        ("Capturing", 2, 2),
    ]
    assert lines[-1]["failed"] == {"login wall": 1}
    assert lines[-1]["per_minute"] > 0


def standing(done: int) -> Standing:
    return Standing(
        done=done, total=9, captured=done, gone=1, there=0, again=2, seconds=60.0, per_minute=48.2, failed={"blank": 3}
    )


def test_elsewhere_a_line_comes_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with showing(lambda: now[0]) as show:
        for second in range(0, 70, 10):
            now[0] = float(second)
            show(standing(second // 10))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["Captured 3", "Captured 6"]
    assert in_words(standing(4)) == ("Captured 4, 4 of 9 done, 48 a minute; 3 blank, 1 gone, 2 to be tried again")


# --- With the real browser ----------------------------------------------------------------------------------------


class _Visitor(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/lamp"
        body = PAGE.encode() if found else b"<html><title>Gone</title><body>Nothing here.</body></html>"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Visitor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_saved_pages_may_reach_their_own_server_and_no_other_port(site: str) -> None:
    from engine.cli.capture_guard import SavedPagesGuard
    from engine.intake.capture.browser.guard import RefusedError

    port = int(site.rsplit(":", 1)[1])
    guard = SavedPagesGuard(port)
    guard.open("127.0.0.1", port, 10.0).close()
    for host, other in (("127.0.0.1", port + 1), ("localhost", port), ("10.0.0.1", port)):
        with pytest.raises(RefusedError):
            guard.open(host, other, 1.0)
    assert guard.reason(f"{site}/page") == ""
    assert "not on the public internet" in guard.reason(f"http://127.0.0.1:{port + 1}/")


def test_with_the_real_browser(secondlook: Any, home: Path, site: str, chromium: None, tmp_path: Path) -> None:
    """Saved pages are shown, the rest of this computer is not; with leave it is."""
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "rug.html").write_text(
        f"<!-- saved from url=(0023)https://a.example/rug --><html><head><title>A rug</title></head><body>"
        f'<main><h1>A rug</h1><img src="{site}/lamp"></main></body></html>'
    )
    ended = secondlook("capture", home, "--from-html", saved, "--window", "300x200", "--json")
    assert ended.json["captured"] == 1, ended.err
    (item,) = secondlook("items", home, "--json").json
    assert (item["id"], item["title"]) == ("rug", "A rug")
    file = tmp_path / "list.jsonl"
    file.write_text("".join(json.dumps({"url": f"{site}/{name}", "id": name}) + "\n" for name in ("lamp", "none")))
    ended = secondlook("capture", home, file, "--rate", 0, "--passes", 1, "--json")
    assert ended.json["failed"] == {"refused": 2}, ended.err
    ended = secondlook("capture", home, file, "--rate", 0, "--passes", 1, "--allow-local", "--resume", "--json")
    assert (ended.json["captured"], ended.json["deleted"], ended.json["failures"]) == (1, 1, []), ended.err
    shown = {
        row["id"]: (row["title"], row["state"]) for row in secondlook("items", home, "--queue", "all", "--json").json
    }
    assert shown == {"rug": ("A rug", "open"), "lamp": ("A lamp", "open"), "none": ("", "skipped")}
