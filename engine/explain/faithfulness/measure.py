"""Scores methods on items: is the model's probability really carried by what an explanation names?"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.counting import counted, fit
from engine.errors import CancelledError, EngineError, InputError
from engine.explain.faithfulness.erasure import Order, aopc, by_weight, deletion, insertion
from engine.explain.faithfulness.probe import Probe, Side
from engine.explain.model import ExplainableModel
from engine.types import Explanation, FaithfulnessRow, ItemContent, Spread

RANDOM = "random"
DELETION, INSERTION, COMPREHENSIVENESS, SUFFICIENCY = "deletion", "insertion", "comprehensiveness", "sufficiency"
BETTER_LOW = frozenset({DELETION, SUFFICIENCY})
RANDOM_ORDERS = 3
"""How many random orders an item's random row is the mean of."""

Scores = dict[str, float]


@dataclass(frozen=True)
class Asked:
    """Why does the model give `content` the `label` of `task`?"""

    content: ItemContent
    task: str
    label: str


Explain = Callable[[str, Asked], Explanation]
"""A method's explanation; raises an `EngineError` where the method cannot explain this item with this model."""


@dataclass
class _Column:
    """What one method scored, item by item."""

    scores: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    advantage: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def add(self, scores: Scores, chance: Scores) -> None:
        for name, score in scores.items():
            self.scores[name].append(score)
            gain = chance[name] - score if name in BETTER_LOW else score - chance[name]
            self.advantage[name].append(gain)

    def row(self, method: str) -> FaithfulnessRow:
        return FaithfulnessRow(
            method=method,
            scores={name: spread(values) for name, values in self.scores.items()},
            advantage={name: spread(values) for name, values in self.advantage.items()} if method != RANDOM else {},
            seconds=float(np.mean(self.seconds or [0.0])),
        )


def measure(
    model: ExplainableModel,
    asked: Sequence[Asked],
    methods: Sequence[str],
    explain: Explain,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[list[FaithfulnessRow], list[str]]:
    """A row for each method and one for random order, and sentences on methods that could not explain everything.

    Superpixels: deletion and insertion; words: AOPC of comprehensiveness and sufficiency (`engine.explain.faithfulness.
    erasure`). What an explanation says nothing of (Grad-CAM of words) is not scored. A method that cannot explain any
    item has no row, and an item whose screenshot cannot be read any more is in none.

    Raises:
        CancelledError: `cancelled` said so.
        InputError: none of the methods can explain any of the items, or there is nothing to hide in them.
    """
    columns = {method: _Column() for method in (*methods, RANDOM)}
    unread: list[str] = []
    for number, one in enumerate(asked):
        progress(number, len(asked))
        try:
            probe = Probe(model, one.content, one.task, one.label, cancelled)
        except InputError as error:
            unread.append(error.message)
            continue
        chance = _chance(probe, np.random.default_rng([seed, number]))
        columns[RANDOM].add(chance, chance)
        for method in methods:
            _add(columns[method], probe, chance, functools.partial(explain, method, one), [seed, number, 1])
    progress(len(asked), len(asked))
    rows = [column.row(method) for method, column in columns.items() if column.scores]
    read = len(asked) - len(unread)
    notes = [note for method, column in columns.items() if (note := _left_out(method, column, read))]
    if unread:
        notes.append(
            f"{counted(len(unread), 'item')} of {len(asked)} {fit(len(unread), 'was', 'were')} left out: {unread[0]}"
        )
    if not any(row.method != RANDOM for row in rows):
        raise InputError(" ".join(["Nothing could be measured.", *notes]), "Choose other methods, or another model.")
    return rows, notes


def score(probe: Probe, explanation: Explanation, random: np.random.Generator) -> Scores:
    """What one explanation of the probe's item scores, by name; without what it says nothing of."""
    return _scores(probe, lambda side: _order(side, explanation, random))


def spread(values: Sequence[float]) -> Spread:
    """The mean of the values, and its standard error where there are several."""
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Spread(mean=float(np.mean(values)), n=len(values), error=error)


def _add(
    column: _Column, probe: Probe, chance: Scores, explain: Callable[[], Explanation], seed: Sequence[int]
) -> None:
    try:
        explanation = explain()
    except CancelledError:
        raise
    except EngineError as error:
        column.refusals.append(error.message)
        return
    column.seconds.append(explanation.seconds)
    column.add(score(probe, explanation, np.random.default_rng(seed)), chance)


def _chance(probe: Probe, random: np.random.Generator) -> Scores:
    """The mean scores of some random orders."""
    several = [_scores(probe, lambda side: random.permutation(side.features)) for _ in range(RANDOM_ORDERS)]
    return {name: float(np.mean([scores[name] for scores in several])) for name in several[0]}


def _scores(probe: Probe, order_of: Callable[[Side], Order | None]) -> Scores:
    found: Scores = {}
    if probe.superpixels is not None and (order := order_of(probe.superpixels)) is not None:
        found |= {DELETION: deletion(order, probe.superpixels.ask), INSERTION: insertion(order, probe.superpixels.ask)}
    if probe.words is not None and (order := order_of(probe.words)) is not None:
        lost = aopc(order, probe.words.ask)
        found |= {COMPREHENSIVENESS: lost.comprehensiveness, SUFFICIENCY: lost.sufficiency}
    return found


def _order(side: Side, explanation: Explanation, random: np.random.Generator) -> Order | None:
    weights = side.weights(explanation)
    return None if weights is None else by_weight(weights, random)


def _left_out(method: str, column: _Column, items: int) -> str:
    if not column.refusals:
        return ""
    which = "any item" if len(column.refusals) == items else f"{len(column.refusals)} of {items} items"
    return f"{method} could not explain {which}: {column.refusals[0]}"
