"""`secondlook items`: list the items of a queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, table
from engine.errors import InputError, did_you_mean
from engine.intake.capture.record import gone
from engine.intake.exporting import answer_of, answers
from engine.taxonomy import ITEM_KINDS
from engine.triage import parse_where
from engine.workspace import Workspace
from engine.workspace.flips import Flip
from engine.workspace.marks import in_words
from engine.workspace.queues import QueueQuery, QueueRow

EXAMPLES = (
    "secondlook items tweets.secondlook --queue uncertain --limit 20",
    "secondlook items shop.secondlook --where kind=product --where label=prohibited --json",
    "secondlook items tweets.secondlook --queue flips",
    "secondlook items tweets.secondlook --queue all --where 'probability<0.7' --where search=lamp",
)
_PAGE = 500
_Column = tuple[str, dict[str, str]]
"""A column's name and its cells by item."""


def items(
    workspace: WorkspaceArgument,
    queue: Annotated[str, typer.Option("--queue", metavar="NAME", help="The queue to list.")] = "to-review",
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="TEST", help="Keep what passes, such as 'probability<0.7'; repeatable."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many items.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List the items of a queue in its order, with their verdicts and resolved labels.

    Queues: to-review, uncertain, high-risk, flips, teach, disagreements, escalated, skipped, decided, all.

    A TEST of --where is a field, an operator and a value, in quotes where it holds < or >, such as
    --where 'probability<0.7' or --where state=open,skipped. All tests must hold; a later one on a field replaces an
    earlier one. All fields take =, and probability also <, <=, > and >=.

    \b
    Fields:
      kind          tweet or product
      label         the verdict's label for the kind's first task
      probability   of that label, from 0 to 1
      split         train, val, test, or none
      state         open, decided, skipped or escalated; several with commas
      disagreement  yes: reviewers and the verdict differ; or no
      search        words in id, title, text or author
      order         uncertain, risk, exposure, oldest, newest or recent; flips and teach in the queue of that name
    """  # noqa: D301 - the backspace keeps the help's lines as they are
    query = parse_where(where or [], queue)
    with Workspace.open(workspace, read_only=True) as ws:
        _check_label(ws, query.label)
        _check_kind(query.kind)
        rows = list(_rows(ws, query, limit))
        documents = list(_documents(ws, rows)) if as_json else []
        more = [] if as_json else list(_more(ws, rows, query.listed))
    answer(documents, lambda: _table(rows, queue, more), as_json=as_json)


def _check_label(ws: Workspace, label: str | None) -> None:
    known = [name for task in ws.taxonomy.tasks for name in task.label_names]
    if label is not None and label not in known:
        raise InputError(f"No task of this workspace has a label '{label}'.", did_you_mean(label, known))


def _check_kind(kind: str | None) -> None:
    if kind is not None and kind not in ITEM_KINDS:
        raise InputError(f"There is no kind '{kind}' of items.", did_you_mean(kind, ITEM_KINDS))


def _rows(ws: Workspace, query: QueueQuery, limit: int) -> Iterator[QueueRow]:
    left = limit
    while left > 0:
        page = ws.queues.page(msgspec.structs.replace(query, limit=min(left, _PAGE)))
        yield from page.rows
        left -= len(page.rows)
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)


def _documents(ws: Workspace, rows: list[QueueRow]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(rows), _PAGE):
        ids = [row.item for row in rows[start : start + _PAGE]]
        resolved, verdicts = ws.decisions.resolved_many(ids), ws.verdicts.of_many(ids)
        flips, reasons = ws.flips.of_many(ids), ws.teaching.why_many(ids)
        crossed = _crossed_out(ws, ids)
        for row, item in zip(rows[start : start + _PAGE], ws.items.get_many(ids), strict=True):
            yield {
                "id": item.id,
                "kind": item.kind,
                "split": item.split,
                "title": row.title,
                "state": row.state,
                "verdict": {task: answer_of(verdict) for task, verdict in verdicts[item.id].items()},
                "flip": _flip(flips.get(item.id)),
                "picked": reasons.get(item.id),
                "resolved": answers(resolved.get(item.id, {}), ws),
                "crossed_out": crossed.get(item.id, []),
                "labels": answers(item.truths, ws),
                "gone": gone(item),
            }


def _flip(flip: Flip | None) -> dict[str, Any] | None:
    """Return what the verdict was before another model changed it; None where that is not to be looked at."""
    if flip is None:
        return None
    return {
        "model": flip.model,
        "was_model": flip.was_model,
        "was_label": flip.was_label,
        "was_probability": flip.was_probability,
        "contradicts": flip.contradicts,
    }


def _crossed_out(ws: Workspace, ids: list[str]) -> dict[str, list[str]]:
    """Return what reviewers crossed out, by item, in a few words each; what was taken back is left out."""
    found = ws.annotations.of_many(ids)
    return {item: [in_words(one) for one in given if one.stands] for item, given in found.items()}


def _more(ws: Workspace, rows: list[QueueRow], listed: str) -> Iterator[_Column]:
    """Yield a list's own column ("toxic 0.71" before a flip, or why an item was picked), and what was crossed out."""
    ids = [row.item for row in rows]
    if listed == "flips":
        flips = ws.flips.of_many(ids)
        yield "was", {item: f"{flip.was_label} {flip.was_probability:.2f}" for item, flip in flips.items()}
    if listed == "teach":
        yield "picked because", ws.teaching.why_many(ids)
    if crossed := {item: ", ".join(words) for item, words in _crossed_out(ws, ids).items() if words}:
        yield "crossed out", crossed
    if lost := {item.id: found["reason"] for item in ws.items.get_many(ids) if (found := gone(item))}:
        yield "gone", lost


def _table(rows: list[QueueRow], queue: str, more: list[_Column]) -> str:
    if not rows:
        return f"The queue '{queue}' has no such items."
    cells = [
        [
            row.item,
            row.kind,
            row.state,
            row.label or "–",
            "" if row.probability is None else f"{row.probability:.2f}",
            *(cells_of.get(row.item, "") for _, cells_of in more),
            ", ".join(row.resolved) or "–",
            row.title[:60],
        ]
        for row in rows
    ]
    columns = [name for name, _ in more]
    return table(["item", "kind", "state", "verdict", "p", *columns, "resolved", "title"], cells)
