"""Measure the review page with real key presses: time to the next painted item, the commit, frames, memory, start.

    python tests/benchmarks/generate_workspace.py FOLDER --items 1000000 --explanations 500
    python tests/benchmarks/desk.py FOLDER --trainer "python -m engine train FOLDER/runs/run-1"

Every press is answered by a decision that is on the disk; all of them are taken back at the end. A press counts until
the event loop is idle again: every widget is painted by then, the capture with its heatmap and the words with theirs.
`--peer` measures the same presses without prefetching, which is how it would be if items were read when they come.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from desktop.review.page import ReviewPage

LIMITS = {
    "key to painted, median": 16.7,
    "key to painted, p99": 50.0,
    "durable decision, p99": 15.0,
    "frame, p99": 20.0,
    "memory": 400.0,
    "window up, median": 1000.0,
}
PATIENCE_S = 10.0


def main() -> None:
    """Read the command line, measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--presses", type=int, default=300)
    parser.add_argument("--think-ms", type=int, default=250, help="time between an answer and the next key")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--trainer", default="", help="a command that trains meanwhile")
    parser.add_argument("--peer", action="store_true", help="measure without prefetching as well")
    parser.add_argument("--out", type=Path, default=Path("build/bench/desk.json"))
    parser.add_argument("--child", choices=("press", "peer", "start"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if options.child:
        sys.stdout.write(json.dumps(_CHILDREN[options.child](options)) + "\n")
        return
    report = measure(options)
    sys.stdout.write(table(report) + "\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2), encoding="utf-8")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run each measurement in a process of its own, with the trainer beside it where one is given."""
    trainer = subprocess.Popen(shlex.split(options.trainer), stdout=subprocess.DEVNULL) if options.trainer else None
    try:
        report = _child("press", options)
        report["starts_ms"] = [_child("start", options)["ms"] for _ in range(options.starts)]
        if options.peer:
            report["peer"] = _child("peer", options)
        report["trainer_running"] = trainer is not None and trainer.poll() is None
    finally:
        if trainer is not None:
            trainer.terminate()
            trainer.wait()
    report["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    report["platform"] = os.environ["QT_QPA_PLATFORM"]
    report["trainer"] = options.trainer
    return report


def table(report: dict[str, Any]) -> str:
    """Return the figures beside their limits."""
    figures = {
        "key to painted, median": statistics.median(report["key_ms"]),
        "key to painted, p99": _share(report["key_ms"], 0.99),
        "durable decision, p99": _share(report["commit_ms"], 0.99),
        "frame, p99": _share(report["frame_ms"], 0.99),
        "memory": report["rss_mb"],
        "window up, median": statistics.median(report["starts_ms"]) if report["starts_ms"] else float("nan"),
    }
    presses = len(report["key_ms"])
    lines = [f"{report['items']:,} items, {presses} presses, trainer running: {report['trainer_running']}"]
    for name, value in figures.items():
        unit = "MB" if name == "memory" else "ms"
        verdict = "ok" if value < LIMITS[name] else "OVER"
        lines.append(f"{name:<26}{value:>9.1f} {unit}   limit {LIMITS[name]:>7.1f}   {verdict}")
    lines.append(f"the GUI thread's own work per press: median {statistics.median(report['key_cpu_ms']):.1f} ms")
    lines.append(f"complete at the first paint: {report['complete']} of {presses}")
    if "peer" in report:
        peer = report["peer"]["key_ms"]
        lines.append(f"without prefetching: median {statistics.median(peer):.1f} ms, p99 {_share(peer, 0.99):.1f} ms")
    return "\n".join(lines)


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _child(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, str(options.workspace), "--child", kind]
    command += ["--presses", str(options.presses), "--think-ms", str(options.think_ms)]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", "")))),
        "STARTED_AT": repr(time.time()),
    }
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


# --- in the children ---------------------------------------------------------------------------------------------


def _press(options: argparse.Namespace, *, prefetch: bool = True) -> dict[str, Any]:
    import psutil
    from PySide6.QtWidgets import QApplication

    application = QApplication([])
    page, close = _open(options.workspace)
    _until(application, lambda: page.settled)
    if not prefetch:
        page.prefetcher.stop()
    commits = _timed_commits(page)
    keys, work, complete = [], [], 0
    for number in range(options.presses):
        _spend(options.think_ms)
        begun = time.thread_time()
        spent, ready = _one_press(application, page, number)
        keys.append(spent)
        work.append(1000 * (time.thread_time() - begun))
        complete += ready
    frames = _frames(page)
    report = {
        "items": page.desk.workspace.queues.counts().total,
        "key_ms": keys,
        "key_cpu_ms": work,
        "complete": complete,
        "commit_ms": list(commits),
        "frame_ms": frames,
        "rss_mb": psutil.Process().memory_info().rss / 1e6,
    }
    for _ in range(len(commits)):
        page.desk.workspace.decisions.undo(page.desk.settings.reviewer)
    close()
    return report


def _peer(options: argparse.Namespace) -> dict[str, Any]:
    return _press(options, prefetch=False)


def _start(options: argparse.Namespace) -> dict[str, Any]:
    from desktop.app import _application, begin

    application = _application()
    from desktop.settings import Settings
    from desktop.shell import Shell
    from desktop.theme import ThemeManager

    manager = ThemeManager("light")
    manager.apply()
    shell = Shell(Settings(_store()), manager, idle=True)
    begin(shell, options.workspace)
    shell.window.show()

    def painted() -> bool:
        page: Any = shell.window.page_widget("review")
        return page is not None and page.controller.visit is not None and page.centre.capture.shows_capture

    _until(application, painted)
    spent = 1000 * (time.time() - float(os.environ["STARTED_AT"]))
    shell.shut_down()
    return {"ms": spent}


def _open(workspace: Path) -> tuple[ReviewPage, Callable[[], None]]:
    from desktop.desk import Desk
    from desktop.review.page import ReviewPage
    from desktop.settings import Settings
    from desktop.theme import ThemeManager
    from desktop.window import DeskWindow

    settings = Settings(_store())
    settings.reviewer, settings.retrain_after = "benchmark", 0
    theme = ThemeManager("light")
    theme.apply()
    desk = Desk(workspace, settings=settings)
    window = DeskWindow(settings, theme)
    window.resize(1440, 900)
    page = ReviewPage(desk, theme, window.actions_table)
    window.add_page("review", page)
    window.show()
    window.show_page("review")

    def close() -> None:
        desk.close()
        window.close()

    return page, close


def _store() -> Any:
    from PySide6.QtCore import QSettings

    return QSettings(str(Path(tempfile.mkdtemp()) / "settings.ini"), QSettings.Format.IniFormat)


def _timed_commits(page: ReviewPage) -> list[float]:
    decisions = page.desk.workspace.decisions
    record = decisions.record
    spent: list[float] = []

    def timed(new: Any) -> Any:
        begun = time.perf_counter()
        rows = record(new)
        spent.append(1000 * (time.perf_counter() - begun))
        return rows

    decisions.record = timed  # type: ignore[method-assign]
    return spent


def _one_press(application: QApplication, page: ReviewPage, number: int) -> tuple[float, bool]:
    """Press a key; return the milliseconds until the next item is painted whole, and whether it was at once."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    key = Qt.Key.Key_Return if number % 4 else Qt.Key.Key_2
    before = page.controller.visit
    begun = time.perf_counter()
    QTest.keyClick(page, key)
    application.processEvents()
    ready = page.centre.complete
    if not ready:
        _until(application, lambda: page.centre.complete)
    spent = 1000 * (time.perf_counter() - begun)
    if page.controller.visit is before and (before is None or not before.answers):
        raise RuntimeError("The key press decided nothing.")
    return spent, ready


def _frames(page: ReviewPage, count: int = 600) -> list[float]:
    """Repaint the page at 60 Hz while scrolling the queue; return the milliseconds between frames."""
    from PySide6.QtCore import QEventLoop, Qt, QTimer

    loop, ends = QEventLoop(), [time.perf_counter()]
    bar = page.queue.list.verticalScrollBar()

    def tick() -> None:
        bar.setValue((bar.value() + 3) % max(1, bar.maximum()))
        page.centre.capture.repaint()
        page.queue.list.viewport().repaint()
        ends.append(time.perf_counter())
        if len(ends) > count:
            loop.quit()

    timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=16)
    timer.timeout.connect(tick)
    timer.start()
    loop.exec()
    timer.stop()
    return [1000 * (end - begin) for begin, end in itertools.pairwise(ends)]


def _spend(milliseconds: int) -> None:
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def _until(application: QApplication, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("The page did not get there.")
        _spend(1)
    application.processEvents()


_CHILDREN: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"press": _press, "peer": _peer, "start": _start}


if __name__ == "__main__":
    main()
