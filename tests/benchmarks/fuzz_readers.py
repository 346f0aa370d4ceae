"""Feed every reader mutated files: only clean errors with line numbers, never a traceback, never half a file.

    python tests/benchmarks/fuzz_readers.py --cases 10000

Each case takes a file that one of our writers wrote (or one as another tool writes it), breaks it (bytes flipped, cut,
spliced, repeated, deeply nested, huge numbers, wrong types) and imports it into a workspace. Folders of images have
their list broken in the same way, their images damaged, exchanged for links, folders and other files or taken away, and
names put in that lead out of the folder, are absolute, endless, or no names at all. Parquet is broken in its bytes and
in its rows, which are then written again.

It is a fault if anything but an `EngineError` is raised, if an error has no line, if the workspace then fails its own
checks, if it does not hold exactly what the report says, if a file that lies outside of the folder comes in, or if a
half-written capture is left. Every case follows from `--seed` and its number, which a fault names.
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
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.intake import ImportReport, export, import_paths
from engine.intake.formats import FORMATS
from engine.taxonomy import preset
from engine.types import Action, Box, Item
from engine.workspace import NewDecision, Workspace
from engine.workspace.captures import digest

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


@dataclass(frozen=True)
class Original:
    """Files by their paths; `whole` where the folder that holds them is imported, and not its one file."""

    format: str
    files: dict[str, bytes]
    whole: bool = False


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


def originals(folder: Path) -> list[Original]:
    """Return files and folders worth breaking."""
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
                found.append(Original(name, {file.name: file.read_bytes()}))
            else:
                found += [Original(name, contents(file), whole=True)] * 3
    for name, documents in TOOLS.items():
        found.append(Original(name, {"case.jsonl": "".join(json.dumps(one) + "\n" for one in documents).encode()}))
    return [*found, *([Original("jsonl", plain_folder(), whole=True)] * 2)]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their paths in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def plain_folder() -> dict[str, bytes]:
    """Return a folder of images as anybody writes one."""
    rows = [{"id": f"i{n}", "kind": "tweet", "text": "x", "screenshot": f"{n}.png"} for n in range(4)]
    listed = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return {"metadata.jsonl": listed, **{f"{n}.png": picture() for n in range(4)}}


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


NAMES = (
    "../secret.png",
    "x/../../secret.png",
    "/etc/passwd",
    "{outside}/secret.png",
    "link.png",
    "out/secret.png",
    "a\0.png",
    "n" * 300,
    "d/" * 3_000 + "x.png",
    ".",
    "..",
    "",
    "\u202egnp.x",
    "file:///etc/passwd",
    "..\\secret.png",
    "C:\\secret.png",
    "0.png/",
    "metadata.jsonl",
    "loop.png",
    "folder.png",
)


def rename(draw: random.Random, raw: bytes, outside: Path) -> bytes:
    """Let some rows of a list name other files."""
    rows = []
    for line in raw.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return raw
        if isinstance(row, dict) and draw.random() < 0.6:
            name = draw.choice(NAMES).replace("{outside}", str(outside))
            row[draw.choice(("file_name", "screenshot", "capture"))] = name
        rows.append(row)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def break_folder(draw: random.Random, files: dict[str, bytes], folder: Path, outside: Path) -> None:
    """Write a folder's files, some of them broken."""
    files = dict(files)
    lists = [name for name in files if name.endswith(".jsonl")]
    for _ in range(draw.choice((1, 1, 2, 3))):
        name = draw.choice(sorted(files))
        match draw.choice(("list", "list", "names", "names", "bytes", "gone", "swapped", "moved")):
            case "list":
                name = draw.choice(lists)
                files[name] = draw.choice(MUTATIONS)(draw, files.get(name) or b" ")
            case "names":
                name = draw.choice(lists)
                files[name] = rename(draw, files.get(name, b""), outside)
            case "bytes":
                files[name] = draw.choice(MUTATIONS[:4])(draw, files[name] or b" ")
            case "gone" if len(files) > 1:
                del files[name]
            case "swapped":
                files[name] = files[draw.choice(sorted(files))]
            case "moved":
                files[f"train/{name}"] = files.pop(name)
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    (folder / "link.png").symlink_to(outside / "secret.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "out").symlink_to(outside)
    (folder / "folder.png").mkdir()
    if draw.random() < 0.3:
        victim = folder / draw.choice(sorted(files))
        victim.unlink()
        victim.symlink_to(outside / draw.choice(("secret.png", "nothing")))


def rows_of_parquet(draw: random.Random, raw: bytes) -> bytes:
    """Put values of other kinds into a Parquet file's rows; where they fit no column together, all become text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(BytesIO(raw)).to_pylist()
    for row in draw.sample(rows, min(len(rows), 3)):
        column = draw.choice(sorted(row))
        if isinstance(row[column], dict) and draw.random() < 0.8:
            row[column] = {"bytes": draw.choice(MUTATIONS[:4])(draw, row[column]["bytes"]), "path": draw.choice(NAMES)}
        else:
            row[column] = copy.deepcopy(draw.choice(ODD))
    try:
        table = pa.Table.from_pylist(rows)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        table = pa.Table.from_pylist(
            [{name: None if v is None else str(v)[:99] for name, v in r.items()} for r in rows]
        )
    written = BytesIO()
    try:
        pq.write_table(table, written)
    except pa.ArrowException:
        return flip(draw, raw)
    return written.getvalue()


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


def fault_of_captures(ws: Workspace, secret: str) -> str:
    """Return what is wrong with the kept screenshots, "" for nothing."""
    for path in (ws.path / "captures").rglob("*"):
        if path.is_file() and digest(path.read_bytes()) != path.stem:
            return f"a half-written capture: {path.name}"
        if path.stem == secret:
            return "a file from outside of the folder came in"
    return ""


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
    outside = folder / "outside"
    outside.mkdir()
    hidden = secret()
    (outside / "secret.png").write_bytes(hidden)
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
                chosen = draw.choice(files)
                file = broken(draw, chosen, folder / "case", outside)
                if only is not None:
                    shutil.copytree(folder / "case", f"case-{case}", symlinks=True)
                ended, fault = try_case(ws, file, chosen.format)
                counts[f"{chosen.format}{' folder' if chosen.whole else ''}: {ended}"] += 1
                if fault:
                    faults.append(f"case {case} of seed {seed} ({chosen.format}): {fault}")
                    print(faults[-1])  # noqa: T201
            checks = [ws.decisions.verify(), ws.annotations.verify()]
            reasons = [fault_of_captures(ws, digest(hidden)), *(one.reason for one in checks if not one.ok)]
            faults += [f"cases {first} to {first + 249}: {reason}" for reason in reasons if reason]
            ws.check(full=True)
    return counts, faults


def secret() -> bytes:
    """Return a picture that no import may bring in."""
    from PIL import Image

    written = BytesIO()
    Image.new("RGB", (9, 9), (200, 0, 0)).save(written, "PNG")
    return written.getvalue()


def broken(draw: random.Random, original: Original, place: Path, outside: Path) -> Path:
    """Write a broken file or folder into `place` and return what to import."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    if original.whole:
        break_folder(draw, original.files, place, outside)
        return place
    ((name, raw),) = original.files.items()
    if original.format == "parquet" and draw.random() < 0.6:
        raw = rows_of_parquet(draw, raw)
    else:
        for _ in range(draw.choice((1, 1, 2))):
            raw = draw.choice(MUTATIONS)(draw, raw or b" ")
    (place / name).write_bytes(raw)
    return place / name


if __name__ == "__main__":
    raise SystemExit(main())
