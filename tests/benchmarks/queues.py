"""Measure a page of every named queue, filtered and sorted in every way, against the same page found the plain way.

    python tests/benchmarks/queues.py WORKSPACE --out queues.json

The peer is one SQL statement over the same tables without our facets: the first page sorts what it filters, a deep
page is reached by OFFSET. Make the workspace with `generate_workspace.py`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.triage import queues
from engine.workspace import Cursor, QueueQuery, Workspace
from engine.workspace.queues import LISTS

ORDERS = {
    "uncertain": "queue.uncertain ASC, queue.row ASC",
    "risk": "queue.risk DESC, queue.row DESC",
    "exposure": "queue.exposure DESC, queue.row DESC",
    "oldest": "queue.moment ASC, queue.row ASC",
    "newest": "queue.moment DESC, queue.row DESC",
    "recent": "queue.recent DESC, queue.row DESC",
}
OWN_ORDERS = {"flips": "place DESC, queue.row DESC", "teach": "place ASC, queue.row ASC"}
"""Those of the lists beside the queue."""

DEEP = 30_000


def main() -> None:
    """Read the command line, measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--peer-samples", type=int, default=24, help="plain queries to time (each is slow)")
    options = parser.parse_args()
    with Workspace.open(options.workspace, read_only=True, check=False) as workspace:
        report = measure(workspace, options.repeat, options.limit, options.peer_samples)
    sys.stdout.write(table(report) + "\n")
    if options.out:
        options.out.write_text(json.dumps(report, indent=2), encoding="utf-8")


def measure(workspace: Workspace, repeat: int, limit: int, peer_samples: int) -> dict[str, Any]:
    """Time pages in a shuffled order: first pages, pages behind them, and pages from random keys; milliseconds."""
    draw = random.Random(0)
    queries = [msgspec.structs.replace(query, limit=limit) for query in _queries(workspace)]
    calls = list(_calls(workspace, queries, repeat, draw))
    draw.shuffle(calls)
    times: dict[str, list[tuple[float, float, QueueQuery]]] = {}
    for kind, query in calls:
        started, worked = time.perf_counter(), time.thread_time()
        workspace.queues.page(query)
        wall, cpu = time.perf_counter() - started, time.thread_time() - worked
        times.setdefault(kind, []).append((wall * 1000, cpu * 1000, query))
    times["all pages"] = list(itertools.chain.from_iterable(times.values()))
    rows = {kind: _summary([wall for wall, _, _ in found]) for kind, found in times.items()}
    rows["all pages, CPU time only"] = _summary([cpu for _, cpu, _ in times["all pages"]])
    for name in LISTS.values():
        alone = [(wall, cpu) for wall, cpu, one in times["all pages"] if one.listed == name]
        rows[f"{name} alone"] = _summary([wall for wall, _ in alone])
        rows[f"{name} alone, CPU time only"] = _summary([cpu for _, cpu in alone])
    rows["counts"] = _counts(workspace)
    rows |= _peer(workspace, draw.sample(queries, min(peer_samples, len(queries))))
    slowest = sorted(times["all pages"], key=lambda one: one[1])[-5:]
    return {
        "items": workspace.items.count(),
        "queries": len(queries),
        "limit": limit,
        "sqlite": sqlite3.sqlite_version,
        "python": platform.python_version(),
        "milliseconds": rows,
        "slowest": [{"cpu_milliseconds": cpu, "query": msgspec.to_builtins(query)} for _, cpu, query in slowest],
    }


def _calls(
    workspace: Workspace, queries: list[QueueQuery], repeat: int, draw: random.Random
) -> Iterator[tuple[str, QueueQuery]]:
    for query in queries:
        yield from [("first page", query)] * repeat
        page = workspace.queues.page(query)
        if page.after is not None:
            yield from [("next page", msgspec.structs.replace(query, after=page.after))] * repeat
            yield from [("page from anywhere", _anywhere(workspace, query, draw)) for _ in range(repeat)]


def _counts(workspace: Workspace) -> dict[str, float]:
    found = []
    for _ in range(200):
        started = time.perf_counter()
        workspace.queues.counts()
        found.append((time.perf_counter() - started) * 1000)
    return _summary(found)


def _queries(workspace: Workspace) -> Iterator[QueueQuery]:
    kinds = [None, "tweet", "product"]
    splits = [None, "", "train", "val", "test"]
    for queue, kind, split, order in itertools.product(queues(), kinds, splits, (*ORDERS, *LISTS)):
        if order in LISTS and LISTS[order] != queue.query.listed:
            continue
        labels: list[str | None] = [None]
        for one in [kind] if kind else ["tweet", "product"]:
            task = workspace.taxonomy.primary(one)
            labels += task.label_names if task else ()
        for label in labels:
            yield msgspec.structs.replace(queue.query, kind=kind, split=split, label=label, order=order)


def _anywhere(workspace: Workspace, query: QueueQuery, draw: random.Random) -> QueueQuery:
    """Return the query behind a random item's key, wherever in the queue that lies."""
    row, value = draw.randrange(1, workspace.items.count() + 1), workspace.queues._db.value
    if query.listed:
        row = value("SELECT row FROM listed WHERE row >= ? AND name = ? LIMIT 1", (row, query.listed)) or 0
    if query.order in LISTS:
        key = value("SELECT place FROM listed WHERE row = ? AND name = ?", (row, query.listed)) or 0.0
    else:
        column = ORDERS[query.order].split()[0].removeprefix("queue.")
        key = value(f"SELECT {column} FROM queue WHERE row = ?", (row,)) or 0.0
    return msgspec.structs.replace(query, after=Cursor(key=key, row=row))


def _peer(workspace: Workspace, queries: list[QueueQuery]) -> dict[str, dict[str, float]]:
    first: list[float] = []
    deep: list[float] = []
    for query in queries:
        for offset, found in ((0, first), (DEEP, deep)):
            started = time.perf_counter()
            _plain(workspace, query, offset)
            found.append((time.perf_counter() - started) * 1000)
    return {"plain SQL, first page": _summary(first), f"plain SQL, OFFSET {DEEP}": _summary(deep)}


def _plain(workspace: Workspace, query: QueueQuery, offset: int) -> None:
    filters = [f"facets.state IN ({', '.join(repr(state) for state in query.states)})"]
    for column, value in (("kind", query.kind), ("split", query.split), ("label", query.label)):
        if value is not None:
            filters.append(f"facets.{column} = {value!r}")
    if query.disagreement:
        filters.append("facets.disagreement = 1")
    listed, order = "", {**ORDERS, **OWN_ORDERS}[query.order]
    if query.listed:
        listed = "JOIN listed NOT INDEXED ON listed.row = queue.row"
        filters.append(f"listed.name = {query.listed!r}")
    workspace.queues._db.all(
        "SELECT queue.row, items.id, items.title, substr(items.text, 1, 80), items.author, items.capture, queue.label,"
        " queue.probability, queue.resolved FROM queue NOT INDEXED JOIN facets ON facets.facet = queue.facet"
        f" JOIN items ON items.row = queue.row {listed} WHERE {' AND '.join(filters)} ORDER BY {order}"
        f" LIMIT {query.limit} OFFSET {offset}"
    )


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
    lines = [f"{report['items']:,} items, {report['queries']:,} queries, pages of {report['limit']}"]
    lines.append(f"{'':28}{'n':>8}{'median ms':>12}{'p99 ms':>10}{'max ms':>10}")
    for name, row in report["milliseconds"].items():
        lines.append(f"{name:28}{row['n']:>8.0f}{row['median']:>12.3f}{row['p99']:>10.3f}{row['max']:>10.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
