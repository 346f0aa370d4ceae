"""`secondlook score`: give a verdict to every item that lacks one."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.common import (
    JsonOption,
    ModelOption,
    Progress,
    WorkspaceArgument,
    answer,
    champion_of,
    note,
    progress,
    turn,
)
from engine.counting import counted
from engine.models.unread import without_screenshots
from engine.types import ItemContent, Struct
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.models.bulk.scorer import BulkScorer
    from engine.models.predictor import Predictor

EXAMPLES = (
    "secondlook score tweets.secondlook",
    "secondlook score tweets.secondlook --model 2026-01-31-120000-1a2b3c --json",
)
_PAGE = 256


class ScoreReport(Struct, frozen=True, kw_only=True):
    """What was scored. `items_per_second` leaves loading the model out; `peak_rss_mb` is the whole process's so far.

    `unread` are the ids of items that were judged without their screenshots, which cannot be read any more.
    """

    model: str
    scored: int
    items_per_second: float
    peak_rss_mb: float
    unread: tuple[str, ...] = ()


def score(
    workspace: WorkspaceArgument,
    model: ModelOption = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also items that have one, as after a lost screenshot came back."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Give a verdict to every item that lacks one of the champion, or of another model.

    Verdicts are kept as they come: an interrupted command goes on where it stopped (with --again from the beginning).
    """
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook score"), progress("Scoring") as show:
        report = score_workspace(ws, model, again=again, progress=show)
    answer(report, _text(report), as_json=as_json)
    if report.unread:
        note(without_screenshots(report.unread, "judged", ", then score --again"))


def score_workspace(
    workspace: Workspace,
    model_id: str | None = None,
    *,
    again: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ScoreReport:
    """Score every item that has no verdict of the model (the champion if left out) and keep the verdicts.

    Args:
        workspace: open for writing; the caller holds its lock.
        model_id: a registered model's id.
        again: score the items that have a verdict as well, and put the new ones in place of those.
        progress: called with (items scored, items to score) after each batch.
        cancelled: asked before each batch; what was scored before stays.

    Raises:
        NotFoundError: there is no such model, or no model at all.
        ModelUnavailableError: its folder is missing or damaged.
        CancelledError: `cancelled` said so.
    """
    model = model_id or champion_of(workspace)
    total = workspace.items.count_without_verdict(model, again=again)
    folder = workspace.models.folder(model)
    if total == 0:
        return ScoreReport(model=model, scored=0, items_per_second=0.0, peak_rss_mb=_peak_rss_mb())
    predictor = _scorer(workspace.path, folder)
    started, scored = time.perf_counter(), 0
    unread: list[str] = []
    contents = _unscored(workspace, model, again=again)
    for verdicts in predictor.predict_stream(contents, cancelled=cancelled, unread=lambda one: unread.append(one.id)):
        workspace.verdicts.put(verdicts)
        scored += len({verdict.item for verdict in verdicts})
        if progress is not None:
            progress(scored, total)
    predictor.keep_vectors()
    rate = scored / (time.perf_counter() - started)
    return ScoreReport(
        model=model,
        scored=scored,
        items_per_second=round(rate, 2),
        peak_rss_mb=_peak_rss_mb(),
        unread=tuple(unread),
    )


def _scorer(workspace: Path, folder: Path) -> BulkScorer | Predictor:
    """The model in `folder`, without torch where that is proven to give the same verdicts."""
    from engine.models.bulk.loading import load
    from engine.models.vector_store import FOLDER

    fast = load(folder, workspace / FOLDER)
    if fast is not None:
        return fast
    from engine.service.loading import Loader

    return Loader(workspace)(folder)


def _unscored(workspace: Workspace, model: str, *, again: bool) -> Iterator[ItemContent]:
    """Page by row number: items that get verdicts meanwhile do not shift the pages."""
    after = 0
    while page := workspace.items.without_verdict(model, after=after, limit=_PAGE, again=again):
        after = page[-1][0]
        yield from (content for _, content in page)


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def _text(report: ScoreReport) -> str:
    if report.scored == 0:
        return f"Every item has a verdict of the model {report.model} already."
    return (
        f"Scored {counted(report.scored, 'item')} with the model {report.model}:"
        f" {report.items_per_second:.1f} items a second, {report.peak_rss_mb:.0f} MB at the peak."
    )
