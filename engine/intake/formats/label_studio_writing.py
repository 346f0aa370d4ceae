"""Write Label Studio tasks: decisions as annotations, verdicts and the page's regions as predictions.

One annotation holds one act (a visit of a reviewer). Label Studio refuses a file whose `completed_by` names somebody
who is no member of the project, so only reviewers that are its accounts are named there. Label Studio keeps a task's
`data` as it is and drops what it does not know of an annotation, so everybody is named in `data.secondlook`, by the
number of the annotation, which Label Studio gives back as its `import_id`; with it is all that it has no field for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from engine.intake.formats.base import Format, Writing, written_whole
from engine.intake.formats.known import Known, known_items
from engine.intake.formats.label_studio import ANNOTATIONS, MODELS, TRUTH, USER, count, read, sniff
from engine.intake.formats.labels import OURS, extras_of, standing_rows, told
from engine.intake.pictures import as_data_uri
from engine.intake.report import ExportReport
from engine.intake.screenshots import Screenshots
from engine.types import Action, Decision, Item
from engine.workspace import Workspace

_ANSWERS = (Action.CONFIRM, Action.CORRECT)
REGIONS = "regions"
"""The name of the control for rectangles, and of the pretended model that found them."""


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write one task per item."""
    done = 0
    screenshots = Screenshots(ws)
    with written_whole(path) as file:
        for known in known_items(ws, how):
            file.write(b",\n" if done else b"[\n")
            done += 1
            file.write(msgspec.json.encode(_task(known, screenshots.of(known.item), done)))
        file.write(b"\n]\n" if done else b"[]\n")
    return ExportReport(file=str(path), format="label-studio", items=done, rows=done, notes=screenshots.notes)


def _task(known: Known, png: bytes | None, number: int) -> dict[str, Any]:
    item = known.item
    data: dict[str, Any] = {"text": item.text or item.title}
    if png is not None:
        data["image"] = as_data_uri(png)
    others = item.meta.get("predictions")
    annotations = [{"id": place} | one for place, one in enumerate([*_truths(item), *_annotations(known)], 1)]
    predictions = [*_verdicts(known), *_regions(item)]
    own = {
        "id": item.id,
        "text": item.text,
        ANNOTATIONS: {str(one["id"]): one.pop(OURS) for one in annotations},
        MODELS: sorted({one["model_version"] for one in predictions}),
    }
    return {
        "id": number,
        "data": data | {OURS: extras_of(item) | own},
        "annotations": annotations,
        "predictions": [*predictions, *(others if isinstance(others, list) else [])],
    }


def _truths(item: Item) -> Iterator[dict[str, Any]]:
    if item.truths:
        results = [_choices(item, task, labels) for task, labels in item.truths.items()]
        yield {"result": results, "ground_truth": True, "was_cancelled": False, OURS: {TRUTH: True}}


def _annotations(known: Known) -> Iterator[dict[str, Any]]:
    for act, group in groupby(standing_rows(known.decisions), key=lambda one: one.act):
        rows = list(group)
        last = rows[-1]
        answers = {one.task: one.labels for one in rows if one.action in _ANSWERS}
        annotation = {
            "result": [_choices(known.item, task, labels) for task, labels in answers.items()],
            "was_cancelled": any(one.action is Action.SKIP for one in rows),
            "ground_truth": False,
            "lead_time": last.seconds,
            "created_at": last.at,
            "updated_at": last.at,
            "unique_id": act,
            OURS: {"reviewer": last.reviewer, "decisions": [told(one) | _crossed(known, one) for one in rows]},
        }
        number = last.reviewer.removeprefix(USER)
        if last.reviewer.startswith(USER) and number.isdecimal():
            annotation["completed_by"] = int(number)
        yield annotation


def _crossed(known: Known, decision: Decision) -> dict[str, Any]:
    from engine.workspace.marks import plain

    marks = [plain(one, label=one.label) for one in known.annotations if one.decision == decision.number]
    return {"crossed_out": marks} if marks else {}


def _verdicts(known: Known) -> Iterator[dict[str, Any]]:
    for task, verdict in known.verdicts.items():
        result = [_choices(known.item, task, verdict.labels)]
        own = {"task": task, "probabilities": verdict.probabilities}
        yield {"model_version": verdict.model, "score": verdict.probability, "result": result, OURS: own}


def _regions(item: Item) -> Iterator[dict[str, Any]]:
    """Give the page's regions as rectangles in percent, which needs the screenshot's size."""
    if not (item.regions and item.width and item.height):
        return
    results = []
    for name, boxes in item.regions.items():
        for number, (x, y, width, height) in enumerate(boxes):
            value = {
                "x": 100 * x / item.width,
                "y": 100 * y / item.height,
                "width": 100 * width / item.width,
                "height": 100 * height / item.height,
                "rotation": 0,
                "rectanglelabels": [name],
            }
            result = {"id": _id(item.id, name, number), "type": "rectanglelabels", "value": value}
            names = {"from_name": REGIONS, "to_name": "image"}
            size = {"original_width": item.width, "original_height": item.height, "image_rotation": 0}
            results.append(result | names | size)
    yield {"model_version": REGIONS, "result": results, OURS: {}}


def _choices(item: Item, task: str, labels: tuple[str, ...]) -> dict[str, Any]:
    about = "text" if item.text or item.title else "image"
    value = {"choices": list(labels)}
    return {"id": _id(item.id, task, 0), "from_name": task, "to_name": about, "type": "choices", "value": value}


def _id(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:10]


def labelling_config(ws: Workspace, *, regions: tuple[str, ...] = ()) -> str:
    """Return the labelling configuration (XML) of a Label Studio project that takes these tasks."""
    from xml.sax.saxutils import quoteattr

    lines = ["<View>", '  <Text name="text" value="$text"/>', '  <Image name="image" value="$image"/>']
    for task in ws.taxonomy.tasks:
        choice = "multiple" if task.multi else "single"
        lines.append(f'  <Choices name={quoteattr(task.name)} toName="text" choice="{choice}">')
        lines += [f"    <Choice value={quoteattr(name)}/>" for name in task.label_names]
        lines.append("  </Choices>")
    if regions:
        lines.append(f'  <RectangleLabels name="{REGIONS}" toName="image">')
        lines += [f"    <Label value={quoteattr(name)}/>" for name in regions]
        lines.append("  </RectangleLabels>")
    return "\n".join([*lines, "</View>"])


FORMAT = Format(
    name="label-studio",
    title="Label Studio tasks",
    describes="tasks with annotations and predictions, pictures included",
    suffixes=(".json",),
    sniff=sniff,
    count=count,
    read=read,
    write=write,
)
