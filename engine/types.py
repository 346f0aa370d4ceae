"""The structs that rooms and processes hand to each other. All frozen, all checked when decoded; no torch here.

Words: an *item* is a captured tweet or product page; a *capture* its screenshot; a *verdict* what a model says of it;
a *decision* what a reviewer says; a *truth* a label that came with the import. A *task* is a question (toxicity), a
*label* one of its answers (toxic).
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

Box = tuple[float, float, float, float]
"""A rectangle in screenshot pixels: left, top, width, height."""


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all shared structs: frozen, keyword-only."""


class ItemContent(Struct, frozen=True, kw_only=True):
    """What a model may look at. `capture` is an absolute path of a PNG file, or None."""

    id: str
    kind: str
    title: str = ""
    text: str = ""
    capture: str | None = None
    regions: dict[str, tuple[Box, ...]] = {}


class Item(Struct, frozen=True, kw_only=True):
    """One captured tweet or product page as the workspace holds it.

    `capture` is the SHA-256 (64 hexadecimal digits) of the PNG's bytes; `width` and `height` are its pixels.
    `truths` are labels that came with the import. `split` is "train", "val", "test" or "" (not assigned yet).
    """

    id: str
    kind: str
    title: str = ""
    text: str = ""
    author: str = ""
    url: str = ""
    capture: str | None = None
    width: int = 0
    height: int = 0
    captured_at: str = ""
    subsets: tuple[str, ...] = ()
    exposure: float | None = None
    split: str = ""
    truths: dict[str, tuple[str, ...]] = {}
    regions: dict[str, tuple[Box, ...]] = {}
    meta: dict[str, Any] = {}


class Verdict(Struct, frozen=True, kw_only=True):
    """A model's calibrated answer to one task for one item.

    `probabilities` maps every label of the task to [0, 1]; for a single-label task they sum to 1. `label` is the most
    probable one and `probability` its value. `labels` is what confirming means: `(label,)` for a single-label task,
    every label at 0.5 or above for a multi-label one (possibly none).
    """

    item: str
    task: str
    model: str
    label: str
    probability: float
    labels: tuple[str, ...]
    probabilities: dict[str, float]


class TokenWeight(Struct, frozen=True, kw_only=True):
    """A word as people see it and what it adds to the explained label's probability.

    `start` and `end` are offsets in characters into the item's raw `field` ("title" or "text"). `error` is the weight's
    standard error, None where the method gives none. `group` numbers the neighbouring words of a long text that were
    weighed together: each bears the weight of all of them, which counts once. None for a word with a weight of its own,
    which all its occurrences bear.
    """

    field: str
    start: int
    end: int
    text: str
    weight: float
    error: float | None = None
    group: int | None = None


class Segment(Struct, frozen=True, kw_only=True):
    """A superpixel: its number in the segment map, weight, bounding box (x, y, w, h) and area in screenshot pixels.

    `error` is the weight's standard error, None where the method gives none.
    """

    id: int
    weight: float
    box: tuple[int, int, int, int]
    area: int
    error: float | None = None


class SegmentMap(Struct, frozen=True, kw_only=True):
    """Which segment each cell of a coarse grid over the whole screenshot belongs to.

    `cells` is zlib-compressed row-major little-endian uint16, `width` × `height` values, each a `Segment.id`.
    """

    width: int
    height: int
    cells: bytes


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a model gives `label` its probability for an item: weights per word and per superpixel.

    Positive weights speak for the label, negative ones against it. `fit` is the surrogate's weighted R² in [0, 1] on
    its own samples (image, text; None where there is no such part). `final` is False for a preview that better ones
    replace. `note` is empty or one sentence, such as why there is nothing to explain.

    `reliability` is how well two independent halves of the samples agree, in [-1, 1], by part ("image", "text").
    `modality_share` is the share of the evidence in each part, `region_share` in each of the page's regions (and
    "elsewhere"): shares of the sum of absolute weights, in [0, 1], that add up to 1. All empty where not known.
    """

    item: str
    task: str
    label: str
    model: str
    probability: float
    tokens: tuple[TokenWeight, ...] = ()
    segments: tuple[Segment, ...] = ()
    segment_map: SegmentMap | None = None
    method: str = "lime"
    samples: int = 0
    seed: int = 0
    image_fit: float | None = None
    text_fit: float | None = None
    final: bool = True
    note: str = ""
    seconds: float = 0.0
    reliability: dict[str, float] = {}
    modality_share: dict[str, float] = {}
    region_share: dict[str, float] = {}


class Action(enum.StrEnum):
    """What a reviewer did. An undo is a row of its own; nothing is ever changed or deleted."""

    CONFIRM = "confirm"
    CORRECT = "correct"
    SKIP = "skip"
    ESCALATE = "escalate"
    UNDO = "undo"


class Decision(Struct, frozen=True, kw_only=True):
    """One row of the append-only chain of decisions.

    `number` counts from 1 without gaps. `act` is shared by the rows of one visit to an item (a label and its
    conditional reasons), so that one undo takes back the whole visit. `undoes` is the `act` that an undo takes back.
    `shown_*` is the verdict the reviewer saw. `seconds` is the time the item was in front of the reviewer. `at` is
    UTC, ISO 8601 with milliseconds. `hash` is SHA-256 over the row and `previous`, the hash of the row before.
    """

    number: int
    act: str
    item: str
    task: str
    action: Action
    labels: tuple[str, ...]
    reviewer: str
    at: str
    seconds: float = 0.0
    note: str = ""
    shown_model: str = ""
    shown_labels: tuple[str, ...] = ()
    shown_probability: float | None = None
    undoes: str = ""
    previous: str = ""
    hash: str = ""


class Mark(enum.StrEnum):
    """What can be crossed out."""

    WORD = "word"
    REGION = "region"


class CrossedOut(Struct, frozen=True, kw_only=True):
    """Part of an item that a reviewer calls a wrong reason for its label: a word, or a region of the screenshot.

    A word is `text`, the characters `start` to `end` of the item's raw `field` ("title" or "text"). A region is
    `boxes`, rectangles in screenshot pixels that do not overlap, with `box` around them all; `region` is the name of
    the page's region where it is one, "" for a superpixel. `label` is the label whose explanation was shown, "" where
    there was none. The other kind's fields are empty.
    """

    kind: Mark
    label: str = ""
    field: str = ""
    start: int = 0
    end: int = 0
    text: str = ""
    box: Box | None = None
    boxes: tuple[Box, ...] = ()
    region: str = ""


class Annotation(CrossedOut, frozen=True, kw_only=True):
    """What was crossed out with one decision, as recorded. Never changed; an undo takes it back with its act.

    `number` counts from 1 without gaps. `decision` is the number of the decision row that it was recorded with; `act`,
    `item`, `task`, `reviewer` and `at` are that row's. `stands` is False once the act was taken back. `hash` is SHA-256
    over the annotation, its decision's hash, and `previous`, the hash of the annotation before.
    """

    number: int
    decision: int
    act: str
    item: str
    task: str
    reviewer: str
    at: str
    stands: bool = True
    previous: str = ""
    hash: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """One reviewer's standing answer to a task: the labels, who gave it, when (UTC, ISO 8601), and its decision row."""

    labels: tuple[str, ...]
    reviewer: str
    at: str
    decision: int


class TrainingItem(Struct, frozen=True, kw_only=True):
    """One labelled item of a training run's snapshot.

    `labels` holds per task what the item is taken to be: the resolved label where reviewers decided, else the truth.
    `decisions` are the numbers of the decision rows that the labels rest on; `answers` holds per task all reviewers'
    standing answers, also those that were outvoted. Items with the same `group` (an author) never sit on both sides of
    a split. `split` is "" where the trainer is to assign one. `crossed_out` is what the reviewers crossed out with
    those decisions, each part once.
    """

    content: ItemContent
    labels: dict[str, tuple[str, ...]]
    group: str
    split: str = ""
    decisions: tuple[int, ...] = ()
    answers: dict[str, tuple[Answer, ...]] = {}
    crossed_out: tuple[CrossedOut, ...] = ()


class LabelScores(Struct, frozen=True, kw_only=True):
    """Precision, recall and F1 of one label in [0, 1], and how many items truly have it."""

    precision: float
    recall: float
    f1: float
    support: int


class TaskMetrics(Struct, frozen=True, kw_only=True):
    """How a model does on one task over one split. `confusion[i][j]` counts truth i answered as j (single-label only).

    `majority_*` is the score of always answering the training set's most frequent label, on the same items.
    `ece` is the expected calibration error with 10 equal-width bins (Guo et al. 2017, section 2). `auroc` is the area
    under the ROC curve, the mean over labels of one against the rest; None where no label has both kinds of items.
    """

    n: int
    accuracy: float
    macro_f1: float
    majority_accuracy: float
    majority_macro_f1: float
    ece: float
    labels: tuple[str, ...]
    per_class: dict[str, LabelScores]
    confusion: tuple[tuple[int, ...], ...] = ()
    auroc: float | None = None


class ModelCard(Struct, frozen=True, kw_only=True):
    """What is known of a model: written next to its weights as `card.json` and kept in the database.

    `metrics` maps split → task → scores. `fingerprint` is the SHA-256 of the snapshot it was trained on, `recipe` the
    recipe's TOML text. `decisions` are the decision numbers in the training set. `temperatures` are the calibration's.
    `tasks` maps each task to its labels in head order; `multi` names the multi-label ones. `network` describes the
    network so that it can be rebuilt before its weights are loaded (the models room's own struct, as plain JSON).
    `base` is the id of the model whose backbones a refit uses; "" for a model with backbones of its own.

    What else it takes to train the same weights again: `origin` is the model whose weights it started from ("" where it
    started from scratch), `threads` the CPU threads (0: not on a CPU, or not known), `precision` "fp32" or "bf16".
    `weights` is the SHA-256 of its weights' file.
    """

    id: str
    created: str
    recipe: str
    tasks: dict[str, tuple[str, ...]]
    multi: tuple[str, ...] = ()
    parent: str = ""
    fingerprint: str = ""
    seed: int = 0
    device: str = ""
    network: dict[str, Any] = {}
    temperatures: dict[str, float] = {}
    metrics: dict[str, dict[str, TaskMetrics]] = {}
    champion_metrics: dict[str, dict[str, TaskMetrics]] = {}
    decisions: tuple[int, ...] = ()
    counts: dict[str, int] = {}
    versions: dict[str, str] = {}
    seconds: float = 0.0
    base: str = ""
    origin: str = ""
    threads: int = 0
    precision: str = ""
    weights: str = ""
    format: int = 1


class Outcome(Struct, frozen=True, kw_only=True):
    """How a finished training run compares with the champion on the same held-out items."""

    model: str
    better: bool
    reason: str


class Spread(Struct, frozen=True, kw_only=True):
    """A mean over `n` items and its standard error, None for a single item."""

    mean: float
    n: int
    error: float | None = None


class FaithfulnessRow(Struct, frozen=True, kw_only=True):
    """How much a model rests on what one method names, or on parts in random order (`method` "random").

    `scores` are of the explained label's probability, by name: "deletion" and "insertion" (areas under its curve while
    superpixels are hidden or shown, in [0, 1]), "comprehensiveness" and "sufficiency" (what it loses without the named
    words or with them alone, in [-1, 1]); a name is missing where no item has that part. Insertion and
    comprehensiveness are better high, the others low. `advantage` is how much better than random order, item by item:
    above 0 is better for all four. `seconds` is the mean time of one explanation.
    """

    method: str
    scores: dict[str, Spread] = {}
    advantage: dict[str, Spread] = {}
    seconds: float = 0.0


class Faithfulness(Struct, frozen=True, kw_only=True):
    """What `secondlook explain-eval` measured of a model's explanations: kept beside the model.

    `at` is UTC, ISO 8601. `items` of the split `split` were explained, each for the label of its verdict. `notes` are
    sentences on what was left out.
    """

    model: str
    at: str
    split: str
    items: int
    seed: int
    rows: tuple[FaithfulnessRow, ...]
    notes: tuple[str, ...] = ()
