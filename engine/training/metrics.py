"""Scores of one task over one set of items: accuracy, F1, confusion, AUROC, calibration error and the majority row.

Truth and prediction are boolean matrices of shape (items, labels): one true cell a row for a single-label task, any
number for a multi-label one. So both kinds share every formula but two, which say so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from engine.types import LabelScores, TaskMetrics

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

ECE_BINS = 10


def predictions(probabilities: Floats, *, multi: bool) -> Flags:
    """Return what the probabilities (n, L) answer: the most probable label, or every label at 0.5 and above (multi)."""
    if multi:
        return np.asarray(probabilities >= 0.5)
    answers = np.zeros(probabilities.shape, dtype=np.bool_)
    answers[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return answers


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, 0 where nothing was there to count (scikit-learn's `zero_division=0`)."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def label_scores(truth: Flags, answers: Flags) -> tuple[Floats, Floats, Floats, Floats]:
    """Return precision, recall, F1 in [0, 1] and support for each label, each of shape (L,); undefined ones are 0."""
    hits = (truth & answers).sum(axis=0).astype(np.float64)
    given = answers.sum(axis=0).astype(np.float64)
    support = truth.sum(axis=0).astype(np.float64)
    return _ratio(hits, given), _ratio(hits, support), _ratio(2 * hits, given + support), support


def macro_f1(truth: Flags, answers: Flags) -> float:
    """Return the mean F1 in [0, 1] over the labels that occur in the truth or in the answers.

    A label that nobody has and nobody was given says nothing of the model: counting it as 0 would make the score depend
    on how long the taxonomy is. A label that is only ever given wrongly counts, as 0. This is scikit-learn's default.
    With no label anywhere (a multi-label task where "none" is always true and always answered) it is 1.
    """
    seen = truth.any(axis=0) | answers.any(axis=0)
    if not seen.any():
        return 1.0
    return float(label_scores(truth, answers)[2][seen].mean())


def accuracy(truth: Flags, answers: Flags) -> float:
    """Return the share of items in [0, 1] answered exactly right; for multi-label tasks the whole set must match."""
    return float((truth == answers).all(axis=1).mean())


def expected_calibration_error(confidences: Floats, correct: Flags, *, bins: int = ECE_BINS) -> float:
    """Return the mean gap in [0, 1] between confidence and accuracy over equal-width bins, weighted by their items.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3. Bins are open on the left.
    """
    if not len(confidences):
        return 0.0
    place = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=confidences - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidences))


def auroc(truth: Flags, scores: Floats) -> float | None:
    """Return the area in [0, 1] under the ROC curve, the mean over labels of one against the rest; scores are (n, L).

    The share of pairs of an item with the label and one without it that the scores put in the right order, ties half
    (Hanley and McNeil 1982, the Mann-Whitney form). A label that all items have, or none, has no such pair and is left
    out of the mean; None where all are.
    """
    positive = truth.sum(axis=0).astype(np.float64)
    negative = len(truth) - positive
    defined = (positive > 0) & (negative > 0)
    if not defined.any():
        return None
    ranks = np.asarray(rankdata(scores, axis=0), dtype=np.float64)
    above = (ranks * truth).sum(axis=0) - positive * (positive + 1) / 2
    return float((above[defined] / (positive * negative)[defined]).mean())


def _confidence(truth: Flags, probabilities: Floats, *, multi: bool) -> tuple[Floats, Flags]:
    """Return how sure each answer was and whether it was right; a multi-label item gives one answer for each label."""
    if multi:
        flat = probabilities.ravel()
        return np.maximum(flat, 1 - flat), (flat >= 0.5) == truth.ravel()
    best = probabilities.argmax(axis=1)
    rows = np.arange(len(probabilities))
    return probabilities[rows, best], truth[rows, best]


def _confusion(truth: Flags, answers: Flags) -> tuple[tuple[int, ...], ...]:
    counts = truth.astype(np.int64).T @ answers.astype(np.int64)
    return tuple(tuple(int(cell) for cell in row) for row in counts)


def task_metrics(
    labels: Sequence[str], truth: Flags, probabilities: Floats, *, multi: bool, majority: str
) -> TaskMetrics:
    """Return the scores of one task over at least one item.

    `truth` and `probabilities` have shape (n, L) in the order of `labels`; `majority` is the training set's most
    frequent label, the answer of the majority row. Raises `ValueError` for no items or shapes that differ.
    """
    if not len(truth) or truth.shape != probabilities.shape or truth.shape[1] != len(labels):
        raise ValueError(f"cannot score truth {truth.shape} against probabilities {probabilities.shape}")
    answers = predictions(probabilities, multi=multi)
    always = np.zeros(truth.shape, dtype=np.bool_)
    always[:, list(labels).index(majority)] = True
    columns = zip(labels, *label_scores(truth, answers), strict=True)
    return TaskMetrics(
        n=len(truth),
        accuracy=accuracy(truth, answers),
        macro_f1=macro_f1(truth, answers),
        majority_accuracy=accuracy(truth, always),
        majority_macro_f1=macro_f1(truth, always),
        ece=expected_calibration_error(*_confidence(truth, probabilities, multi=multi)),
        labels=tuple(labels),
        per_class={
            name: LabelScores(precision=float(p), recall=float(r), f1=float(f), support=int(s))
            for name, p, r, f, s in columns
        },
        confusion=() if multi else _confusion(truth, answers),
        auroc=auroc(truth, probabilities),
    )
