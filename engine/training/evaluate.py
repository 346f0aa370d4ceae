"""A finished model's scores on labelled items, from the same verdicts that reviewers see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from engine.models.decoding import Unread
from engine.models.predictor import Predictor
from engine.training.metrics import predictions, task_metrics
from engine.training.splits import TRAIN
from engine.training.versions import Version
from engine.types import ModelCard, TaskMetrics, TrainingItem, Verdict


@dataclass(frozen=True)
class Answers:
    """A model's answers to one task: `truth` and `probabilities` of shape (n, L) for the items `ids`."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    multi: bool

    def right(self) -> dict[str, bool]:
        """Return by item whether it was answered exactly right."""
        hits = (predictions(self.probabilities, multi=self.multi) == self.truth).all(axis=1)
        return dict(zip(self.ids, hits.tolist(), strict=True))

    def without(self, ids: set[str]) -> Answers:
        """Return the answers less those for some items."""
        keep = np.array([name not in ids for name in self.ids], dtype=np.bool_)
        kept = tuple(name for name in self.ids if name not in ids)
        return replace(self, ids=kept, truth=self.truth[keep], probabilities=self.probabilities[keep])

    def instead(self, given: Mapping[str, Sequence[float]]) -> Answers:
        """Return the answers with other probabilities of the model's labels, in their order, for some items."""
        probabilities = self.probabilities.copy()
        for row, name in enumerate(self.ids):
            if name in given:
                probabilities[row, : len(given[name])] = given[name]
        return replace(self, probabilities=probabilities)


def evaluate(
    predictor: Predictor,
    items: Sequence[TrainingItem],
    *,
    cancelled: Callable[[], bool] | None = None,
    unread: Unread | None = None,
) -> dict[str, TaskMetrics]:
    """Return the model's scores per task over the items that have an answer to it; a task without any is left out.

    A label that the model does not know (the taxonomy has grown) counts against it. `unread` as in `decode_ahead`.

    Raises:
        CancelledError: `cancelled` said so.
    """
    answers = collect_answers(predictor, items, cancelled=cancelled, unread=unread)
    return {task: metrics_of(one, majority_label(predictor.card, task, one)) for task, one in answers.items()}


def metrics_of(answers: Answers, majority: str) -> TaskMetrics:
    """Return the scores of these answers."""
    return task_metrics(answers.labels, answers.truth, answers.probabilities, multi=answers.multi, majority=majority)


def collect_answers(
    predictor: Predictor,
    items: Sequence[TrainingItem],
    *,
    cancelled: Callable[[], bool] | None = None,
    unread: Unread | None = None,
) -> dict[str, Answers]:
    """Return the model's answers per task for the items whose true answer is known; `unread` as in `decode_ahead`."""
    wanted = [item for item in items if item.labels.keys() & predictor.card.tasks.keys()]
    verdicts = predictor.predict([item.content for item in wanted], cancelled=cancelled, unread=unread)
    truths = {item.content.id: item.labels for item in wanted}
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.task in truths[verdict.item]:
            found.setdefault(verdict.task, []).append(verdict)
    return {
        task: _answers(predictor.card, task, ours, [truths[verdict.item][task] for verdict in ours])
        for task, ours in found.items()
    }


def with_versions(
    predictor: Predictor,
    answers: Mapping[str, Answers],
    versions: Mapping[str, Version],
    *,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Answers]:
    """Return a model's answers with those of some items in place of which it is shown a version, by item id.

    Raises:
        CancelledError: `cancelled` said so.
    """
    shown = ((one.content, one.square(predictor.spec.image)) for one in versions.values())
    chances: dict[str, dict[str, list[float]]] = {task: {} for task in answers}
    for verdict in chain.from_iterable(predictor.predict_prepared(shown, cancelled=cancelled)):
        if verdict.task in chances:
            row = [verdict.probabilities[label] for label in predictor.card.tasks[verdict.task]]
            chances[verdict.task][verdict.item] = row
    return {task: one.instead(chances[task]) for task, one in answers.items()}


def answers_of(
    card: ModelCard,
    task: str,
    ids: Sequence[str],
    probabilities: NDArray[np.float64],
    truths: Sequence[tuple[str, ...]],
) -> Answers:
    """Return a model's answers from (n, L) probabilities in the order of its labels, and the true answers of `ids`."""
    strange = sorted({label for labels in truths for label in labels} - set(card.tasks[task]))
    labels = (*card.tasks[task], *strange)
    return Answers(
        labels=labels,
        ids=tuple(ids),
        truth=np.array([[label in given for label in labels] for given in truths], dtype=np.bool_),
        probabilities=np.pad(probabilities, ((0, 0), (0, len(strange)))),
        multi=task in card.multi,
    )


def majority_label(card: ModelCard, task: str, answers: Answers) -> str:
    """Return the task's most frequent training label; of these items where the card does not count them."""
    counts = {label: card.counts.get(f"{TRAIN}/{task}/{label}", 0) for label in card.tasks[task]}
    if not any(counts.values()):
        counts = dict(zip(answers.labels, answers.truth.sum(axis=0).tolist(), strict=True))
    return max(counts, key=lambda label: counts[label])


def _answers(card: ModelCard, task: str, verdicts: Sequence[Verdict], truths: Sequence[tuple[str, ...]]) -> Answers:
    chances = [[verdict.probabilities[label] for label in card.tasks[task]] for verdict in verdicts]
    ids = [verdict.item for verdict in verdicts]
    return answers_of(card, task, ids, np.array(chances, dtype=np.float64), truths)
