"""`secondlook explain-eval`: how far a model's explanations name what its verdicts really rest on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from engine.cli.common import JsonOption, ModelOption, WorkspaceArgument, answer, champion_of, note, progress, table
from engine.cli.signals import cancelled_by_signals
from engine.counting import counted, fit
from engine.errors import EngineError, InputError, did_you_mean
from engine.taxonomy import Taxonomy
from engine.trust import ENOUGH_ITEMS
from engine.types import Faithfulness, FaithfulnessRow, ItemContent, Spread, Verdict
from engine.workspace import Workspace, faithfulness

if TYPE_CHECKING:
    from engine.explain.faithfulness.measure import Asked
    from engine.models.predictor import Predictor

EXAMPLES = (
    "secondlook explain-eval tweets.secondlook",
    "secondlook explain-eval tweets.secondlook --method lime --method occlusion --items 50",
    "secondlook explain-eval tweets.secondlook --method all --json",
)
ALL, SPLIT = "all", "val"
_SHOWN = 3
_BETTER = "Better than random order, item by item, by (below 0: worse; clear where more than twice the error behind ±):"
_COLUMNS = {
    "deletion": "deletion (low)",
    "insertion": "insertion (high)",
    "comprehensiveness": "comprehensiveness (high)",
    "sufficiency": "sufficiency (low)",
}


def explain_eval(
    workspace: WorkspaceArgument,
    model: ModelOption = None,
    *,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="M",
            help="One of those of explain, or all that the model allows; repeatable.",
            show_default="lime",
        ),
    ] = None,
    items: Annotated[
        int, typer.Option("--items", metavar="N", min=1, help="At most so many held-out items are explained.")
    ] = 30,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=2**32 - 1, help="Of the choice of items and of samples.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure whether the model's verdicts rest on what its explanations name, next to parts in random order.

    Held-out items (validation) are explained, each for its verdict. Deletion and insertion are areas under the label's
    probability while superpixels are hidden or shown, strongest first. Comprehensiveness is what the probability loses
    without the strongest words, sufficiency what it loses with them alone. The result is kept with the model, and the
    desk's models page shows it.
    """
    methods = _methods(method or ["lime"])
    with Workspace.open(workspace, read_only=True) as ws:
        name = model or champion_of(ws)
        folder = ws.models.folder(name)
        contents = _held_out(ws, items, seed)
        taxonomy = ws.taxonomy
    from engine.models.predictor import Predictor

    predictor = Predictor.load(folder)
    methods, impossible = _possible(predictor, methods, leave_out=ALL in (method or []))
    contents, unread = _readable(predictor, contents)
    with cancelled_by_signals() as cancelled:
        asked = _questions(predictor.predict(contents, cancelled=cancelled), contents, taxonomy, name)
        rows, notes = _measured(predictor, asked, methods, seed, cancelled)
    found = Faithfulness(
        model=name,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        split=SPLIT,
        items=len(asked),
        seed=seed,
        rows=tuple(rows),
        notes=(*impossible, *unread, *notes),
    )
    answer(found, lambda: _text(found), as_json=as_json)
    note(_kept(folder, found))


def _kept(folder: Path, found: Faithfulness) -> str:
    """Keep what was measured unless more is known already, and say so; methods on the same items are kept together."""
    before = faithfulness.read(folder)
    if before is not None and before.items > found.items:
        items = counted(before.items, "item")
        return f"Not kept: what was measured on {items} before says more. Measure on as many: --items {before.items}."
    if before is not None and _chance(before) == _chance(found):
        found = _together(before, found)
    return f"Kept in {faithfulness.write(folder, found)}."


def _chance(found: Faithfulness) -> object:
    """What tells the items that were measured: what parts in random order, drawn by the seed, scored on them."""
    scores = [row.scores for row in found.rows if row.method == "random"]
    rounded = [{name: round(one.mean, 3) for name, one in own.items()} for own in scores]
    return found.items, found.seed, found.split, rounded


def _together(before: Faithfulness, found: Faithfulness) -> Faithfulness:
    """Both measurements' methods, the new ones in place of the old; random order comes last."""
    new = {row.method for row in found.rows}
    rows = [*(row for row in before.rows if row.method not in new), *found.rows]
    said = [one for one in before.notes if one not in found.notes and one.split(" ", 1)[0] not in new]
    return msgspec.structs.replace(found, rows=tuple(rows), notes=(*said, *found.notes))


def _readable(predictor: Predictor, contents: Sequence[ItemContent]) -> tuple[list[ItemContent], list[str]]:
    """Return the items whose screenshots the model can look at, and a sentence on the others."""
    from engine.explain.screenshot import seen

    found, reasons = [], []
    for content in contents:
        try:
            seen(predictor, content)
            found.append(content)
        except InputError as error:
            reasons.append(str(error))
    if not reasons:
        return found, []
    were = fit(len(reasons), "was", "were")
    told = f"{counted(len(reasons), 'item')} of {len(contents)} {were} left out. {' '.join(reasons[:_SHOWN])}"
    if not found:
        raise InputError(told, "")
    return found, [told]


def _methods(given: Sequence[str]) -> list[str]:
    """Return the methods that are meant, each once."""
    from engine.explain.methods import METHODS

    for one in given:
        if one not in (*METHODS, ALL):
            raise InputError(f"There is no method '{one}'.", did_you_mean(one, [*METHODS, ALL]))
    return list(METHODS) if ALL in given else list(dict.fromkeys(given))


def _possible(predictor: Predictor, methods: Sequence[str], *, leave_out: bool) -> tuple[list[str], list[str]]:
    """Return the methods that the model allows, and why others are left out; those that were named are refused."""
    from engine.explain.methods import check_model

    possible, reasons = [], []
    for method in methods:
        try:
            check_model(method, predictor)
            possible.append(method)
        except EngineError as error:
            if not leave_out:
                raise
            reasons.append(f"{method} was left out: {error.message}")
    return possible, reasons


def _held_out(ws: Workspace, most: int, seed: int) -> list[ItemContent]:
    """Return at most so many items of the validation split, drawn by the seed."""
    found = sorted((item.content for item in ws.runs.labelled() if item.split == SPLIT), key=lambda one: one.id)
    if not found:
        raise InputError(
            "No labelled item is held out for validation.", "Splits are assigned by 'secondlook retrain', or imported."
        )
    return random.Random(seed).sample(found, min(most, len(found)))


def _questions(
    verdicts: Sequence[Verdict], contents: Sequence[ItemContent], taxonomy: Taxonomy, model: str
) -> list[Asked]:
    """Return what is asked of each item: why its verdict, of the kind's first task where the model answers that."""
    from engine.explain.faithfulness.measure import Asked

    by_item: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        by_item.setdefault(verdict.item, {})[verdict.task] = verdict
    asked = []
    for content in contents:
        known, first = by_item.get(content.id, {}), taxonomy.primary(content.kind)
        verdict_ = known.get(first.name if first is not None else "") or next(iter(known.values()), None)
        if verdict_ is not None:
            asked.append(Asked(content, verdict_.task, verdict_.label))
    if not asked:
        raise InputError(f"Model '{model}' has no verdict for any of the held-out items.", "Name another one: --model.")
    return asked


def _measured(
    predictor: Predictor, asked: Sequence[Asked], methods: Sequence[str], seed: int, cancelled: Callable[[], bool]
) -> tuple[list[FaithfulnessRow], list[str]]:
    from engine.explain.faithfulness.measure import measure
    from engine.explain.methods import explain_by

    with progress("Explaining held-out items") as show:
        return measure(
            predictor,
            asked,
            methods,
            lambda method, one: explain_by(
                method, predictor, one.content, one.task, one.label, seed=seed, cancelled=cancelled
            ),
            seed=seed,
            progress=show,
            cancelled=cancelled,
        )


def _text(found: Faithfulness) -> str:
    head = f"Model {found.model}, {counted(found.items, 'held-out item')}, mean ± standard error."
    shown = [name for name in _COLUMNS if any(name in row.scores for row in found.rows)]
    headers = ["method", *(_COLUMNS[name] for name in shown), "seconds"]
    scores = [
        [row.method, *(_cell(row.scores.get(name)) for name in shown), f"{row.seconds:.2f}" if row.advantage else "–"]
        for row in found.rows
    ]
    better = [
        [row.method, *(_cell(row.advantage.get(name), "+") for name in shown)] for row in found.rows if row.advantage
    ]
    are = f"{counted(found.items, 'item')} {fit(found.items, 'is', 'are')}"
    few = [f"{are} too few to tell: give more --items."] if found.items < ENOUGH_ITEMS else []
    blocks = [head, table(headers, scores), _BETTER]
    return "\n\n".join([*blocks, table(["method", *shown], better), *few, *found.notes])


def _cell(one: Spread | None, sign: str = "") -> str:
    if one is None:
        return "–"
    return f"{one.mean:{sign}.3f}" + (f" ± {one.error:.3f}" if one.error is not None else "")
