"""`secondlook explain`: why a model gives a label its probability, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.common import ItemArgument, JsonOption, ModelOption, WorkspaceArgument, answer, table
from engine.errors import NotFoundError, did_you_mean
from engine.types import Explanation, Item, Verdict
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook explain tweets.secondlook tweet-7 --png why.png",
    "secondlook explain shop.secondlook page-3 --task verdict --label prohibited --json",
)
_WORDS_SHOWN = 10


def explain(
    workspace: WorkspaceArgument,
    item: ItemArgument,
    model: ModelOption = None,
    *,
    task: Annotated[
        str | None, typer.Option("--task", metavar="T", help="The task; the kind's first one where it is left out.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="L", help="The label; the verdict's where it is left out.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Write heatmap and marked text to this picture.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, max=2**32 - 1, help="Of the samples; 0 by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which words and which parts of the screenshot speak for a label, and which against it.

    A stored explanation is shown again; a new one is stored. Weights are changes of the label's probability.
    """
    with Workspace.open(workspace) as ws:
        found = ws.items.get(item)
        explanation = _explanation(ws, found, model or _champion(ws), task, label, seed)
        content = ws.items.content(found)
    if png is not None:
        from engine.explain.render import save_png

        save_png(content, explanation, png)
    answer(_document(explanation), lambda: _text(explanation, png), as_json=as_json)


def _explanation(
    ws: Workspace, item: Item, model: str, task: str | None, label: str | None, seed: int | None
) -> Explanation:
    """The stored explanation where there is one (of that seed, if one is asked for), else a new one, stored."""
    chosen = task or _first_task(ws, item)
    verdict = ws.verdicts.of_model(item.id, model).get(chosen)
    known = label or (verdict.label if verdict else None)
    if known is not None:
        stored = ws.explanations.get(item.id, chosen, known, model)
        if stored is not None and stored.final and seed in {None, stored.seed}:
            return stored
    from engine.explain import explain as explain_item
    from engine.models.predictor import Predictor

    predictor = Predictor.load(ws.models.folder(model))
    content = ws.items.content(item)
    if known is None:
        known = _verdict(predictor.predict([content]), chosen, item, model).label
    explanation = explain_item(predictor, content, chosen, known, seed=seed or 0)
    ws.explanations.put(explanation)
    return explanation


def _champion(ws: Workspace) -> str:
    champion = ws.models.champion()
    if champion is None:
        raise NotFoundError("There is no model yet.", f"Train one with: secondlook retrain {ws.path}")
    return champion.card.id


def _first_task(ws: Workspace, item: Item) -> str:
    task = ws.taxonomy.primary(item.kind)
    if task is None:
        raise NotFoundError(f"No task is asked of a {item.kind} such as '{item.id}'.", "Name one with --task.")
    return task.name


def _verdict(verdicts: Iterable[Verdict], task: str, item: Item, model: str) -> Verdict:
    by_task = {verdict.task: verdict for verdict in verdicts}
    if task not in by_task:
        raise NotFoundError(
            f"Model '{model}' does not answer the task '{task}' for a {item.kind} such as '{item.id}'.",
            did_you_mean(task, by_task),
        )
    return by_task[task]


def _document(explanation: Explanation) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(explanation)
    del document["segment_map"]
    return document


def _text(explanation: Explanation, png: Path | None) -> str:
    words = {token.text: token.weight for token in explanation.tokens if token.weight}
    strongest = sorted(words.items(), key=lambda pair: -abs(pair[1]))[:_WORDS_SHOWN]
    lines = [
        f"{explanation.item}: {explanation.task} {explanation.label} {explanation.probability:.1%}"
        f" (model {explanation.model}, {explanation.samples} samples)."
    ]
    if explanation.note:
        lines.append(explanation.note)
    if strongest:
        lines.append(table(["word", "weight"], [[word, f"{weight:+.3f}"] for word, weight in strongest]))
    seen = sum(abs(segment.weight) > 0 for segment in explanation.segments)
    if seen:
        lines.append(f"{seen} parts of the screenshot weigh something; {'see' if png else 'see them with'} --png.")
    if png is not None:
        lines[-1:] = [*lines[-1:], f"Picture: {png}"]
    return "\n".join(lines)
