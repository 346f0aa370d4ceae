"""Alternating batches: every batch holds items of one item set, and the sets take turns.

Source: Sawhney et al. 2021: tasks whose labels come from different data sets are trained in turns, a batch each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from engine.training.device import derived_seed

Deal = Callable[[Sequence[int], int], list[list[int]]]
"""Deals so many items, given by their rows, into batches of places among them, drawn with a seed."""


def item_sets(targets: Mapping[str, Tensor]) -> list[list[int]]:
    """Return the rows of each item set, in order, from per-task targets (N, L) with NaN rows for what is unanswered.

    Tasks that some item answers together belong to one set, and so do all tasks that are linked in that way: a reason
    that is asked of toxic items only must not part toxic items from the others. Sets come in the order of their first
    task; items that answer nothing belong to none.
    """
    answered = {task: (~target.isnan().any(dim=1)).nonzero().squeeze(1).tolist() for task, target in targets.items()}
    found: list[set[int]] = []
    for rows in answered.values():
        linked = [one for one in found if not one.isdisjoint(rows)]
        if linked:
            linked[0].update(rows, *linked[1:])
            found = [one for one in found if one not in linked[1:]]
        else:
            found.append(set(rows))
    return [sorted(one) for one in found if one]


def alternating_batches(sets: Sequence[Sequence[int]], deal: Deal, seed: int) -> list[list[int]]:
    """Return an epoch's batches, each of one set's rows; with a single set they are what `deal` makes of it.

    The sets take turns in proportion to their number of batches, so that an epoch shows every item once and a large set
    is spread evenly over it: batch j of m stands at (j + 1/2) / m of the epoch, the earlier set first where two meet.
    """
    turns: list[tuple[float, int, list[int]]] = []
    for place, rows in enumerate(sets):
        batches = deal(rows, derived_seed(seed, "set", place) if place else seed)
        turns += [
            ((turn + 0.5) / len(batches), place, [rows[at] for at in batch]) for turn, batch in enumerate(batches)
        ]
    return [batch for _, _, batch in sorted(turns, key=lambda one: one[:2])]
