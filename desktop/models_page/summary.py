"""What is said of a model, in words and figures: pure functions over its card. No score stands alone here.

Every figure comes with the one of always answering the most frequent label, and with how many items it rests on.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from engine.counting import counted
from engine.types import ModelCard, TaskMetrics
from engine.workspace import ModelRow

HELD_OUT = ("test", "val")
"""The splits that may carry a headline, the better one first."""
FEW_ITEMS = 30


class Headline(msgspec.Struct, frozen=True):
    """Mean macro-F1 over the tasks, in [0, 1], next to the majority answer's, over `n` held-out items of `split`.

    Each task weighs as much as it has items, as where a candidate is compared with the champion.
    """

    macro_f1: float
    majority: float
    n: int
    split: str

    @property
    def gain(self) -> float:
        """How far above always giving the most frequent answer."""
        return self.macro_f1 - self.majority


class ModelSummary(msgspec.Struct, frozen=True):
    """One row of the list of models. `headline` is None for a model that was never measured."""

    id: str
    champion: bool
    status: str
    created: str
    parent: str
    training_items: int
    headline: Headline | None


def summarise(row: ModelRow) -> ModelSummary:
    """Return what the list shows of a model."""
    return ModelSummary(
        id=row.card.id,
        champion=row.champion,
        status=row.status,
        created=when(row.card.created),
        parent=row.card.parent,
        training_items=row.card.counts.get("train", 0),
        headline=headline(row.card),
    )


def held_out(card: ModelCard) -> tuple[str, dict[str, TaskMetrics]]:
    """Return the held-out split with measured tasks and its metrics; ("", {}) where nothing was measured."""
    for split in HELD_OUT:
        if card.metrics.get(split):
            return split, card.metrics[split]
    return "", {}


def headline(card: ModelCard) -> Headline | None:
    """Return the one figure a model is listed with, or None."""
    split, metrics = held_out(card)
    measured = [task for task in metrics.values() if task.n]
    if not measured:
        return None
    answers = sum(task.n for task in measured)
    mean = sum(task.macro_f1 * task.n for task in measured) / answers
    majority = sum(task.majority_macro_f1 * task.n for task in measured) / answers
    return Headline(mean, majority, card.counts.get(split) or max(task.n for task in measured), split)


def score_sentence(found: Headline | None) -> str:
    """Return the headline in words."""
    if found is None:
        return "Never measured on held-out items."
    words = f"Macro-F1 {found.macro_f1:.2f}; always giving the most frequent label scores {found.majority:.2f}."
    few = " That is few: a difference of a tenth may be chance." if found.n < FEW_ITEMS else ""
    return f"{words} Measured on {counted(found.n, 'held-out item')}.{few}"


def calibration_sentence(metrics: TaskMetrics) -> str:
    """Return the expected calibration error in words."""
    points = counted(round(100 * metrics.ece), "percentage point")
    return f"Its probabilities are off by {points} on average (calibration error)."


def when(stamp: str) -> str:
    """Return an ISO 8601 time in UTC as the local "21 Nov 2026, 14:05"; what cannot be read is returned as it is."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone().strftime("%-d %b %Y, %H:%M")


def duration(seconds: float) -> str:
    """Return "48 s", "3 min 5 s" or "2 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def facts(row: ModelRow) -> list[tuple[str, str]]:
    """Return what else is known of a model, as pairs of a word and a value."""
    card = row.card
    counts = ", ".join(f"{count:,} {name}" for name, count in card.counts.items() if "/" not in name)
    return [
        ("Made", when(card.created)),
        ("Parent", card.parent or "none: trained from the start"),
        ("Items", counts or "unknown"),
        ("Decisions used", f"{len(card.decisions):,}" if card.decisions else "none: truths of the import only"),
        ("Trained on", f"{card.device or 'unknown'}, {duration(card.seconds)}"),
        ("Seed", str(card.seed)),
        ("Snapshot", card.fingerprint[:12] or "unknown"),
    ]
