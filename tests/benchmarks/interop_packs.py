"""Check image folders, Parquet and tables of labellers with the packages that they are for.

    python tests/benchmarks/interop_packs.py --python OTHER/bin/python --data ../shared/data --out interop_packs.json

The packages are heavy and are no dependencies of ours: OTHER is any Python that has them (python -m venv OTHER;
OTHER/bin/pip install datasets crowd-kit cleanlab pillow). One that is missing is named, not passed over in silence.

Real answers of many labellers (`--data`/truth_inference) go file → workspace → crowd-kit's and cleanlab's form, and
each package must come to the same labels from our file as from the original one.
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

import msgspec
from PIL import Image

from engine.intake import export, import_paths
from engine.taxonomy import parse_taxonomy, preset
from engine.types import Action, Box, Item
from engine.workspace import NewDecision, Workspace

VERSIONS = """
import importlib.metadata as m, json
found = {}
for name in ("datasets", "pyarrow", "pillow", "crowd-kit", "cleanlab"):
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: found[name] = None
print(json.dumps(found))
"""
LOAD = """
import json, os, sys
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HOME=sys.argv[3])
import datasets
datasets.disable_progress_bars()
kind, path = sys.argv[1:3]
where = {"data_dir": path} if kind == "imagefolder" else {"data_files": path}
found = datasets.load_dataset(kind, split="train", **where)
rows = [{**{k: v for k, v in row.items() if k != "image"}, "size": row["image"] and list(row["image"].size)}
        for row in found]
from datasets.table import embed_table_storage
whole = found.with_format("arrow").map(embed_table_storage, batched=True).with_format(None)
whole.to_parquet(sys.argv[4])
print(json.dumps({"features": {k: str(v) for k, v in found.features.items()}, "rows": rows}))
"""
CROWDKIT = """
import json, sys
import pandas as pd
from crowdkit.aggregation import DawidSkene, MajorityVote
def table(path, names):
    frame = pd.read_csv(path, dtype=str).rename(columns=names)
    return frame[["task", "worker", "label"]]
theirs, ours = table(sys.argv[1], {"item": "task"}), table(sys.argv[2], {})
key = ["task", "worker", "label"]
same = theirs.sort_values(key).values.tolist() == ours.sort_values(key).values.tolist()
order = theirs.merge(ours, on=key, how="left")[key]
majority = MajorityVote().fit_predict(theirs).sort_index().equals(MajorityVote().fit_predict(order).sort_index())
skene = DawidSkene(n_iter=20).fit_predict(theirs).sort_index().equals(
    DawidSkene(n_iter=20).fit_predict(order).sort_index())
truth = pd.read_csv(sys.argv[3], dtype=str).set_index("item")["truth"]
found = MajorityVote().fit_predict(ours)
accuracy = float((found.reindex(truth.index) == truth).mean())
print(json.dumps({"answers": len(theirs), "written": len(ours), "same_answers": same, "same_majority": majority,
                  "same_dawid_skene": skene, "majority_accuracy": accuracy}))
"""
CLEANLAB = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from cleanlab.internal.multiannotator_utils import format_multiannotator_labels
from cleanlab.multiannotator import convert_long_to_wide_dataset, get_majority_vote_label
def wide(path, names):
    frame = pd.read_csv(path, dtype={"label": int}).rename(columns=names)[["task", "annotator", "label"]]
    return convert_long_to_wide_dataset(frame.drop_duplicates(["task", "annotator"], keep="last"))
theirs, ours = wide(sys.argv[1], {"item": "task", "worker": "annotator"}), wide(sys.argv[2], {})
ours = ours.reindex(index=theirs.index, columns=theirs.columns)
same = bool(np.array_equal(theirs.to_numpy(float), ours.to_numpy(float), equal_nan=True))
a, b = (format_multiannotator_labels(one)[0] for one in (theirs, ours))
majority = bool((get_majority_vote_label(a) == get_majority_vote_label(b)).all())
print(json.dumps({"shape": list(theirs.shape), "same_table": same, "same_majority": majority}))
"""


def main() -> None:
    """Read the command line, check, print, write JSON; the exit status is 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--python", default=sys.executable, help="a Python that has the packages")
    parser.add_argument("--data", type=Path, help="the folder that holds truth_inference/")
    parser.add_argument("--sets", nargs="*", help="only these of its sets")
    parser.add_argument("--out", type=Path, default=Path("build/bench/interop_packs.json"))
    options = parser.parse_args()
    versions = ask(options.python, VERSIONS)
    say("Packages: " + ", ".join(f"{name} {version or 'NOT INSTALLED'}" for name, version in versions.items()))
    report: dict[str, Any] = {"versions": versions, "sets": {}}
    with tempfile.TemporaryDirectory() as folder:
        if versions["datasets"]:
            report["datasets"] = with_datasets(options.python, Path(folder))
        for source in sets(options.data, options.sets):
            report["sets"][source.name] = with_labellers(options.python, source, Path(folder), versions)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2), encoding="utf-8")
    if '"ok": false' in json.dumps(report):
        sys.exit(1)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def ask(python: str, code: str, *arguments: object) -> Any:
    """Run code in the other Python and return the JSON that it prints last."""
    command = [python, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The check failed in {python}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def sets(data: Path | None, wanted: list[str] | None) -> list[Path]:
    """Return the folders of truth_inference to use, the small ones first."""
    folder = (data or Path()) / "truth_inference"
    if data is None or not folder.is_dir():
        say("truth_inference is not there (--data FOLDER): labellers' tables are not checked on real answers.")
        return []
    found = [path.parent for path in folder.glob("*/label.csv") if not wanted or path.parent.name in wanted]
    return sorted(found, key=lambda path: (path / "label.csv").stat().st_size)


def with_datasets(python: str, folder: Path) -> dict[str, Any]:
    """Let `datasets` load both forms, compare, and import what it writes, with its pictures embedded."""
    report: dict[str, Any] = {}
    with sample(folder / "sample.secondlook") as ws:
        pictured = {item.id: item for item in ws.items.iter() if item.capture is not None}
        for kind, name in (("imagefolder", "folder"), ("parquet", "all.parquet")):
            export(ws, folder / name, format=kind)
            cache, again = folder / f"cache-{kind}", folder / f"{kind}-again.parquet"
            loaded = ask(python, LOAD, kind, folder / name, cache, again)
            rows = {row["id"]: row for row in loaded["rows"]}
            wanted = set(pictured) if kind == "imagefolder" else {item.id for item in ws.items.iter()}
            good = set(rows) == wanted and "Image" in loaded["features"]["image"]
            for item in ws.items.get_many(sorted(wanted)):
                size = [item.width, item.height] if item.capture else None
                good &= rows[item.id]["size"] == size and rows[item.id]["text"] == item.text
                resolved = ws.decisions.resolved(item.id).get("toxicity", (None,))[0]
                good &= rows[item.id]["task.toxicity"] == resolved
            with Workspace.create(folder / f"{kind}.secondlook", ws.taxonomy) as target:
                back = import_paths(target, [again])
                same = all(target.items.get(one) == ws.items.get(one) for one in wanted)
            report[kind] = {"rows": len(rows), "ok": good and same and not back.errors}
            how = "the same there and back" if report[kind]["ok"] else "DIFFERENT"
            say(f"datasets, {kind}: {len(rows)} rows, {how}")
    return report


def sample(path: Path) -> Workspace:
    """Return a workspace of 40 tweets, 30 of them with a screenshot, 20 decided."""
    ws = Workspace.create(path, preset("tweets"))
    png = path / "x.png"
    rows = []
    for number in range(40):
        size = (30 + number, 20)
        Image.new("RGB", size, (number, 80, 160)).save(png)
        shown = number < 30
        regions: dict[str, tuple[Box, ...]] = {"text": ((0.0, 0.0, 10.0, 5.5),)} if shown else {}
        about = Item(
            id=f"t{number}",
            kind="tweet",
            text=f"«κείμενο» {number}",
            meta={"n": number},
            regions=regions,
            subsets=("a",),
        )
        rows.append((_sized(about, size) if shown else about, png.read_bytes() if shown else None))
    ws.items.add(rows)
    for number in range(20):
        label = ("toxic", "non-toxic")[number % 2]
        new = NewDecision(item=f"t{number}", task="toxicity", action=Action.CORRECT, labels=(label,), reviewer="ann")
        ws.decisions.record([new])
    return ws


def with_labellers(python: str, source: Path, folder: Path, versions: dict[str, str | None]) -> dict[str, Any]:
    """Take a set in, write it for both packages, and compare what each makes of our file and of the original."""
    labels = sorted({line.rsplit(",", 1)[1] for line in (source / "label.csv").read_text().split()[1:]})
    report: dict[str, Any] = {}
    with Workspace.create(folder / f"{source.name}.secondlook", parse_taxonomy(taxonomy(labels))) as ws:
        started = time.process_time()
        taken = import_paths(ws, [source / "label.csv"], kind="tweet")
        report["import"] = {
            "items": taken.imported,
            "answers": taken.decisions,
            "cpu_seconds": round(time.process_time() - started, 2),
            "ok": not taken.errors and not taken.warnings and ws.decisions.verify().ok,
        }
        for name in ("crowdkit", "cleanlab"):
            export(ws, folder / f"{source.name}-{name}.csv", format=name)
    ours = folder / f"{source.name}-crowdkit.csv"
    if versions["crowd-kit"]:
        found = ask(python, CROWDKIT, source / "label.csv", ours, source / "truth.csv")
        report["crowd-kit"] = found | {"ok": found["same_majority"] and found["same_dawid_skene"]}
    if versions["cleanlab"]:
        found = ask(python, CLEANLAB, source / "label.csv", folder / f"{source.name}-cleanlab.csv")
        report["cleanlab"] = found | {"ok": found["same_table"] and found["same_majority"]}
    say(f"{source.name}: {json.dumps(report)}")
    return report


def taxonomy(labels: list[str]) -> str:
    """Return a taxonomy of one question with these labels."""
    keys = "123456789acdfijklmopqrvwxyz"
    rows = ", ".join(
        f'{{ name = "{label}", title = "{label}", key = "{keys[number]}", severity = 0 }}'
        for number, label in enumerate(labels)
    )
    head = 'name = "votes"\n[[tasks]]\nname = "answer"\ntitle = "Answer"\nkind = "single"\napplies_to = ["tweet"]\n'
    return f"{head}labels = [{rows}]\n"


def _sized(item: Item, size: tuple[int, int]) -> Item:
    return msgspec.structs.replace(item, width=size[0], height=size[1])


if __name__ == "__main__":
    main()
