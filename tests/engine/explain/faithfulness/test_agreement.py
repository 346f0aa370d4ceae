from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, f1_score, precision_recall_curve

from engine.explain.faithfulness.agreement import Rationale, auprc, iou_f1, spans, token_f1, top


def marked(text: str) -> Rationale:
    """ "x" is a marked token, "." is not."""
    return np.array([character == "x" for character in text])


def test_token_f1_is_the_mean_of_what_scikit_learn_says_of_each_document() -> None:
    random = np.random.default_rng(0)
    truths = [random.random(size) < 0.4 for size in (5, 9, 1, 30)]
    predicted = [random.random(len(truth)) < 0.3 for truth in truths]
    expected = [f1_score(t, p, zero_division=0.0) for t, p in zip(truths, predicted, strict=True)]
    assert token_f1(truths, predicted) == pytest.approx(np.mean(expected))


def test_spans_are_runs_of_marked_tokens() -> None:
    assert spans(marked("xx.x..xxx")) == [(0, 2), (3, 4), (6, 9)]
    assert spans(marked("....")) == []


@given(st.lists(st.booleans(), max_size=12))
def test_spans_hold_just_the_marked_tokens(tokens: list[bool]) -> None:
    found = spans(np.array(tokens, dtype=bool))
    assert [at for start, end in found for at in range(start, end)] == [at for at, one in enumerate(tokens) if one]
    assert all(later[0] > earlier[1] for earlier, later in itertools.pairwise(found))


def test_iou_f1_by_hand() -> None:
    """First: of two runs one overlaps 2 of 3 tokens (right), one nothing. Second: 1 of 4 tokens (wrong)."""
    truths = [marked("xxx......."), marked("xxxx")]
    predicted = [marked(".xx...xx.."), marked("x...")]
    precision, recall = np.mean([1 / 2, 0]), np.mean([1 / 1, 0])
    assert iou_f1(truths, predicted) == pytest.approx(2 * precision * recall / (precision + recall))
    assert iou_f1(truths, predicted, threshold=0.25) == pytest.approx(6 / 7)


def test_single_tokens_match_spans_of_two_at_most() -> None:
    truths, predicted = [marked("xx..xxx")], [marked("x...xx.")]
    assert iou_f1(truths, predicted, joined=False) == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert iou_f1(truths, predicted) == 1.0


def test_documents_where_nobody_marked_anything_cost_precision_alone() -> None:
    truths, predicted = [marked("xx"), marked("..")], [marked("xx"), marked("x.")]
    assert iou_f1(truths, predicted) == pytest.approx(2 * 0.5 * 1.0 / 1.5)
    assert iou_f1([marked("..")], [marked("..")]) == 0.0


def test_auprc_is_the_mean_over_documents_that_have_a_rationale() -> None:
    random = np.random.default_rng(1)
    truths = [marked("x.x...x"), marked("..x"), marked("...")]
    scores = [random.normal(size=len(truth)) for truth in truths]
    areas = []
    for truth, score in zip(truths[:2], scores[:2], strict=True):
        precision, recall, _ = precision_recall_curve(truth, score)
        areas.append(auc(recall, precision))
    assert auprc(truths, scores) == pytest.approx(np.mean(areas))
    assert auprc([marked("x.x")], [np.array([3.0, -1.0, 2.0])]) == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(auprc([marked("...")], [np.zeros(3)]))


def test_top_takes_the_highest_and_of_equal_ones_the_later() -> None:
    assert top(np.array([0.1, 0.7, -0.2, 0.5]), 2).tolist() == [False, True, False, True]
    assert top(np.zeros(3), 2).tolist() == [False, True, True]
    assert top(np.array([1.0, 2.0]), 5).all()
    assert not top(np.array([1.0, 2.0]), 0).any()
