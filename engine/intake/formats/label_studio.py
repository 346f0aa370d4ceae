"""Label Studio's tasks: a JSON array of `data` with `annotations` and `predictions`.

An annotation of somebody named (`completed_by`) comes in as that reviewer's decisions: a row per task, with the lead
time as seconds; a cancelled one as a skip. One of nobody named, and a ground truth, comes in as labels of the item.
Rectangles become the page's regions, in pixels. Results that fit nothing here, and predictions of other models, are
kept in the item's meta (`label_studio`, `predictions`), so that our export can write them back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from engine.errors import InputError
from engine.intake.formats.arrays import read_array
from engine.intake.formats.base import Reading, each_read
from engine.intake.formats.given import act_of, moment
from engine.intake.formats.labels import OURS, Labels, Names, action_of, fields_of, retold
from engine.intake.formats.sniffing import head_of
from engine.intake.pictures import from_data_uri
from engine.intake.sources import Record
from engine.types import Action, Box
from engine.workspace import GivenDecision

USER = "label-studio:"
"""Before the number of an account that the file names by number only."""
ANNOTATIONS, MODELS, TRUTH = "annotations", "models", "truth"
"""What our export writes into `data.secondlook`: of each annotation by its number, whose predictions are verdicts of
ours, and that an annotation is the item's truth."""

_TEXTS = ("text", "content", "body", "message", "dialogue", "review")
_IMAGES = ("image", "img", "picture", "screenshot", "captioning", "ocr")
_TASK_KEY = re.compile(rb'"(?:data)"\s*:\s*\{')
_TOGETHER = 0.01  # pixels within which two boxes are the same, for percent are rounded


def sniff(path: Path) -> float:
    """Return how much a file looks like Label Studio's tasks."""
    if not path.is_file():
        return 0.0
    head = head_of(path)
    if head.lstrip()[:1] not in {b"[", b"{"} or path.suffix.lower() in {".jsonl", ".ndjson"}:
        return 0.0
    if not _TASK_KEY.search(head):
        return 0.0
    return 0.95 if any(key in head for key in (b'"annotations"', b'"predictions"', b'"completions"')) else 0.6


def count(path: Path) -> int:
    """Return about how many tasks a file holds."""
    with path.open("rb") as file:
        return sum(chunk.count(b'"data"') for chunk in iter(lambda: file.read(1 << 20), b""))


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give the record of each task."""
    yield from each_read(read_array(path), lambda line, given: _Task(line, given, how).record())


class _Task:
    """One task on its way to a record."""

    def __init__(self, line: int, task: dict[str, Any], how: Reading) -> None:
        data = task.get("data")
        if not isinstance(data, dict):
            raise InputError(
                "It has no `data`, so it is no Label Studio task.", "Export the tasks as JSON from Label Studio."
            )
        self.line, self.task, self.how = line, task, how
        ours = data.get(OURS)
        self.extras: dict[str, Any] = ours if isinstance(ours, dict) else {}
        self.data = {name: value for name, value in data.items() if name != OURS}
        self.fields = fields_of(self.extras)
        self.names = Names(how.taxonomy, _text(self.fields.get("kind")) or how.kind)
        self.truths: Labels = {}
        self.decisions: list[GivenDecision] = []
        self.regions: dict[str, list[Box]] = {}
        self.left: list[Any] = []
        self.warnings: list[str] = []
        self.picture: bytes | None = None

    def record(self) -> Record:
        self.content()
        annotations = _dicts(self.task.get("annotations") or self.task.get("completions"))
        unnamed = 0
        for number, annotation in enumerate(annotations):
            unnamed += self.annotation(annotation, number)
        if unnamed > 1:
            raise InputError("Several answers name nobody who gave them.", "Say who it was with --reviewer.")
        ours = self.extras.get(MODELS)
        models = ours if isinstance(ours, list) else []
        predictions = [
            one
            for one in _dicts(self.task.get("predictions"))
            if OURS not in one and one.get("model_version") not in models
        ]
        if not self.regions:
            for prediction in predictions:
                self.boxes(_dicts(prediction.get("result")))
        self.finish(predictions)
        capture = self.extras.get("capture")
        return Record(
            line=self.line,
            fields=self.fields,
            decisions=tuple(sorted(self.decisions, key=lambda one: one.at)),
            picture=self.picture,
            capture=capture if isinstance(capture, str) and self.picture is None else "",
            warnings=tuple(self.warnings),
        )

    # --- what it is about ---

    def content(self) -> None:
        """Find the text, the picture and the id."""
        used = [self.key(_TEXTS), self.key(_IMAGES)]
        text, image = (None if key is None else self.data[key] for key in used)
        if text is None and image is None:
            texts = [name for name, value in self.data.items() if isinstance(value, str)]
            if len(texts) != 1 and not self.extras:
                raise InputError(
                    "Its `data` has neither text nor image.", f"Name one of them {' or '.join(_TEXTS[:2])}."
                )
            used = texts[:1]
            text = self.data[used[0]] if used else ""
        self.fields.setdefault("text", text or "")
        self.image(image)
        if not self.extras:
            self.fields |= {name: value for name, value in self.data.items() if name not in used}
        given = self.data.get("id") if self.data.get("id") is not None else self.task.get("id")
        self.fields["id"] = self.extras.get("id", f"task-{given}" if type(given) is int else given)
        if self.fields["id"] is None:
            raise InputError("It has no `id`.", "Give each task one.")

    def key(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if isinstance(self.data.get(name), str) and self.data[name]), None)

    def image(self, image: str | None) -> None:
        if not image:
            return
        parts = urlsplit(image) if len(image) < 4_000 else None
        if image.startswith("data:"):
            self.picture = from_data_uri(image)
        elif parts is not None and parts.path.endswith("/local-files/"):
            self.fields["screenshot"] = "".join(parse_qs(parts.query).get("d", []))
        elif parts is not None and parts.scheme:
            self.warnings.append("its image is on another server; it came in without, with the address in meta")
            self.left.append({"image": image})
        else:
            self.fields["screenshot"] = str(PurePosixPath(image.lstrip("/").removeprefix("data/")))

    # --- what was said of it ---

    def annotation(self, annotation: dict[str, Any], number: int) -> int:
        """Take in one annotation; return 1 where it answers something and nobody knows who did."""
        results = _dicts(annotation.get("result"))
        self.boxes(results)
        labels = self.choices(results)
        if annotation.get("ground_truth") is True:
            self.truths |= labels
        if self.own(annotation).get(TRUTH) is True and annotation.get("ground_truth") is True:
            return 0
        told = self.as_told(annotation, labels)
        if told is not None:
            self.decisions += told
            return 0
        reviewer = self.reviewer(annotation)
        cancelled = annotation.get("was_cancelled") is True
        if not reviewer:
            self.truths |= {} if cancelled else labels
            return int(bool(labels) and not cancelled and annotation.get("ground_truth") is not True)
        act = annotation.get("unique_id") or annotation.get("id") or number
        seconds = annotation.get("lead_time")
        common: dict[str, Any] = {
            "item": "",
            "reviewer": reviewer,
            "act": act_of("label-studio", self.fields["id"], reviewer, act),
            "at": moment(annotation.get("updated_at")) or moment(annotation.get("created_at")),
            "seconds": seconds if isinstance(seconds, int | float) and 0 <= seconds < 1e9 else 0.0,
        }
        if cancelled:
            self.decisions.append(GivenDecision(**common, action=Action.SKIP))
            return 0
        self.answers(annotation, labels, common)
        return 0

    def answers(self, annotation: dict[str, Any], labels: Labels, common: dict[str, Any]) -> None:
        """Add a decision for each task, with the prediction that the annotator started from."""
        shown, model, score = self.shown(annotation)
        for task, given in labels.items():
            seen = shown.get(task)
            told: dict[str, Any] = {}
            if seen is not None:
                told = {"shown_labels": seen, "shown_model": model, "shown_probability": score}
            self.decisions.append(
                GivenDecision(**common, **told, task=task, labels=given, action=action_of(given, seen))
            )

    def reviewer(self, annotation: dict[str, Any]) -> str:
        """Return who gave an annotation, "" where nobody knows: of one of ours that was changed, who changed it."""
        own = self.own(annotation)
        by = annotation.get("completed_by")
        by = annotation.get("updated_by") or by if own else by
        if isinstance(by, dict):
            by = by.get("email") or by.get("username") or by.get("id")
        if type(by) is int:
            return f"{USER}{by}"
        if isinstance(by, str) and by.strip():
            return by
        if annotation.get("ground_truth") is True:
            return ""
        return _text(own.get("reviewer")) or self.how.reviewer

    def own(self, annotation: dict[str, Any]) -> dict[str, Any]:
        """Return what our export wrote down of an annotation, which came through Label Studio or not; {} for none."""
        beside = annotation.get(OURS)
        if isinstance(beside, dict):
            return beside
        kept = self.extras.get(ANNOTATIONS)
        number = annotation.get("import_id") if "import_id" in annotation else annotation.get("id")
        found = kept.get(str(number)) if isinstance(kept, dict) else None
        return found if isinstance(found, dict) else {}

    def as_told(self, annotation: dict[str, Any], labels: Labels) -> list[GivenDecision] | None:
        """Return the decisions that our export wrote down of the annotation, unless it was changed since."""
        own = self.own(annotation)
        reviewer = _text(own.get("reviewer"))
        if not reviewer:
            return None
        rows = _dicts(own.get("decisions"))
        told = [decision for one in rows if (decision := retold(one, reviewer)) is not None]
        said = {one.task: one.labels for one in told if one.action in {Action.CONFIRM, Action.CORRECT}}
        skipped = any(one.action is Action.SKIP for one in told)
        unchanged = said == labels and skipped == (annotation.get("was_cancelled") is True)
        return told if told and unchanged and len(told) == len(rows) else None

    def shown(self, annotation: dict[str, Any]) -> tuple[Labels, str, float | None]:
        """Return the prediction that the annotator started from: its labels by task, its model, its score."""
        found = annotation.get("prediction")
        if not isinstance(found, dict):
            parent = annotation.get("parent_prediction")
            by_id = [
                one for one in _dicts(self.task.get("predictions")) if parent is not None and one.get("id") == parent
            ]
            found = by_id[0] if by_id else {}
        score = found.get("score")
        fits = isinstance(score, int | float) and 0 <= score <= 1
        model = found.get("model_version")
        results = _dicts(found.get("result"))
        return self.choices(results, keep=False), model if isinstance(model, str) else "", score if fits else None

    # --- results ---

    def choices(self, results: list[dict[str, Any]], *, keep: bool = True) -> Labels:
        """Return the labels by task; keep what is neither a choice nor a box."""
        found: Labels = {}
        for result in results:
            if result.get("type") != "choices":
                if keep and result.get("type") != "rectanglelabels":
                    self.left.append(result)
                continue
            chosen = (result.get("value") or {}).get("choices") if isinstance(result.get("value"), dict) else None
            if not isinstance(chosen, list) or not all(isinstance(one, str) for one in chosen):
                raise InputError("The `choices` of a result must be a list of names.", 'Give them as ["NAME"].')
            task = _text(result.get("from_name"))
            if not chosen and task in self.names.tasks and self.names.tasks[task].multi:
                found[task] = ()
            for owner, labels in self.names.sorted(chosen, task).items():
                found[owner] = self.names.ordered(owner, (*found.get(owner, ()), *labels))
                if len(found[owner]) > 1 and not self.names.tasks[owner].multi:
                    raise InputError(f"The task '{owner}' takes exactly one label.", "Leave one of them.")
        return found

    def boxes(self, results: list[dict[str, Any]]) -> None:
        """Add the rectangles to the regions, in pixels."""
        for result in results:
            if result.get("type") != "rectanglelabels":
                continue
            box, name = _pixels(result), _region_name(result)
            if box is None or not name:
                self.left.append(result)
                self.warnings.append("a rectangle that is turned, or whose image has no size, is kept in meta only")
                continue
            known = [*self.regions.get(name, []), *_boxes_of(self.fields.get("regions"), name)]
            if not any(_same(box, one) for one in known):
                self.regions.setdefault(name, []).append(box)

    def finish(self, predictions: list[dict[str, Any]]) -> None:
        """Put together what was found."""
        meta = dict(self.fields["meta"]) if isinstance(self.fields.get("meta"), dict) else {}
        if self.left:
            meta["label_studio"] = self.left
        if predictions:
            meta["predictions"] = predictions
        if meta:
            self.fields["meta"] = meta
        if self.truths:
            known = self.fields.get("labels")
            self.fields["labels"] = {**(known if isinstance(known, dict) else {}), **self.truths}
        if self.regions:
            old = self.fields.get("regions")
            regions = {name: list(boxes) for name, boxes in old.items()} if isinstance(old, dict) else {}
            for name, boxes in self.regions.items():
                regions[name] = [*regions.get(name, []), *[list(box) for box in boxes]]
            self.fields["regions"] = regions
        labels = self.fields.get("labels")
        if isinstance(labels, dict):
            self.fields["labels"] = {
                task: list(given) if isinstance(given, tuple) else given for task, given in labels.items()
            }


def _pixels(result: dict[str, Any]) -> Box | None:
    value = result.get("value")
    if not isinstance(value, dict) or value.get("rotation"):
        return None
    numbers = [value.get(name) for name in ("x", "y", "width", "height")]
    size = [result.get("original_width"), result.get("original_height")]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (*numbers, *size)):
        return None
    x, y, width, height = (float(one) for one in numbers if one is not None)
    across, down = (float(one) for one in size if one is not None)
    return (x * across / 100, y * down / 100, width * across / 100, height * down / 100)


def _region_name(result: dict[str, Any]) -> str:
    value = result.get("value")
    names = value.get("rectanglelabels") if isinstance(value, dict) else None
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""


def _boxes_of(regions: object, name: str) -> list[Any]:
    boxes = regions.get(name) if isinstance(regions, dict) else None
    return boxes if isinstance(boxes, list) else []


def _same(box: Box, other: object) -> bool:
    if not isinstance(other, list | tuple) or len(other) != 4:
        return False
    return all(isinstance(b, int | float) and abs(a - b) <= _TOGETHER for a, b in zip(box, other, strict=True))


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
