"""Which open items to label next, from the stored verdicts alone: the model's doubt, and a random share.

The share that is drawn at random is drawn first, from all open items, so that it stays a fair sample of them whatever
the order: what is measured on it is honest, and it finds what the model is wrongly sure of. It is spread evenly over
the batch, so that a batch labelled in part has it too.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from engine.errors import InputError, did_you_mean
from engine.taxonomy import Taxonomy
from engine.workspace import QueueQuery, Workspace
from engine.workspace.teaching import Batch, Candidate, Pick

RANDOM, MARGIN, UNCERTAINTY, ENTROPY = "random", "margin", "uncertainty", "entropy"
COUNT = 200
RANDOM_SHARE = 0.1
MAX_COUNT = 10_000
LOOKED_AT = 5_000
"""So many open items are looked at for a batch of up to half as many, those with the lowest top probability: in a large
workspace far more waver."""

AT_RANDOM = "drawn at random, to find what the model is wrongly sure of"

Probabilities = Sequence[float]


def uncertainty(probabilities: Probabilities) -> float:
    """Return 1 - the top probability (Lewis & Gale 1994, section 3, for any number of labels), in [0, 1)."""
    return 1.0 - max(probabilities)


def margin(probabilities: Probabilities) -> float:
    """Return 1 - (top - second probability) (Scheffer et al. 2001, section 4), in [0, 1]; 1 is a tie."""
    if len(probabilities) < 2:
        return 0.0
    first, second = heapq.nlargest(2, probabilities)
    return 1.0 - (first - second)


def entropy(probabilities: Probabilities) -> float:
    """Return Shannon's entropy over that of as many equally likely labels, in [0, 1]."""
    if len(probabilities) < 2:
        return 0.0
    return -sum(value * math.log(value) for value in probabilities if value > 0) / math.log(len(probabilities))


class Doubt(NamedTuple):
    """A measure of doubt, and the most that it can be at a top probability among `labels` labels.

    `most` never rises with the top probability from 1 / `labels` on.
    """

    measure: Callable[[Probabilities], float]
    most: Callable[[float, int], float]


def _most_entropy(top: float, labels: int) -> float:
    if labels < 2:
        return 0.0
    rest = (1.0 - top) / (labels - 1)
    return entropy([top, *[rest] * (labels - 1)])


DOUBTS = {
    MARGIN: Doubt(margin, lambda top, _: min(1.0, 2.0 - 2.0 * top)),
    UNCERTAINTY: Doubt(uncertainty, lambda top, _: 1.0 - top),
    ENTROPY: Doubt(entropy, _most_entropy),
}


def most_doubtful(
    candidates: Iterable[Candidate], taxonomy: Taxonomy, order: str, count: int
) -> list[tuple[float, Candidate]]:
    """Return the `count` candidates of most doubt with their scores, the most doubtful first, ties by row.

    They must come with the lowest top probability first: reading ends where no further one can be among them. A
    several-label task's doubt is that of its most doubtful label, taken as a question of its own, and everything is
    read where there is such a task.
    """
    doubt = DOUBTS[order]
    found: list[tuple[float, int, Candidate]] = []
    sizes = [len(task.labels) for task in taxonomy.tasks]
    can_stop = not any(task.multi and not task.when for task in taxonomy.tasks)
    for one in candidates:
        if can_stop and len(found) == count and max(doubt.most(one.top, size) for size in sizes) < found[0][0]:
            break
        entry = (_score(doubt, taxonomy, one), -one.row, one)
        if len(found) < count:
            heapq.heappush(found, entry)
        elif count and entry[:2] > found[0][:2]:
            heapq.heapreplace(found, entry)
    return [(score, one) for score, _, one in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def _score(doubt: Doubt, taxonomy: Taxonomy, one: Candidate) -> float:
    values = list(one.probabilities.values())
    if taxonomy.task(one.task).multi:
        return max(doubt.measure((value, 1.0 - value)) for value in values)
    return doubt.measure(values)


def reason(taxonomy: Taxonomy, order: str, score: float, one: Candidate) -> str:
    """Return why a doubtful item was picked, in words."""
    task = taxonomy.task(one.task)
    if task.multi:
        name, value = min(one.probabilities.items(), key=lambda pair: abs(pair[1] - 0.5))
        return f"the model is in doubt about {task.label(name).title} ({value:.0%})"
    ranked = sorted(one.probabilities.items(), key=lambda pair: -pair[1])[:2]
    said = [f"{_title(taxonomy, one.task, name)} ({value:.0%})" for name, value in ranked]
    if order == MARGIN and len(said) == 2:
        return f"the model wavers between {said[0]} and {said[1]}"
    if order == ENTROPY:
        return f"the model spreads its guess over the labels ({score:.0%} of the widest spread)"
    return f"the model is not sure of {said[0]}"


def _title(taxonomy: Taxonomy, task: str, name: str) -> str:
    return next((label.title for label in taxonomy.task(task).labels if label.name == name), name)


def shares(workspace: Workspace, count: int, random_share: float, kind: str | None) -> tuple[int, int]:
    """Return how many open items are to be picked by the order and how many at random.

    Raises `InputError` for a count or a share that cannot be, and where no item is open.
    """
    if not 1 <= count <= MAX_COUNT:
        raise InputError(f"A batch of {count} items cannot be picked.", f"Ask for 1 to {MAX_COUNT:,}.")
    if not 0.0 <= random_share <= 1.0:
        raise InputError(f"A random share of {random_share:g} cannot be.", "Give a number from 0 to 1.")
    there = min(count, workspace.queues.count(QueueQuery(states=("open",), kind=kind)))
    if not there:
        raise InputError("There is no open item to pick.", "Import more.")
    at_random = math.floor(there * random_share + 0.5)
    return there - at_random, at_random


def spread(best: Sequence[Pick], at_random: Sequence[Pick]) -> list[Pick]:
    """Return both in one order, each in its own, the random ones spread evenly (Bresenham's line)."""
    total, taken, mixed = len(best) + len(at_random), 0, []
    for place in range(total):
        if (place + 1) * len(at_random) // total > taken:
            mixed.append(at_random[taken])
            taken += 1
        else:
            mixed.append(best[place - taken])
    return mixed


def random_picks(items: Iterable[str]) -> list[Pick]:
    """Return picks of items that were drawn at random."""
    return [Pick(item=item, why=AT_RANDOM) for item in items]


def select(
    workspace: Workspace,
    order: str = MARGIN,
    *,
    count: int = COUNT,
    random_share: float = RANDOM_SHARE,
    seed: int = 0,
    kind: str | None = None,
) -> Batch:
    """Pick a batch by doubt or at random and keep it in the workspace.

    Raises `InputError`: an order that is not one of these, a count or share that cannot be, nothing to pick from.
    """
    if order not in {*DOUBTS, RANDOM}:
        raise InputError(f"'{order}' is no order to pick by.", did_you_mean(order, [*DOUBTS, RANDOM]))
    by_order, drawn = shares(workspace, count, 1.0 if order == RANDOM else random_share, kind)
    at_random = random_picks(workspace.teaching.draw(drawn, seed, kind))
    best: list[Pick] = []
    if by_order:
        others = candidates(workspace, by_order, {pick.item for pick in at_random}, kind)
        found = most_doubtful(others, workspace.taxonomy, order, by_order)
        best = [Pick(item=one.item, why=reason(workspace.taxonomy, order, s, one), score=s) for s, one in found]
    return keep(workspace, order, best, at_random, seed, wanted=by_order)


def keep(
    workspace: Workspace, order: str, best: Sequence[Pick], at_random: Sequence[Pick], seed: int, *, wanted: int
) -> Batch:
    """Keep a batch of these picks; `wanted` is how many were to be picked by the order.

    Raises `InputError` where none of those could be, because no open item has a verdict.
    """
    if wanted and not best:
        raise InputError(
            f"No open item can be picked by '{order}': none has a verdict.",
            "Score the workspace first (secondlook score), import more, or pick at random (--order random).",
        )
    batch = Batch(order=order, items=len(best) + len(at_random), at_random=len(at_random), seed=seed)
    return workspace.teaching.put(spread(best, at_random), batch)


def candidates(workspace: Workspace, count: int, but: set[str], kind: str | None) -> Iterator[Candidate]:
    """Yield what doubt is measured of to pick `count`: the least certain open items, `LOOKED_AT` or more, not `but`."""
    least_certain = itertools.islice(workspace.teaching.least_certain(kind), max(LOOKED_AT, 2 * count + len(but)))
    return (one for one in least_certain if one.item not in but)
