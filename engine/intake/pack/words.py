"""What packing and merging did, in the sentences that people read on the command line and on the desk."""

from __future__ import annotations

from collections.abc import Iterator

from engine.counting import counted, fit
from engine.intake.pack.writing import PackReport
from engine.workspace.conflicts import Conflict
from engine.workspace.merging import Merged

SHOWN = 20
"""Conflicts and left-out items that are named one by one; the rest is counted."""


def packed(report: PackReport) -> str:
    """Return one sentence on a pack that was written."""
    parts = [
        counted(report.captures, "screenshot"),
        counted(report.verdicts, "verdict"),
        counted(report.explanations, "explanation"),
    ]
    held = f"{', '.join(parts)} and {counted(report.decisions, 'decision row')}"
    return f"Packed {counted(report.items, 'item')} with {held} into {report.file}."


def merged_words(merged: Merged, *, shown: int = SHOWN) -> Iterator[str]:
    """Give the lines that tell what a merge did, or would do; `shown` conflicts and items are named."""
    yield (
        f"{counted(merged.items, 'item')} {fit(merged.items, 'is', 'are')} new,"
        f" {merged.there:,} {fit(merged.there, 'was', 'were')} there;"
        f" {counted(merged.decisions, 'decision row')} {fit(merged.decisions, 'is', 'are')} new,"
        f" {merged.known:,} {fit(merged.known, 'was', 'were')} there."
    )
    for reviewer, count in merged.reviewers.items():
        yield f"  {count:,} of {reviewer}"
    for item in merged.differing[:shown]:
        yield f"Left out: '{item}' is here with other content, so nothing about it was merged."
    if len(merged.differing) > shown:
        yield f"… and {counted(len(merged.differing) - shown, 'more item')} with other content."
    for task, count in merged.idle.items():
        are = f"{fit(count, 'is', 'are')} kept but {fit(count, 'does', 'do')} not count"
        yield f"{counted(count, 'answer')} to '{task}' {are}: the tasks of this workspace do not have them."
    yield from merged.notes
    if merged.conflicts:
        yield f"{counted(len(merged.conflicts), 'conflict')}:"
    for conflict in merged.conflicts[:shown]:
        yield f"  {conflict_words(conflict)}"
    if len(merged.conflicts) > shown:
        yield f"  … and {len(merged.conflicts) - shown:,} more."


def conflict_words(conflict: Conflict) -> str:
    """Return one sentence: who said what when, and what counts."""
    answers = "; ".join(f"{one.reviewer} {_labels(one.labels)} ({_moment(one.at)})" for one in conflict.answers)
    return f"{conflict.item}, {conflict.task}: {answers}. Counts: {_labels(conflict.counts)}."


def _moment(at: str) -> str:
    return at[:16].replace("T", " ")


def _labels(labels: tuple[str, ...]) -> str:
    return " + ".join(labels) or "none"
