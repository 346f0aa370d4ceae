"""Feed every reader mutated files: only clean errors with line numbers, never a traceback, never half a file.

    python tests/benchmarks/fuzz_readers.py --cases 10000

Each case takes a file that one of our writers wrote (or one as another tool writes it), breaks it (bytes flipped, cut,
spliced, repeated, deeply nested, huge numbers, wrong types) and imports it into a workspace. It is a fault if anything
but an `EngineError` is raised, if an error has no line, if the workspace then fails its own checks, or if it does not
hold exactly what the report says. Every case follows from `--seed` and its number, which a fault names.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.intake import ImportReport, export, import_paths
from engine.intake.formats import FORMATS
from engine.taxonomy import preset
from engine.types import Action, Box, Item
from engine.workspace import NewDecision, Workspace

TOOLS: dict[str, Any] = {
    "doccano": [
        {"id": 1, "text": "hello", "label": ["toxic"], "Comments": ["why"]},
        {"id": 2, "text": "Jo in Rome", "label": [[0, 2, "name"]], "Comments": []},
        {
            "id": 3,
            "text": "x",
            "entities": [{"id": 1, "label": "n", "start_offset": 0, "end_offset": 1}],
            "relations": [],
        },
    ],
    "prodigy": [
        {"text": "a", "label": "toxic", "answer": "accept", "_input_hash": 5, "_task_hash": 6, "_annotator_id": "ada"},
        {"text": "a", "accept": ["toxic"], "options": [{"id": "toxic", "text": "Toxic"}], "answer": "ignore"},
    ],
}
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    10**30,
    "",
    "\u202e",
    [],
    {},
    [[[[]]]],
    {"a": {"a": {}}},
    "=1+1",
    "x" * 10_000,
    [None],
    0.1,
)


def picture() -> bytes:
    """Return a small PNG file."""
    from PIL import Image

    written = BytesIO()
    Image.linear_gradient("L").resize((24, 16)).save(written, "PNG")
    return written.getvalue()


def seed_workspace(path: Path) -> Workspace:
    """Make a workspace with a little of everything."""
    ws = Workspace.create(path, preset("both"))
    regions: dict[str, tuple[Box, ...]] = {"price": ((1.0, 2.0, 10.0, 5.0),)}
    product = Item(
        id="p", kind="product", title="=Gin", width=24, height=16, regions=regions, meta={"shop": [1, {"a": 2}]}
    )
    tweets = [
        Item(id=f"t{n}", kind="tweet", text=f"text {n}\nΩ", author="@a", truths={"toxicity": ("toxic",)})
        for n in range(6)
    ]
    ws.items.add([(product, picture()), *((one, None) for one in tweets)])
    for one in tweets[:4]:
        said = NewDecision(
            item=one.id, task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada", note="-n"
        )
        ws.decisions.record([said])
    ws.decisions.undo("ada")
    ws.decisions.record([NewDecision(item="p", action=Action.SKIP, reviewer="eve", seconds=1.5)])
    return ws


def originals(folder: Path) -> list[tuple[str, bytes]]:
    """Return (format, bytes) of files worth breaking."""
    found = []
    with seed_workspace(folder / "seed.secondlook") as ws:
        for name, one in FORMATS.items():
            if not (one.reads and one.writes):
                continue
            file = folder / f"seed-{name}{one.suffixes[0] if one.suffixes else '.jsonl'}"
            try:
                export(ws, file, format=name)
            except EngineError as error:
                print(f"{name}: not tried ({error})")  # noqa: T201
                continue
            if file.is_file():
                found.append((name, file.read_bytes()))
            else:
                print(f"{name}: not tried (it writes a folder)")  # noqa: T201
    for name, documents in TOOLS.items():
        found.append((name, "".join(json.dumps(one) + "\n" for one in documents).encode()))
    return found


# --- mutations ----------------------------------------------------------------------------------------------------


def flip(draw: random.Random, raw: bytes) -> bytes:
    """Change some bytes."""
    changed = bytearray(raw)
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def cut(draw: random.Random, raw: bytes) -> bytes:
    """Keep a part."""
    return raw[: draw.randrange(len(raw))] if draw.random() < 0.7 else raw[draw.randrange(len(raw)) :]


def splice(draw: random.Random, raw: bytes) -> bytes:
    """Put a piece of the file somewhere else in it."""
    start, at = draw.randrange(len(raw)), draw.randrange(len(raw))
    return raw[:at] + raw[start : start + draw.randint(1, 400)] + raw[at:]


def nest(draw: random.Random, raw: bytes) -> bytes:
    """Put many opening brackets somewhere."""
    at = draw.randrange(len(raw))
    return raw[:at] + draw.choice((b"[", b'{"a":', b'"', b"(")) * draw.choice((10, 2_000, 100_000)) + raw[at:]


def numbers(draw: random.Random, raw: bytes) -> bytes:
    """Put a number that fits nowhere in the place of a digit."""
    places = [place for place, byte in enumerate(raw) if 48 <= byte <= 57]
    if not places:
        return flip(draw, raw)
    at = draw.choice(places)
    huge = draw.choice(
        (b"9" * 5_000, b"1e999", b"-1e-999", b"NaN", b"Infinity", b"99999999999999999999", b"0x1f", b"-0")
    )
    return raw[:at] + huge + raw[at + 1 :]


def types(draw: random.Random, raw: bytes) -> bytes:
    """Put values of other types in the places of some values of a JSON document or of its lines."""
    try:
        documents = json.loads(raw)
        whole = True
    except (ValueError, RecursionError):
        whole = False
        try:
            documents = [json.loads(line) for line in raw.splitlines()]
        except (ValueError, RecursionError):
            return splice(draw, raw)
    for _ in range(draw.randint(1, 3)):
        swap(draw, documents)
    if whole or not isinstance(documents, list):
        return json.dumps(documents).encode()
    return "".join(json.dumps(one) + "\n" for one in documents).encode()


def swap(draw: random.Random, value: Any) -> None:
    """Change one value somewhere inside, its type too."""
    while isinstance(value, dict | list) and value:
        key = draw.choice(list(value)) if isinstance(value, dict) else draw.randrange(len(value))
        if draw.random() < 0.3 or not isinstance(value[key], dict | list) or not value[key]:
            value[key] = copy.deepcopy(draw.choice(ODD))
            return
        value = value[key]


MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (flip, cut, splice, nest, numbers, types, types, types)


# --- checks -------------------------------------------------------------------------------------------------------


def try_case(ws: Workspace, file: Path, name: str) -> tuple[str, str]:
    """Import a file; return how it ended ("came in", "rows refused", "file refused") and what is wrong with that."""
    items, decisions = ws.items.count(), ws.decisions.head()[0]
    try:
        report = import_paths(ws, [file], format=name, kind="tweet")
    except EngineError as error:
        changed = (ws.items.count(), ws.decisions.head()[0]) != (items, decisions)
        return "file refused", f"something came in although: {error}" if changed or not str(error) else ""
    except Exception:  # noqa: BLE001 - finding these is what the fuzzer is for
        return "traceback", traceback.format_exc()
    return ("rows refused" if report.errors else "came in"), fault_of(ws, report, items, decisions)


def fault_of(ws: Workspace, report: ImportReport, items: int, decisions: int) -> str:
    """Return what is wrong with a report, "" for nothing."""
    if (ws.items.count() - items, ws.decisions.head()[0] - decisions) != (report.imported, report.decisions):
        return "the workspace does not hold what the report says"
    bad = [error for error in report.errors if error.line < 1 or not error.reason]
    return f"an error without a line or a reason: {bad[0]}" if bad else ""


def main() -> int:
    """Run the cases; the exit status is 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this case alone, and keep its file")
    parser.add_argument("--out", type=Path, default=Path("build/bench/fuzz_readers.json"))
    given = parser.parse_args()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        counts, faults = run(Path(name), given.cases, given.seed, given.only)
    seconds = time.process_time() - started
    for ended, count in sorted(counts.items()):
        print(f"{count:7,}  {ended}")  # noqa: T201
    print(f"{sum(counts.values()):,} cases in {seconds:.0f} s of CPU time, {len(faults)} faults")  # noqa: T201
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"counts": counts, "faults": faults, "cpu_seconds": seconds}, indent=1))
    return 1 if faults else 0


def run(folder: Path, cases: int, seed: int, only: int | None) -> tuple[Counter[str], list[str]]:
    """Run the cases in a folder; a workspace is changed for a new one every so often, and checked before that."""
    files = originals(folder)
    counts: Counter[str] = Counter()
    faults: list[str] = []
    empty = folder / "empty.secondlook"
    Workspace.create(empty, preset("both")).close()
    for first in range(0, cases, 250):
        path = folder / "w.secondlook"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(empty, path)
        with Workspace.open(path) as ws:
            for case in range(first, min(cases, first + 250)):
                if only is not None and case != only:
                    continue
                draw = random.Random(f"{seed}-{case}")
                format_name, raw = draw.choice(files)
                for _ in range(draw.choice((1, 1, 2))):
                    raw = draw.choice(MUTATIONS)(draw, raw or b" ")
                suffixes = FORMATS[format_name].suffixes
                file = folder / f"case{suffixes[0] if suffixes else '.jsonl'}"
                file.write_bytes(raw)
                if only is not None:
                    Path(f"case-{case}-{file.name}").write_bytes(raw)
                ended, fault = try_case(ws, file, format_name)
                counts[f"{format_name}: {ended}"] += 1
                if fault:
                    faults.append(f"case {case} of seed {seed} ({format_name}): {fault}")
                    print(faults[-1])  # noqa: T201
            checks = [ws.decisions.verify(), ws.annotations.verify()]
            faults += [f"cases {first} to {first + 249}: {one.reason}" for one in checks if not one.ok]
            ws.check(full=True)
    return counts, faults


if __name__ == "__main__":
    raise SystemExit(main())
