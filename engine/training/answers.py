"""Reviewers' answers as training data: targets from their disagreement, weights from their age, and what was used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import torch
from torch import Tensor

from engine.errors import InputError
from engine.models.spec import HeadSpec
from engine.types import Answer, TrainingItem

_DAY_S = 86_400.0


def soft_targets(items: Sequence[TrainingItem], head: HeadSpec) -> Tensor:
    """Return (N, L) floats in [0, 1]: the share of an item's reviewers who gave each label.

    An item that reviewers did not answer has 1 for the labels that came with it; one without an answer to the task, or
    whose answer does not count any more, has a NaN row. The rows of a single-label task sum to 1. Training on them is
    learning from the crowd's own uncertainty (Peterson et al. 2019, "Human uncertainty makes classification more
    robust", section 3).
    """
    place = {label: column for column, label in enumerate(head.labels)}
    target = torch.full((len(items), len(head.labels)), float("nan"))
    for row, item in enumerate(items):
        if head.task not in item.labels:
            continue
        votes = [vote.labels for vote in item.answers.get(head.task, ())] or [item.labels[head.task]]
        target[row] = 0
        for labels in votes:
            target[row, [place[label] for label in labels]] += 1 / len(votes)
    return target


def age_weights(items: Sequence[TrainingItem], everything: Sequence[TrainingItem], half_life_days: float) -> Tensor:
    """Return (N,) weights with mean 1: half as much for every `half_life_days` that an item's newest answer is old.

    The age counts from the newest answer in `everything`, the run's whole snapshot, so that training on it later gives
    the same model. Labels that came with an import have no date and count in full. A half-life of 0 weighs all alike.

    Raises:
        InputError: an answer's time is no ISO 8601 time.
    """
    if not half_life_days:
        return torch.ones(len(items))
    newest = max(filter(None, map(_newest, everything)), default=None)
    days = [
        0.0 if newest is None or (at := _newest(item)) is None else (newest - at).total_seconds() / _DAY_S
        for item in items
    ]
    ages = torch.tensor(days, dtype=torch.float64)
    weights = 0.5 ** ((ages - min(days, default=0.0)) / half_life_days)  # the youngest is 1: the sum is never nothing
    return (weights / weights.mean()).float()


def decisions_used(item: TrainingItem, tasks: Sequence[str], *, soft: bool) -> set[int]:
    """Return the numbers of the decision rows that a model trained on this item for these tasks rests on.

    With soft labels those of the outvoted answers too.
    """
    if not soft:
        return set(item.decisions)
    return set(item.decisions) | {
        answer.decision for task in tasks if task in item.labels for answer in item.answers.get(task, ())
    }


def _newest(item: TrainingItem) -> datetime | None:
    times = [_time(item, answer) for answers in item.answers.values() for answer in answers]
    return max(times, default=None)


def _time(item: TrainingItem, answer: Answer) -> datetime:
    try:
        found = datetime.fromisoformat(answer.at)
    except ValueError as error:
        raise InputError(
            f"Item {item.content.id!r} was answered at {answer.at!r} (decision {answer.decision}), which is no time.",
            "Start a new run, or set training.half_life_days to 0.",
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
