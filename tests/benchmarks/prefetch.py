"""How often is the explanation there before the item, at one decision every two seconds while the trainer runs?

    secondlook demo demo.secondlook
    python tests/benchmarks/prefetch.py demo.secondlook --moves 200

The real window, off screen, over a copy of the workspace without its stored explanations; the real engine service and
a real retrain that does not end. Real key presses confirm one item after the other, two seconds apart from the moment
that an item is painted. An explanation counts as there if it is known when the event loop has painted the item. The
peer is the same walk without prefetching. All of it is in processes of its own, and nothing of the workspace given is
changed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from desktop.review.page import ReviewPage
    from engine.types import Explanation

WANTED = 0.99
ENDLESS = ("training.epochs=10000", "training.patience=0")
PATIENCE_S = 600.0
MOST_KEYS = 12
"""Keys that one item may take: the verdict, and the reasons that hang on it."""
KINDS = {"ours": True, "peer": False}


def main() -> None:
    """Read the command line, walk with and without prefetching, print the shares, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("workspace", type=Path, help="a workspace with a model and enough open items")
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--every", type=float, default=2.0, help="seconds from an item's paint to the answer")
    parser.add_argument("--out", type=Path, default=Path("build/bench/prefetch.json"))
    parser.add_argument("--child", choices=tuple(KINDS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if options.child:
        sys.stdout.write(json.dumps(walk(options, prefetch=KINDS[options.child])) + "\n")
        return
    report = measure(options)
    sys.stdout.write(table(report) + "\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2), encoding="utf-8")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Walk each way in a process of its own, on a fresh copy of the workspace."""
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "workspace": options.workspace.name,
        "every_s": options.every,
        "wanted": WANTED,
    }
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / options.workspace.name
            _copy(options.workspace, copied)
            report[kind] = _child(kind, copied, options)
    return report


def table(report: dict[str, Any]) -> str:
    """Return the shares, with and without prefetching."""
    lines = [f"{report['workspace']}, a decision every {report['every_s']:g} s, {report['machine']}"]
    for kind, name in (("ours", "with prefetch"), ("peer", "without prefetch")):
        one = report[kind]
        moves = len(one["final"])
        final, some = sum(one["final"]), sum(one["some"])
        lines.append(
            f"{name:<17} {moves} moves, trainer running at {sum(one['trainer'])}: explained {final}"
            f" ({final / moves:.1%}), at least a preview {some} ({some / moves:.1%}); {_waiting(one)}"
        )
    ours = sum(report["ours"]["final"]) / len(report["ours"]["final"])
    seconds = report["ours"]["explanation_s"]
    lines.append(f"an explanation took {statistics.median(seconds):.2f} s (median), {max(seconds):.2f} s at most")
    lines.append(f"wanted {WANTED:.0%}: {'reached' if ours >= WANTED else 'MISSED'}")
    return "\n".join(lines)


def _waiting(one: dict[str, Any]) -> str:
    """How long the explanations that were not there at first took to come."""
    late = [wait for wait, there in zip(one["wait_s"], one["final"], strict=True) if not there]
    came = [wait for wait in late if wait is not None]
    if not late:
        return "none was late"
    after = f", after {statistics.median(came):.2f} s" if came else ""
    return f"{len(came)} of {len(late)} late ones came while the item was shown{after}"


def _copy(workspace: Path, copied: Path) -> None:
    """Copy what the walk needs; runs of the past are not to be gone on with, nor explanations to be found."""
    shutil.copytree(workspace, copied, ignore=shutil.ignore_patterns("runs", "backups", "logs", "*.lock", "features"))
    with closing(sqlite3.connect(copied / "workspace.db")) as database, database:
        database.execute("DELETE FROM explanations")
        database.execute("UPDATE runs SET state = 'cancelled' WHERE state IN ('prepared', 'running')")


def _child(kind: str, workspace: Path, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, str(workspace), "--child", kind]
    command += ["--moves", str(options.moves), "--every", str(options.every)]
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


# --- in the children ---------------------------------------------------------------------------------------------


def walk(options: argparse.Namespace, *, prefetch: bool) -> dict[str, Any]:
    """Confirm item after item; return for each whether its explanation was there, and how long it took if not."""
    from PySide6.QtWidgets import QApplication

    from desktop.waiting import until

    application = QApplication([])
    page, close = _open(options.workspace)
    found: dict[str, Any] = {"final": [], "some": [], "complete": [], "wait_s": [], "trainer": []}
    found["explanation_s"] = took = []
    page.desk.explanationArrived.connect(lambda one: took.append(one.seconds) if one.final else None)
    try:
        _begin(page, prefetch=prefetch)
        for _ in range(options.moves):
            _look(page, options.every, found)
            if not _move_on(application, page):
                break
            known = _explanation(page)
            found["final"].append(known is not None and known.final)
            found["some"].append(known is not None)
            found["complete"].append(page.centre.complete)
            found["trainer"].append(page.desk.training_state.stage == "train")
        _look(page, options.every, found)
        found["wait_s"].pop(0)
    finally:
        page.desk.cancel_retrain()
        until(lambda: not page.desk.training_state.running, PATIENCE_S)
        close()
    return found


def _open(workspace: Path) -> tuple[ReviewPage, Callable[[], None]]:
    from PySide6.QtCore import QSettings

    from desktop.desk import Desk
    from desktop.review.page import ReviewPage
    from desktop.settings import Settings
    from desktop.theme import ThemeManager
    from desktop.window import DeskWindow

    settings = Settings(QSettings(str(workspace / "settings.ini"), QSettings.Format.IniFormat))
    settings.reviewer, settings.retrain_after, settings.refit_after = "benchmark", 0, 0
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


def _begin(page: ReviewPage, *, prefetch: bool) -> None:
    """Get everything running, and let the reviewer sit down: the first item is painted with its explanation."""
    from desktop.waiting import until

    desk = page.desk
    desk.start()
    if not prefetch:
        page.prefetcher.stop()
    desk.start_retrain(overrides=ENDLESS)

    def ready() -> bool:
        trains = desk.training_state.stage == "train" and desk.training_state.epoch > 0
        return trains and desk.engine_state.ready and not desk.engine_state.busy and _is_final(page)

    until(lambda: ready() or desk.training_state.stage == "failed", PATIENCE_S)
    if not ready():
        raise RuntimeError(f"Not everything got ready: {desk.engine_state.text}; {desk.training_state.text}")


def _look(page: ReviewPage, seconds: float, found: dict[str, Any]) -> None:
    """Look at the item for so long; note how long its final explanation was waited for, None where it never came."""
    from desktop.waiting import until

    begun = time.monotonic()
    came = until(lambda: _is_final(page), seconds)
    found["wait_s"].append(time.monotonic() - begun if came else None)
    until(lambda: time.monotonic() - begun >= seconds, seconds)


def _move_on(application: QApplication, page: ReviewPage) -> bool:
    """Answer with Enter until another item is painted; False at the end of the queue."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    before = page.controller.visit
    for _ in range(MOST_KEYS):
        QTest.keyClick(page, Qt.Key.Key_Return)
        if page.controller.visit is not before:
            break
    application.processEvents()
    return page.controller.visit is not None and page.controller.visit is not before


def _explanation(page: ReviewPage) -> Explanation | None:
    visit = page.controller.visit
    return page.explanations.get(visit.sight, visit.focus) if visit is not None else None


def _is_final(page: ReviewPage) -> bool:
    known = _explanation(page)
    return known is not None and known.final


if __name__ == "__main__":
    main()
