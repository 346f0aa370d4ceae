"""Picking a batch by embeddings, for the command line: the model in memory looks at the items itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.models.predictor import Predictor
from engine.training.active.core_set import Vectors, k_centre_greedy
from engine.triage.teaching import (
    COUNT,
    MARGIN,
    RANDOM_SHARE,
    candidates,
    keep,
    most_doubtful,
    random_picks,
    reason,
    shares,
)
from engine.types import ItemContent
from engine.workspace import Workspace
from engine.workspace.teaching import Batch, Pick

CORE_SET, COMBINED = "core-set", "combined"
ORDERS = (CORE_SET, COMBINED)
POOL = 20_000
"""Open items that a core-set is picked from; of more, so many are drawn at random."""
LABELLED = 5_000
"""Labelled items that picks are to differ from; of more, so many are drawn at random."""
WIDER = 10
"""The combined order picks from so many times as many doubtful items."""

Embed = Callable[[Sequence[ItemContent]], Vectors]


def embedding(predictor: Predictor, progress: Callable[[int, int], None] | None = None) -> Embed:
    """Return what gives items' vectors: text and screenshot, each of length 1, side by side, (n, Dt + Di)."""

    def embed(contents: Sequence[ItemContent]) -> Vectors:
        found = list(parts(contents))
        return np.concatenate(found) if found else np.zeros((0, 0), np.float32)

    def parts(contents: Sequence[ItemContent]) -> Iterator[Vectors]:
        done = 0
        for part, text, image in predictor.vectors_stream(contents):
            done += len(part)
            if progress is not None:
                progress(done, len(contents))
            yield np.hstack([unit(one.float().cpu().numpy()) for one in (text, image)])

    return embed


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, D) vectors of length 1; a zero vector stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    divided: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return divided


def select(
    workspace: Workspace,
    order: str,
    embed: Embed,
    *,
    count: int = COUNT,
    random_share: float = RANDOM_SHARE,
    seed: int = 0,
    kind: str | None = None,
) -> Batch:
    """Pick a batch by "core-set" or "combined" and keep it in the workspace.

    Raises `InputError`: a count or share that cannot be, nothing to pick from.
    """
    by_order, drawn = shares(workspace, count, random_share, kind)
    at_random = random_picks(workspace.teaching.draw(drawn, seed, kind))
    taken = {pick.item for pick in at_random}
    pool = _pool(workspace, order, by_order, taken, seed, kind)
    best = _farthest(workspace, pool, by_order, embed, seed) if by_order else []
    return keep(workspace, order, best, at_random, seed, wanted=by_order)


def _pool(workspace: Workspace, order: str, count: int, taken: set[str], seed: int, kind: str | None) -> dict[str, str]:
    """Return what to pick from: items, each with what is said of it beside its distance."""
    if order == CORE_SET:
        drawn = workspace.teaching.draw(POOL + len(taken), seed + 1, kind)
        return {item: "" for item in drawn if item not in taken}
    doubtful = candidates(workspace, WIDER * count, taken, kind)
    found = most_doubtful(doubtful, workspace.taxonomy, MARGIN, WIDER * count)
    return {one.item: f"{reason(workspace.taxonomy, MARGIN, score, one)}, and it is " for score, one in found}


def _farthest(workspace: Workspace, pool: dict[str, str], count: int, embed: Embed, seed: int) -> list[Pick]:
    items = list(pool)
    contents = [workspace.items.content(item) for item in workspace.items.get_many(items)]
    labelled = [item.content for item in workspace.runs.labelled() if item.content.id not in pool]
    if len(labelled) > LABELLED:
        labelled = random.Random(seed).sample(labelled, LABELLED)
    vectors = embed([*contents, *labelled])
    picked, reach = k_centre_greedy(vectors[: len(items)], vectors[len(items) :], count)
    return [
        Pick(item=items[place], why=f"{pool[items[place]]}{_far(distance)}", score=_finite(distance))
        for place, distance in zip(picked, reach, strict=True)
    ]


def _far(distance: float) -> str:
    if _finite(distance) is None:
        return "the most typical of what there is"
    return f"unlike what is labelled or picked already (distance {distance:.2f})"


def _finite(distance: float) -> float | None:
    return distance if np.isfinite(distance) else None
