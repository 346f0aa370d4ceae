"""Agreement of chosen words with the words that people marked: token-F1, IOU-F1 and AUPRC.

DeYoung et al. 2020, "ERASER: A Benchmark to Evaluate Rationalized NLP Models", section 4.1, as its published code
computes them and Mathew et al. 2021, "HateXplain", section "Metrics for evaluation", uses them. A document is a
sequence of tokens, a rationale one boolean a token. Every score is in [0, 1], a mean over documents.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import auc, precision_recall_curve

Rationale = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]
Span = tuple[int, int]
"""First token, and the one after the last."""

MATCH = 0.5
"""Spans match from this intersection over union on (ERASER, section 4.1)."""


def token_f1(truths: Sequence[Rationale], predicted: Sequence[Rationale]) -> float:
    """The mean over documents of the F1 of their tokens; 0 for a document where nothing is right.

    Precision and recall count tokens (ERASER, section 4.1, "token-level F1"). The mean of the documents' F1, not the F1
    of mean precision and recall, is what the published code reports as `instance_macro`.
    """
    return float(np.mean([_f1(int((t & p).sum()), int(p.sum()), int(t.sum())) for t, p in _pairs(truths, predicted)]))


def iou_f1(
    truths: Sequence[Rationale], predicted: Sequence[Rationale], *, joined: bool = True, threshold: float = MATCH
) -> float:
    """The F1 of matching spans: mean precision and mean recall over documents first, then their harmonic mean.

    A predicted span is right where its best intersection over union with a marked span is at least `threshold` (ERASER,
    section 4.1). Marked spans are runs of tokens. Predicted ones are runs too, or, with `joined` False, single tokens:
    that is what the code behind the HateXplain table writes, and single tokens only match spans of one or two.
    """
    precisions, recalls = [], []
    for truth, prediction in _pairs(truths, predicted):
        marked = spans(truth)
        named = spans(prediction) if joined else [(at, at + 1) for at in np.flatnonzero(prediction).tolist()]
        right = sum(max((_iou(one, other) for other in marked), default=0.0) >= threshold for one in named)
        if named:
            precisions.append(right / len(named))
        if marked:
            recalls.append(right / len(marked))
    return _harmonic(float(np.mean(precisions or [0.0])), float(np.mean(recalls or [0.0])))


def auprc(truths: Sequence[Rationale], scores: Sequence[Scores]) -> float:
    """The mean over documents of the area under the precision-recall curve of the tokens' scores (trapezoid rule).

    ERASER, section 4.1, "soft" scores. Documents without a marked token are left out: they have no recall. NaN where
    that leaves none.
    """
    areas = []
    for truth, score in zip(truths, scores, strict=True):
        if truth.any():
            precision, recall, _ = precision_recall_curve(truth, score)
            areas.append(auc(recall, precision))
    return float(np.mean(areas)) if areas else math.nan


def top(scores: Scores, k: int) -> Rationale:
    """The k tokens of the highest scores; all of them where there are fewer. Of equal ones the later, as published."""
    chosen = np.zeros(len(scores), dtype=bool)
    if k > 0:
        chosen[np.argsort(scores, kind="stable")[-k:]] = True
    return chosen


def spans(rationale: Rationale) -> list[Span]:
    """The runs of marked tokens, in order."""
    groups = itertools.groupby(enumerate(rationale.tolist()), key=lambda pair: pair[1])
    runs = [[at for at, _ in group] for marked, group in groups if marked]
    return [(run[0], run[-1] + 1) for run in runs]


def _pairs(truths: Sequence[Rationale], predicted: Sequence[Rationale]) -> list[tuple[Rationale, Rationale]]:
    return list(zip(truths, predicted, strict=True))


def _f1(right: int, named: int, marked: int) -> float:
    return 2 * right / (named + marked) if right else 0.0


def _harmonic(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first and second else 0.0


def _iou(one: Span, other: Span) -> float:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return max(0, shared) / (one[1] - one[0] + other[1] - other[0] - max(0, shared))
