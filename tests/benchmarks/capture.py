"""Capturing pages: a new driver per page, one reused driver, and several tabs of one browser, in the same run.

    python tests/benchmarks/capture.py [--pages 60] [--repeats 5] [--workers 4] [--out build/bench/capture.json]

The pages are made up and served from this machine: tweet-like ones (an avatar, a text, a picture that a script puts in
place of a skeleton) and product-like ones (eight pictures, a web font, a price). The naive way is what first scripts
do: a driver per page, a fixed wait of one second, `save_screenshot`; without the wait it is a row of its own, so that
the wait alone explains nothing. The reused driver waits for the page's load event only. Ours waits until the page is
ready. Every way runs in a process of its own, in turn, never as root, with the sandbox on; its start counts. Memory is
the largest sum over the way's whole process tree, proportional set size where it can be read.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import psutil
from PIL import Image, ImageDraw
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from engine.intake.capture.browser import Browser
from engine.intake.capture.browser.process import programs, unprivileged
from engine.intake.capture.types import Job, Settings

OURS, REUSED, NAIVE, NO_WAIT = "ours", "reused", "naive", "naive without the wait"
WAYS = (NAIVE, NO_WAIT, REUSED, OURS)
NAIVE_WAIT = 1.0
NAIVE_SHARE = 10
"""The naive ways get one page in this many, else a repeat takes minutes."""
WORDS = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter", "summer", "bridge", "orange")
SAMPLE_SECONDS = 0.25
MEMORY_EVERY = 4
"""Memory is looked at once in so many samples: adding up shared pages costs the machine what it is to measure."""

TWEET = """<!doctype html><meta charset=utf-8><title>{title}</title>
<style>body{{margin:0;font:15px sans-serif}}article{{padding:12px;border-bottom:1px solid #ddd}}.skeleton{{height:340px;
background:#eee}}img.face{{width:48px;height:48px;border-radius:24px}}img.photo{{width:560px;height:340px}}</style>
<article><img class=face src=/picture/{face}.png><b>{title}</b><p>{text}</p><div class=skeleton></div></article>
<script>fetch('/data/{number}').then(r => r.json()).then(d => {{ const i = new Image(); i.className = 'photo';
i.src = d.photo; document.querySelector('.skeleton').replaceWith(i) }})</script>"""
PRODUCT = """<!doctype html><meta charset=utf-8><title>{title}</title><style>
@font-face{{font-family:F;src:url(/font.ttf)}}body{{margin:0;font:14px F}}
.price{{font-size:28px}}.all{{display:grid;grid-template-columns:repeat(4,1fr);gap:4px}}
.all img{{width:100%}}</style><h1>{title}</h1><p class=price>{price} €</p><div class=all>{images}</div><p>{text}</p>"""


class Handler(BaseHTTPRequestHandler):
    """Serves page, picture, data and font from memory, as the number in its path says; connections stay open."""

    protocol_version = "HTTP/1.1"
    raw_requestline: bytes
    font = b""
    pictures: Mapping[int, bytes] = {}

    def do_GET(self) -> None:
        kind, _, name = self.path.lstrip("/").partition("/")
        number = int("".join(filter(str.isdigit, name)) or 0)
        if kind == "picture":
            self._say("image/png", self.pictures[number % len(self.pictures)])
        elif kind == "data":
            self._say("application/json", json.dumps({"photo": f"/picture/{number + 1}.png"}).encode())
        elif kind == "font.ttf":
            self._say("font/ttf", self.font)
        elif kind == "page":
            self._say("text/html", page(number).encode())
        else:
            self._say("text/plain", b"", 404)

    def _say(self, kind: str, body: bytes, status: int = 200) -> None:
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def parse_request(self) -> bool:
        """Take the path alone: reading every header would cost the server more than answering."""
        self.command, self.path, self.request_version = str(self.raw_requestline, "ascii").split()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.close_connection = False
        return True

    def log_message(self, *args: object) -> None:
        """Quiet."""


def page(number: int) -> str:
    chance = random.Random(number)
    words = " ".join(chance.choice(WORDS) for _ in range(30))
    known = {"title": f"Page {number}", "text": words, "number": number, "face": number, "price": number + 0.99}
    images = "".join(f"<img src=/picture/{number + i}.png>" for i in range(8))
    return (PRODUCT if number % 2 else TWEET).format(**known, images=images)


def picture(number: int) -> bytes:
    chance = random.Random(number)
    image = Image.new("RGB", (320, 240), tuple(chance.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = chance.randrange(320), chance.randrange(240)
        draw.ellipse((x, y, x + 60, y + 40), fill=tuple(chance.randrange(256) for _ in range(3)))
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


@contextmanager
def site() -> Iterator[str]:
    Handler.pictures = {number: picture(number) for number in range(24)}
    Handler.font = files("matplotlib").joinpath("mpl-data/fonts/ttf/DejaVuSans.ttf").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def ours(urls: Sequence[str], workers: int) -> tuple[float, int]:
    jobs = [Job(url=url, absent=(".skeleton",), regions={"main": ("article", "h1")}) for url in urls]
    began = time.perf_counter()
    with Browser(Settings(allow_local=True, workers=workers)) as browser:
        found = [shot for shot in browser.capture_many(jobs) if shot.ready and shot.png]
    return time.perf_counter() - began, len(found)


def reused(urls: Sequence[str], workers: int) -> tuple[float, int]:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, driver() as chrome:
        found = [save(chrome, url, Path(folder)) for url in urls]
    return time.perf_counter() - began, sum(found)


def naive(urls: Sequence[str], workers: int, wait: float = NAIVE_WAIT) -> tuple[float, int]:
    began, found = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        for url in urls:
            with driver() as chrome:
                found += save(chrome, url, Path(folder), wait)
    return time.perf_counter() - began, found


def save(chrome: webdriver.Chrome, url: str, folder: Path, wait: float = 0.0) -> bool:
    chrome.get(url)
    time.sleep(wait)
    return bool(chrome.save_screenshot(str(folder / "shot.png")))


@contextmanager
def driver() -> Iterator[webdriver.Chrome]:
    """A driver as first scripts start it, but as a user under whom the sandbox works."""
    chromium, program = programs()
    user = unprivileged()
    rights = {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        if user is not None:
            os.chown(home, user.uid, user.gid)
        options = Options()
        options.binary_location = chromium
        for argument in ("--headless=new", "--window-size=600,600"):
            options.add_argument(argument)
        environment = os.environ | {"HOME": home, "TMPDIR": home}
        chrome = webdriver.Chrome(service=Service(program, env=environment, popen_kw=rights), options=options)
        try:
            yield chrome
        finally:
            chrome.quit()


RUN: dict[str, Callable[[Sequence[str], int], tuple[float, int]]] = {
    OURS: ours,
    REUSED: reused,
    NAIVE: naive,
    NO_WAIT: lambda urls, workers: naive(urls, workers, 0.0),
}


def measure(way: str, urls: Sequence[str], workers: int) -> dict[str, float]:
    """Run one way in a process of its own; return pages a second, processor seconds a page and peak megabytes."""
    command = [sys.executable, __file__, "--child", way, "--workers", str(workers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        watch = Watch(child.pid)
        answer, _ = child.communicate(json.dumps(list(urls)))
        watch.stop()
    if child.returncode:
        raise SystemExit(f"'{way}' failed; its messages are above.")
    seconds, found = json.loads(answer)
    if found != len(urls):
        raise SystemExit(f"'{way}' captured {found} of {len(urls)} pages.")
    return {
        "pages_per_second": found / seconds,
        "processor_seconds_per_page": watch.seconds / found,
        "peak_mb": watch.peak,
    }


class Watch:
    """Watches a process and all its children from a thread: `peak` megabytes of all together, processor `seconds`.

    A process's seconds are those of the last look at it, so up to a quarter of a second of each is missing: that
    favours the ways that start many.
    """

    def __init__(self, pid: int) -> None:
        self.peak, self._done = 0.0, threading.Event()
        self._spent: dict[tuple[int, float], float] = {}
        self._thread = threading.Thread(target=self._watch, args=(pid,))
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Processor seconds of all processes that were ever seen."""
        return sum(self._spent.values())

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _watch(self, pid: int) -> None:
        for number in itertools.count():
            if self._done.wait(SAMPLE_SECONDS):
                return
            try:
                root = psutil.Process(pid)
                tree = [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            if number % MEMORY_EVERY == 0:
                self.peak = max(self.peak, sum(map(megabytes, tree)))
            for process in tree:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._spent[process.pid, process.create_time()] = times.user + times.system


def megabytes(process: psutil.Process) -> float:
    """Return a process's share of memory: shared pages are counted once over all (PSS), else whole (RSS)."""
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        pass
    try:
        return float(process.memory_info().rss) / (1 << 20)
    except psutil.NoSuchProcess:
        return 0.0


def summary(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("build/bench/capture.json"))
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(RUN[options.child](json.load(sys.stdin), options.workers)))  # noqa: T201
        return
    rows = compare(options.pages, options.repeats, options.workers)
    report = summarise(rows, options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    show(report)


def compare(pages: int, repeats: int, workers: int) -> list[dict[str, dict[str, float]]]:
    """Return, per repeat, what each way gave; the ways take turns on the same pages."""
    rows = []
    with site() as root:
        urls = [f"{root}/page/{number}" for number in range(pages)]
        for repeat in range(repeats):
            few = urls[repeat % NAIVE_SHARE :: NAIVE_SHARE] or urls[:1]
            order = WAYS if repeat % 2 == 0 else WAYS[::-1]
            rows.append({way: measure(way, few if way in (NAIVE, NO_WAIT) else urls, workers) for way in order})
    return rows


def summarise(rows: Sequence[Mapping[str, Mapping[str, float]]], options: argparse.Namespace) -> dict[str, Any]:
    figures = rows[0][OURS].keys()
    ways = {way: {name: summary([row[way][name] for row in rows]) for name in figures} for way in WAYS}
    rate = "pages_per_second"
    ratios = {way: summary([row[OURS][rate] / row[way][rate] for row in rows]) for way in WAYS if way != OURS}
    return {
        "pages": options.pages,
        "repeats": options.repeats,
        "workers": options.workers,
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "ways": ways,
        "ratio": ratios,
    }


def show(report: Mapping[str, Any]) -> None:
    head = f"{report['pages']} pages, {report['repeats']} repeats, {report['workers']} tabs"
    print(f"{head}: median (least to most)")  # noqa: T201
    for way, figures in report["ways"].items():
        told = [f"{name} {f['median']:.2f} ({f['least']:.2f} to {f['most']:.2f})" for name, f in figures.items()]
        print(f"  {way:24s} {', '.join(told)}")  # noqa: T201
    for way, ratio in report["ratio"].items():
        print(  # noqa: T201
            f"  ours / {way}: {ratio['median']:.1f} ({ratio['least']:.1f} to {ratio['most']:.1f}) times as many pages"
        )


if __name__ == "__main__":
    main()
