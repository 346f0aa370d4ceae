"""Export many decisions in every format: time, and the most memory that the process holds while it streams.

    python tests/benchmarks/export_million.py                       1,000,000 decisions
    python tests/benchmarks/export_million.py --decisions 20000     the same on a small workspace

A workspace with two decisions an item is generated first, by importing JSON lines, whose time and memory are measured
in the same way; `--keep FOLDER` keeps it for the next time. Each measurement runs in a process of its own; its peak is
the resident set's (`VmHWM`), less what the same process holds before it starts. The peer is the export of a tenth of
the decisions: memory is bounded where ten times as many take hardly more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PER_ITEM = 2
NAMES = ("jsonl", "csv", "doccano", "label-studio", "prodigy")


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--formats", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the workspaces are kept, or found")
    parser.add_argument("--out", type=Path, default=Path("build/bench/export_million.json"))
    parser.add_argument("--measure", nargs=3, metavar=("WHAT", "WORKSPACE", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(*given.measure)))  # noqa: T201
        return 0
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for decisions in (given.decisions // 10, given.decisions):
            rows += run(folder, decisions, list(given.formats))
    told(rows)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(rows, indent=1))
    return 0


def run(folder: Path, decisions: int, formats: list[str]) -> list[dict[str, Any]]:
    """Return the measurements on a workspace of that many decisions, the import that makes it first."""
    workspace, source = folder / f"{decisions}.secondlook", folder / f"{decisions}.jsonl"
    rows = []
    if not workspace.exists():
        generate(source, decisions)
        rows.append(child("import", workspace, source) | {"decisions": decisions})
        source.unlink()
    for name in formats:
        file = folder / f"out-{name}"
        rows.append(child(name, workspace, file) | {"decisions": decisions, "bytes": file.stat().st_size})
        file.unlink()
    return rows


def generate(file: Path, decisions: int) -> None:
    """Write our own export of items with two decisions each."""
    with file.open("w", encoding="utf-8") as lines:
        for number in range(decisions // PER_ITEM):
            item = f"item-{number:07}"
            said = [
                {
                    "number": 2 * number + which + 1,
                    "act": f"{number:x}-{which}",
                    "item": item,
                    "task": "toxicity",
                    "action": "correct",
                    "labels": ["toxic" if (number + which) % 3 else "non-toxic"],
                    "reviewer": ("ada", "grace")[which],
                    "at": "2026-01-02T03:04:05.678Z",
                    "seconds": 2.5,
                    "note": "=a note" if number % 10 == 0 else "",
                }
                for which in range(PER_ITEM)
            ]
            known = {"resolved": {}, "verdict": {}, "annotations": [], "decisions": said}
            text = f"The words of item {number}, as long as those of a short message usually are, with a Ω in them"
            lines.write(json.dumps({"id": item, "kind": "tweet", "text": text, **known}) + "\n")


def child(what: str, workspace: Path, file: Path) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, str(workspace), str(file)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(  # noqa: T201
        f"{what}: {found['cpu_seconds']:.1f} s of CPU time, {found['peak_mb'] - found['start_mb']:.0f} MB more",
        flush=True,
    )
    return found


def measure(what: str, workspace: str, file: str) -> dict[str, Any]:
    """Import `file` into a new workspace or export to it, and return what it took."""
    from engine.intake import export, import_paths
    from engine.taxonomy import preset
    from engine.workspace import Workspace

    if what == "import":
        ws = Workspace.create(workspace, preset("tweets"))
    else:
        ws = Workspace.open(workspace, read_only=True, check=False)
    with ws:
        before, cpu, clock = resident("VmRSS"), time.process_time(), time.perf_counter()
        if what == "import":
            report = import_paths(ws, [file])
            done = report.decisions
            assert not report.errors, report.errors[:1]
        else:
            done = export(ws, file, format=what).rows
        seconds = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - cpu}
    return {"what": what, "rows": done, "start_mb": before, "peak_mb": resident("VmHWM"), **seconds}


def resident(name: str) -> float:
    """Return a figure of this process's memory in MB, as the kernel counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def told(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    small = {row["what"]: row["peak_mb"] - row["start_mb"] for row in rows if row["decisions"] == rows[0]["decisions"]}
    print(f"{'':14}{'decisions':>11}{'CPU s':>8}{'a second':>10}{'MB file':>9}{'MB more':>9}{'× a tenth':>11}")  # noqa: T201
    for row in rows:
        more = row["peak_mb"] - row["start_mb"]
        rate = row["decisions"] / max(row["cpu_seconds"], 1e-9)
        ratio = more / max(small.get(row["what"], more), 0.1)
        size = row.get("bytes", 0) / 1e6
        print(  # noqa: T201
            f"{row['what']:14}{row['decisions']:>11,}{row['cpu_seconds']:>8.1f}{rate:>10,.0f}"
            f"{size:>9.1f}{more:>9.1f}{ratio:>11.2f}"
        )


if __name__ == "__main__":
    raise SystemExit(main())
