"""Measure durable decisions, and undos, against one plain SQLite insert with the same settings.

    python tests/benchmarks/decisions.py WORKSPACE --out decisions.json

The decisions are recorded in a copy of the database, so that the workspace stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.types import Action
from engine.workspace import NewDecision, QueueQuery, Workspace


def main() -> None:
    """Read the command line, measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.workspace.parent) as folder:
        copy = Path(folder) / "copy.secondlook"
        copy.mkdir()
        for name in ("workspace.db", "taxonomy.toml"):
            shutil.copy(options.workspace / name, copy / name)
        os.sync()  # the first commit is not to wait for the copy
        with Workspace.open(copy, check=False) as workspace:
            report = measure(workspace, options.count)
    sys.stdout.write(table(report) + "\n")
    if options.out:
        options.out.write_text(json.dumps(report, indent=2), encoding="utf-8")


def measure(workspace: Workspace, count: int) -> dict[str, Any]:
    """Time each commit, in milliseconds; decisions and plain inserts take turns, so that both meet the same machine."""
    draw = random.Random(0)
    page = workspace.queues.page(QueueQuery(order="exposure", limit=count))
    news = []
    for row in page.rows:
        task = workspace.taxonomy.task(row.task)
        label = draw.choice(task.label_names)
        news.append(NewDecision(item=row.item, task=row.task, action=Action.CORRECT, labels=(label,), reviewer="bench"))
    plain = _Plain(workspace.path.parent / "plain.db", workspace)
    decided, inserted, undone = [], [], []
    for new in news:
        decided.append(_timed(lambda new=new: workspace.decisions.record([new])))  # type: ignore[misc]
        inserted.append(_timed(lambda new=new: plain.insert(new)))  # type: ignore[misc]
    undone = [_timed(lambda: workspace.decisions.undo("bench")) for _ in range(count // 5)]
    started = time.perf_counter()
    chain = workspace.decisions.verify()
    return {
        "items": workspace.items.count(),
        "sqlite": sqlite3.sqlite_version,
        "python": platform.python_version(),
        "journal_mode": workspace.decisions._db.value("PRAGMA journal_mode"),
        "milliseconds": {
            "decision, durable": _summary(decided),
            "undo, durable": _summary(undone),
            "plain insert, durable": _summary(inserted),
        },
        "chain": {"ok": chain.ok, "rows": chain.rows, "seconds": time.perf_counter() - started},
    }


class _Plain:
    """The least that a durable decision could cost: one row, no chain, no queue, same journal and sync."""

    def __init__(self, path: Path, workspace: Workspace) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        mode = workspace.decisions._db.value("PRAGMA journal_mode")
        self._connection.execute(f"PRAGMA journal_mode = {mode}")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE decisions (item TEXT, task TEXT, label TEXT, reviewer TEXT)")

    def insert(self, new: NewDecision) -> None:
        self._connection.execute(
            "INSERT INTO decisions VALUES (?, ?, ?, ?)", (new.item, new.task, new.labels[0], new.reviewer)
        )


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "median": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "max": ordered[-1],
    }


def table(report: dict[str, Any]) -> str:
    """Return the report as lines for people."""
    lines = [f"{report['items']:,} items, SQLite {report['sqlite']}, journal {report['journal_mode']}"]
    lines.append(f"{'':28}{'n':>8}{'median ms':>12}{'p99 ms':>10}{'max ms':>10}")
    for name, row in report["milliseconds"].items():
        lines.append(f"{name:28}{row['n']:>8.0f}{row['median']:>12.3f}{row['p99']:>10.3f}{row['max']:>10.3f}")
    chain = report["chain"]
    lines.append(f"chain of {chain['rows']:,} rows {'whole' if chain['ok'] else 'BROKEN'} in {chain['seconds']:.2f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
