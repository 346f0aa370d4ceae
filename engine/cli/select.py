"""`secondlook select`: pick the items to label next."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, progress, turn, typed
from engine.counting import counted
from engine.errors import InputError, NotFoundError, did_you_mean
from engine.triage import teaching
from engine.types import Struct
from engine.workspace import Workspace
from engine.workspace.teaching import Batch, Pick

EXAMPLES = (
    "secondlook select tweets.secondlook",
    "secondlook select tweets.secondlook --order combined --count 100 --random-share 0.2 --seed 7",
    "secondlook items tweets.secondlook --queue teach",
)
_LOOKING = ("core-set", "combined")
ORDERS = (teaching.MARGIN, teaching.UNCERTAINTY, teaching.ENTROPY, *_LOOKING, teaching.RANDOM)


class Selected(Struct, frozen=True, kw_only=True):
    """The batch, and its items in their order."""

    batch: Batch
    picks: list[Pick]


def select(
    workspace: WorkspaceArgument,
    order: Annotated[
        str, typer.Option("--order", metavar="NAME", help=f"What to pick by: {', '.join(ORDERS)}.")
    ] = teaching.MARGIN,
    count: Annotated[int, typer.Option("--count", metavar="N", help="How many items to pick.")] = teaching.COUNT,
    random_share: Annotated[
        float, typer.Option("--random-share", metavar="SHARE", help="How much of the batch is drawn at random, 0 to 1.")
    ] = teaching.RANDOM_SHARE,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed picks the same items.")] = 0,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only tweets or only products.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Pick the open items that the model would learn most from, as the queue "teach"; the batch before is replaced.

    \b
    Orders:
      margin       the two likeliest labels are the nearest to each other
      uncertainty  the likeliest label is the least likely
      entropy      the guess is spread the widest over the labels
      core-set     the farthest from what is labelled already; the model looks at up to 20,000 items
      combined     a core-set of ten times as many items of the least margin
      random       all open items are as likely
    """  # noqa: D301 - the backspace keeps the help's lines as they are
    if order not in ORDERS:
        raise InputError(f"'{order}' is no order to pick by.", did_you_mean(order, ORDERS))
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook select"):
        if order in _LOOKING:
            batch = _look(ws, order, count, random_share, seed, kind)
        else:
            batch = teaching.select(ws, order, count=count, random_share=random_share, seed=seed, kind=kind)
        found = Selected(batch=batch, picks=ws.teaching.picks())
    answer(found, lambda: _text(found), as_json=as_json)


def _look(ws: Workspace, order: str, count: int, random_share: float, seed: int, kind: str | None) -> Batch:
    champion = ws.models.champion()
    if champion is None:
        raise NotFoundError(
            "There is no model yet that could look at the items.",
            f"Train one with: secondlook retrain {typed(ws.path)}, or pick with --order random.",
        )
    from engine.service.loading import Loader
    from engine.training.active import selection

    predictor = Loader(ws.path)(ws.models.folder(champion.card.id))
    with progress("Looking at items") as show:
        embed = selection.embedding(predictor, show)
        batch = selection.select(ws, order, embed, count=count, random_share=random_share, seed=seed, kind=kind)
    predictor.keep_vectors()
    return batch


def _text(found: Selected) -> str:
    batch = found.batch
    lines = [f"{rank:4d}  {pick.item}: {pick.why}" for rank, pick in enumerate(found.picks[:_SHOWN], start=1)]
    if len(found.picks) > _SHOWN:
        lines.append(f"      … and {len(found.picks) - _SHOWN:,} more: secondlook items WORKSPACE --queue teach")
    head = (
        f"Picked {counted(batch.items, 'item')} to teach the model: {batch.items - batch.at_random:,} by {batch.order}"
    )
    return "\n".join([f"{head}, {batch.at_random:,} at random (seed {batch.seed}).", *lines])


_SHOWN = 10
