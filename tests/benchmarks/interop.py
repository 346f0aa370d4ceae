"""Check our exports with the packages of the tools themselves, where they are installed.

    python tests/benchmarks/interop.py                              what is installed beside Second Look
    python tests/benchmarks/interop.py --python OTHER/bin/python    what is installed in another environment

Heavy packages are best kept in an environment of their own: the export is written here, the checks run there. A
package that is not there is named as not checked. `--out` takes the results as JSON.

- label-studio-sdk: `LabelInterface` parses and validates our labelling configuration; every annotation and prediction
  passes its `validate_annotation`/`validate_prediction`; its converter turns our tasks into its JSON_MIN and CSV. The
  tasks then go through its `Annotation` and `Prediction`, which keep what Label Studio knows and drop the rest, with
  ids and an account of its own; what we import of that must be the decisions that we exported, reviewers included.
- doccano: its own `JSONLParser` reads our lines; `CategoryLabel.parse`/`SpanLabel.parse` (or, where Django is not set
  up, the same rules by pydantic) take every label, and its `TextData` every text.
- prodigy is sold, not published: it can only be checked where it is installed (its hashes are compared).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

REGIONS = ("price", "image")
RETURNED = "returned.json"


def main() -> int:
    """Write the exports, check them, and print what was found; the exit status is 1 where a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, help="the interpreter whose packages check; this one if left out")
    parser.add_argument("--out", type=Path, default=Path("build/bench/interop.json"))
    parser.add_argument("--check", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.check:
        print(json.dumps([check(given.check) for check in CHECKS]))  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_exports(folder)
        command = [str(given.python or sys.executable), __file__, "--check", str(folder)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            print(ended.stderr)  # noqa: T201
            return 1
        results = json.loads(ended.stdout.strip().splitlines()[-1])
        if (folder / RETURNED).exists():
            results.append(came_back(folder))
    for one in results:
        print(f"{one['tool']} {one.get('version', '')}: {one['result']}")  # noqa: T201
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1))
    return int(any(not one["ok"] for one in results))


def write_exports(folder: Path) -> None:
    """Write a workspace with some of everything in each format. Only this needs Second Look."""
    from io import BytesIO

    from PIL import Image

    from engine.intake import export
    from engine.intake.formats.label_studio_writing import labelling_config
    from engine.taxonomy import preset
    from engine.types import Action, Box, Item
    from engine.workspace import NewDecision, Workspace

    written = BytesIO()
    Image.linear_gradient("L").resize((60, 40)).convert("RGB").save(written, "PNG")
    with Workspace.create(folder / "w.secondlook", preset("products")) as ws:
        regions: dict[str, tuple[Box, ...]] = {"price": ((1.5, 2.0, 10.0, 5.0),), "image": ((0.0, 0.0, 60.0, 40.0),)}
        meta = {"spans": [[0, 4, "brand"]]}
        items = [
            Item(id=f"p{n}", kind="product", text=f"Item {n} Ω", width=60, height=40, regions=regions, meta=meta)
            for n in range(20)
        ]
        ws.items.add((one, written.getvalue()) for one in items)
        verdicts = ws.taxonomy.task("verdict").label_names
        for number, one in enumerate(items[:15]):
            label = verdicts[number % len(verdicts)]
            rows = [
                NewDecision(
                    item=one.id, task="verdict", action=Action.CORRECT, labels=(label,), reviewer="ada", note="n"
                )
            ]
            if label == "prohibited":
                several = ("alcohol", "smoking")
                rows.append(
                    NewDecision(item=one.id, task="reason", action=Action.CORRECT, labels=several, reviewer="ada")
                )
            ws.decisions.record(rows)
        ws.decisions.record([NewDecision(item="p19", action=Action.SKIP, reviewer="ada", seconds=2.0)])
        for name, file in (
            ("label-studio", "tasks.json"),
            ("doccano", "doccano.jsonl"),
            ("doccano-spans", "spans.jsonl"),
        ):
            export(ws, folder / file, format=name)
        export(ws, folder / "prodigy.jsonl", format="prodigy")
        (folder / "config.xml").write_text(labelling_config(ws, regions=REGIONS), encoding="utf-8")


def came_back(folder: Path) -> dict[str, Any]:
    """Import what went through Label Studio's types, and compare with what was exported."""
    from engine.intake import import_paths
    from engine.workspace import Workspace

    with Workspace.open(folder / "w.secondlook") as ws, Workspace.create(folder / "b.secondlook", ws.taxonomy) as back:
        report = import_paths(back, [folder / RETURNED])
        faults = [error.reason for error in report.errors]
        for item in ws.items.iter():
            if back.items.exists([item.id]) and back.items.get(item.id) != item:
                faults.append(f"{item.id} is another item")
            ours, theirs = (
                [(one.reviewer, one.task, one.labels, one.at, one.note) for one in one_of.decisions.of(item.id)]
                for one_of in (ws, back)
            )
            faults += [] if ours == theirs else [f"the decisions on {item.id} are others"]
    good = f"{report.decisions} decisions came back through its types with their reviewers"
    return result("label-studio-sdk, there and back", "the same", faults, good)


# --- checks: these know nothing of Second Look --------------------------------------------------------------------


def found(package: str) -> str:
    """Return a package's version, "" where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def result(tool: str, installed: str, faults: list[str], good: str) -> dict[str, Any]:
    """Return what a check found in words."""
    if not installed:
        return {"tool": tool, "ok": True, "result": "not installed here, not checked"}
    told = good if not faults else f"{len(faults)} faults, the first: {faults[0]}"
    return {"tool": tool, "version": installed, "ok": not faults, "result": told}


def check_label_studio(folder: Path) -> dict[str, Any]:
    """Validate the tasks with Label Studio's own label interface and converter."""
    installed = found("label-studio-sdk")
    faults: list[str] = []
    counted = 0
    if installed:
        from label_studio_sdk.label_interface import LabelInterface  # type: ignore[import-not-found,import-untyped,unused-ignore]

        config = (folder / "config.xml").read_text(encoding="utf-8")
        interface = LabelInterface(config)
        interface.validate()
        tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
        for task in tasks:
            if not interface.validate_task({"data": task["data"]}):
                faults.append(f"the data of {task['data']['text']!r} do not fit the configuration")
            for kind in ("annotations", "predictions"):
                for one in task[kind]:
                    counted += 1
                    faults += interface.validate_prediction(one, return_errors=True)
        faults += convert(folder, config)
        (folder / RETURNED).write_text(json.dumps([through_types(task) for task in tasks]), encoding="utf-8")
    good = f"{counted} annotations and predictions are valid; converted to JSON_MIN and CSV"
    return result("label-studio-sdk", installed, faults, good)


def through_types(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task as Label Studio would export it again."""
    from label_studio_sdk.types.annotation import Annotation  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from label_studio_sdk.types.prediction import Prediction  # type: ignore[import-not-found,import-untyped,unused-ignore]

    def known(kind: Any, one: dict[str, Any], **more: Any) -> dict[str, Any]:
        typed = kind(**{name: value for name, value in one.items() if name in kind.model_fields}, **more)
        return dict(json.loads(typed.model_dump_json()))

    annotations = []
    for number, one in enumerate(task["annotations"], 900):
        imported = {name: value for name, value in one.items() if name != "id"} | {"completed_by": 1}
        annotations.append(known(Annotation, imported, id=number, import_id=one["id"], updated_by=1))
    return {
        "id": task["id"] + 50,
        "data": task["data"],
        "annotations": annotations,
        "predictions": [
            known(Prediction, one, id=number, task=task["id"]) for number, one in enumerate(task["predictions"], 70)
        ],
    }


def convert(folder: Path, config: str) -> list[str]:
    """Return what is wrong with what Label Studio's converter makes of our tasks."""
    from label_studio_sdk.converter import Converter  # type: ignore[import-not-found,import-untyped,unused-ignore]

    converter = Converter(config=config, project_dir=str(folder), download_resources=False)
    output = folder / "converted"
    converter.convert_to_json_min(str(folder / "tasks.json"), str(output), is_dir=False)
    minimal = json.loads((output / "result.json").read_text(encoding="utf-8"))
    converter.convert_to_csv(str(folder / "tasks.json"), str(output), is_dir=False, sep=",", header=True)
    lines = (output / "result.csv").read_text(encoding="utf-8").count("\n")
    said = {one["text"]: one.get("verdict") for one in minimal}
    faults = [] if lines > len(minimal) - 1 else [f"CSV has {lines} lines for {len(minimal)} annotations"]
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    # Where nobody has annotated, the converter takes the predictions; a cancelled annotation counts as none.
    expected = {task["data"]["text"] for task in tasks if not any(one["was_cancelled"] for one in task["annotations"])}
    if set(said) != expected:
        faults.append(f"JSON_MIN holds {len(said)} texts, {len(expected)} were expected")
    if said.get("Item 0 Ω") != "ok":
        faults.append(f"JSON_MIN says {said.get('Item 0 Ω')!r} of the first item")
    return faults


def check_doccano(folder: Path) -> dict[str, Any]:
    """Read the lines with doccano's own parser, and its labels where Django can be set up."""
    installed = found("doccano")
    faults: list[str] = []
    how = ""
    if installed:
        backend = Path(importlib.util.find_spec("backend").submodule_search_locations[0])  # type: ignore[union-attr,index]
        sys.path.insert(0, str(backend))
        try:
            faults, how = parse_doccano(folder)
        except ImportError as error:
            return {"tool": "doccano", "version": installed, "ok": True, "result": f"not checked: {error}"}
    return result("doccano", installed, faults, how)


def parse_doccano(folder: Path) -> tuple[list[str], str]:
    """Return (faults, what was checked)."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    import django  # type: ignore[import-not-found,import-untyped,unused-ignore]

    django.setup()
    from data_import.pipeline.data import TextData  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from data_import.pipeline.label import CategoryLabel, SpanLabel  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from data_import.pipeline.parsers import JSONLParser  # type: ignore[import-not-found,import-untyped,unused-ignore]

    faults: list[str] = []
    counts = {"labels": 0, "spans": 0, "texts": 0}
    for name, label, key in (("doccano.jsonl", CategoryLabel, "labels"), ("spans.jsonl", SpanLabel, "spans")):
        parser = JSONLParser(encoding="utf-8")
        rows = list(parser.parse(str(folder / name)))
        faults += [str(error) for error in parser.errors]
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        if len(rows) != len(lines):
            faults.append(f"{name}: {len(rows)} rows of {len(lines)} lines")
        for row in rows:
            counts["texts"] += 1
            given = {one: value for one, value in row.items() if not one.startswith("#")}
            labels = given.pop("label")
            uuid = "3f1c2b1e-0000-4000-8000-000000000000"
            TextData.parse(example_uuid=uuid, filename=name, upload_name=name, **given)
            for one in labels:
                label.parse(example_uuid=uuid, obj=one)
                counts[key] += 1
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return faults, f"JSONLParser, TextData, CategoryLabel and SpanLabel took {told}"


def check_prodigy(folder: Path) -> dict[str, Any]:
    """Set Prodigy's hashes on our lines; it keeps those that are there."""
    installed = found("prodigy")
    faults: list[str] = []
    lines = [json.loads(line) for line in (folder / "prodigy.jsonl").read_text(encoding="utf-8").splitlines()]
    if installed:
        from prodigy import set_hashes  # type: ignore[import-not-found,import-untyped,unused-ignore]

        faults = [
            f"the input hash of {one['text']!r} changed"
            for one in lines
            if set_hashes(dict(one))["_input_hash"] != one["_input_hash"]
        ]
    return result("prodigy", installed, faults, f"{len(lines)} lines keep their hashes")


CHECKS: tuple[Callable[[Path], dict[str, Any]], ...] = (check_label_studio, check_doccano, check_prodigy)


if __name__ == "__main__":
    raise SystemExit(main())
