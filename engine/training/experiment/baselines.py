"""The peers of every table: the majority class, TF-IDF with a linear SVM, TF-IDF with logistic regression.

TF-IDF over word 1-2-grams and character 2-5-grams within words, sublinear term frequencies, as in the baselines of
TweetEval (Barbieri et al. 2020, section 4) and OGTD; C and the class weights are chosen by cross-validation on the
training side alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import FeatureUnion
from sklearn.svm import LinearSVC

from engine.models.text import model_text
from engine.taxonomy import Task
from engine.training.experiment.folds import Fold
from engine.training.experiment.records import Details, Figures, figures_of, truth_of
from engine.training.metrics import Floats, macro_f1, predictions
from engine.types import TrainingItem

MAJORITY, SVM, LOGISTIC = "majority", "TF-IDF + SVM", "TF-IDF + logistic regression"
BASELINES = (MAJORITY, SVM, LOGISTIC)
VERSION = 2
"""Raised when a baseline computes something else, so that old records are measured again."""

_GRID = {SVM: (0.01, 0.03, 0.1, 0.3, 1.0), LOGISTIC: (0.3, 1.0, 3.0, 10.0)}
_INNER = 3
_WORD = r"(?u)\b\w+\b|[^\w\s]"
Matrix = Any
"""A scipy sparse matrix of (n, features) floats."""


_Found = tuple[Floats, Details]


@dataclass(frozen=True)
class Measured:
    """A baseline's figures on one task and what it chose."""

    figures: Figures
    details: Details


@dataclass(frozen=True)
class _Choice:
    c: float
    balanced: bool


def measure(name: str, fold: Fold, task: Task, seed: int, check: Callable[[], None]) -> Measured | None:
    """Return how a baseline does on a fold; None where nothing can be learned or measured, or no item has text.

    It learns from the whole training side. `check` is called between fits and may raise to stop.
    """
    train = [item for item in (*fold.train, *fold.stop) if task.name in item.labels]
    test = [item for item in fold.test if task.name in item.labels]
    labels = task.label_names
    if not train or not test:
        return None
    truth = truth_of([item.labels[task.name] for item in train], labels)
    answers = truth_of([item.labels[task.name] for item in test], labels)
    majority = labels[int(truth.sum(axis=0).argmax())]
    if name == MAJORITY:
        found: _Found | None = np.tile(truth.mean(axis=0), (len(test), 1)), {}
    else:
        found = _learned(name, train, test, truth, task.multi, seed, check)
    if found is None:
        return None
    scores, details = found
    probable = name != SVM
    figures = figures_of(labels, answers, scores, multi=task.multi, majority=majority, probable=probable)
    return Measured(figures, {"majority": majority, **details})


def _learned(
    name: str,
    train: Sequence[TrainingItem],
    test: Sequence[TrainingItem],
    truth: NDArray[np.bool_],
    multi: bool,
    seed: int,
    check: Callable[[], None],
) -> _Found | None:
    texts = [model_text(item.content) for item in train]
    if not any(text.strip() for text in texts) or truth.any(axis=0).sum() < (1 if multi else 2):
        return None
    features = _features(len(texts))
    known = features.fit_transform(texts).tocsr()
    check()
    fresh = features.transform([model_text(item.content) for item in test])
    choice = _choose(name, known, truth, [item.group for item in train], multi, seed, check)
    scores = _scores(name, choice, known, truth, fresh, multi=multi)
    return scores, {"C": choice.c, "class weights": "balanced" if choice.balanced else "none"}


def _features(count: int) -> FeatureUnion:
    """Word 1-2-grams and character 2-5-grams; those of a single text are left out where there are many texts."""
    rare = 2 if count >= 200 else 1
    settings = {"sublinear_tf": True, "min_df": rare, "dtype": np.float32, "lowercase": True}
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=_WORD, **settings)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **settings)
    return FeatureUnion([("words", words), ("characters", characters)])


def _choose(
    name: str,
    features: Matrix,
    truth: NDArray[np.bool_],
    groups: Sequence[str],
    multi: bool,
    seed: int,
    check: Callable[[], None],
) -> _Choice:
    """Return the setting with the highest mean macro-F1 over inner folds of the training side, by groups."""
    strata = truth.argmax(axis=1) if not multi else truth.any(axis=1).astype(int)
    counts = np.bincount(strata)
    strata = np.where(counts[strata] < _INNER, counts.argmax(), strata)  # too rare to be shared out
    if len(set(groups)) < _INNER or counts.max() < _INNER:
        return _Choice(1.0, balanced=True)
    splitter = StratifiedGroupKFold(_INNER, shuffle=True, random_state=seed)
    parts = list(splitter.split(np.zeros(len(strata)), strata, groups))
    scored: list[tuple[float, _Choice]] = []
    for choice in (_Choice(c, balanced) for balanced in (False, True) for c in _GRID[name]):
        found: list[float] = []
        for learn, hold in parts:
            check()
            scores = _scores(name, choice, features[learn], truth[learn], features[hold], multi=multi)
            found.append(macro_f1(truth[hold], predictions(scores, multi=multi)))
        scored.append((float(np.mean(found)), choice))
    return max(scored, key=lambda pair: pair[0])[1]


def _scores(
    name: str, choice: _Choice, features: Matrix, truth: NDArray[np.bool_], fresh: Matrix, *, multi: bool
) -> Floats:
    """Return (n, L) scores in [0, 1]: probabilities of logistic regression, squashed margins of the SVM.

    Each label against the rest; a label without an item to learn from, or with all, gets its share. Of two labels that
    exclude each other one is learned, the other is its complement.
    """
    if not multi and truth.shape[1] == 2 and truth.any(axis=0).all():
        second = _one_against_rest(name, choice, features, truth[:, 1], fresh)
        return np.column_stack([1 - second, second])
    columns = truth.any(axis=0) & ~truth.all(axis=0)
    scores = np.tile(truth.mean(axis=0), (fresh.shape[0], 1))
    for column in np.flatnonzero(columns):
        scores[:, column] = _one_against_rest(name, choice, features, truth[:, column], fresh)
    if not multi and name == LOGISTIC:
        scores /= np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
    return scores


def _one_against_rest(name: str, choice: _Choice, features: Matrix, truth: NDArray[np.bool_], fresh: Matrix) -> Floats:
    weights = "balanced" if choice.balanced else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if name == SVM:
            margins = LinearSVC(C=choice.c, class_weight=weights, random_state=0).fit(features, truth)
            return np.asarray(expit(margins.decision_function(fresh)), dtype=np.float64)
        model = LogisticRegression(C=choice.c, class_weight=weights, solver="liblinear", random_state=0)
        model.fit(features, truth)
    return np.asarray(model.predict_proba(fresh)[:, 1], dtype=np.float64)
