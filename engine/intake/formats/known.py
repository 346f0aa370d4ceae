"""What a workspace knows of its items, read in batches, for writers that stream."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from engine.errors import CancelledError
from engine.intake.formats.base import Writing
from engine.types import Annotation, Decision, Item, Struct, Verdict
from engine.workspace import Workspace

Labels = dict[str, tuple[str, ...]]
BATCH = 500


class Known(Struct, frozen=True, kw_only=True):
    """What is known of one item: resolved labels and the champion's verdicts by task, every decision row, oldest first,
    and what was crossed out.
    """

    item: Item
    resolved: Labels
    verdicts: dict[str, Verdict]
    decisions: list[Decision]
    annotations: list[Annotation]


def known_items(ws: Workspace, how: Writing) -> Iterator[Known]:
    """Give every item in the order in which they were added; raises `CancelledError` where `how` calls it off."""
    total, done = ws.items.count(), 0
    stream = ws.items.iter(batch=BATCH)
    while batch := list(itertools.islice(stream, BATCH)):
        if how.cancelled is not None and how.cancelled():
            raise CancelledError("The export was cancelled; no file was written.")
        yield from _known(ws, batch)
        done += len(batch)
        if how.progress is not None:
            how.progress(done, max(total, done))


def _known(ws: Workspace, items: list[Item]) -> Iterator[Known]:
    ids = [item.id for item in items]
    resolved, verdicts = ws.decisions.resolved_many(ids), ws.verdicts.of_many(ids)
    decisions, annotations = ws.decisions.of_many(ids), ws.annotations.of_many(ids)
    for item in items:
        yield Known(
            item=item,
            resolved=resolved.get(item.id, {}),
            verdicts=verdicts[item.id],
            decisions=decisions.get(item.id, []),
            annotations=annotations.get(item.id, []),
        )


def answers(labels: Labels, ws: Workspace) -> dict[str, str | tuple[str, ...]]:
    """Return labels as documents show them: one name for a single-label task, a list for a multi-label one."""
    multi = {task.name for task in ws.taxonomy.tasks if task.multi}
    return {task: given if task in multi or len(given) != 1 else given[0] for task, given in labels.items()}


def answer_of(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as documents show it."""
    return {
        "label": verdict.label,
        "probability": verdict.probability,
        "labels": verdict.labels,
        "model": verdict.model,
        "probabilities": verdict.probabilities,
    }
