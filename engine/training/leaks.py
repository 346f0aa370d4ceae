"""What a split that knows nothing of authors and near-duplicates would have claimed, beside the split that is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.models.text import model_text
from engine.similarity import Grouping, author_key, examined
from engine.training.device import derived_seed
from engine.training.metrics import macro_f1, predictions
from engine.training.splits import TRAIN, assign_splits
from engine.types import Struct, TrainingItem

DRAWS = 5
"""So many random splits of each kind are measured: the figures of a single one would mostly be chance."""
FEWEST = 20
"""Tasks with fewer answers than this are not scored."""

_WORD = r"(?u)\b\w+\b"
_Flags = NDArray[np.bool_]
Matrix = Any
"""A scipy sparse matrix of (n, features) floats."""


class LeakScores(Struct, frozen=True, kw_only=True):
    """Macro-F1 in [0, 1] of the same quick model on one task: mean over the draws, and standard deviation."""

    naive: float
    naive_deviation: float
    grouped: float
    grouped_deviation: float

    @property
    def leaked(self) -> float:
        """How much of the naive figure memory explains; below 0 where chance outweighs it."""
        return self.naive - self.grouped


class LeakReport(Struct, frozen=True, kw_only=True):
    """What would leak from train to the held-out items (validation and test) of a random split of the same sizes.

    `held_out` is how many items are held out; of these `naive_copies` have a near-duplicate that trains,
    `naive_authors` another item by their author (or of the group they came with), `naive_either` one or the other;
    `grouped_copies` is what is left with the grouped split, where near-duplicates are too common to be kept together;
    means over the draws. `copies`, `groups`, `largest`, `joined` and `dropped` are as in `engine.similarity.Grouping`.
    `words` says it in sentences.
    """

    items: int
    groups: int
    largest: int
    copies: int
    joined: int
    dropped: int
    held_out: float
    naive_copies: float
    naive_authors: float
    naive_either: float
    grouped_copies: float
    tasks: dict[str, LeakScores]
    words: tuple[str, ...] = ()


def _go_on() -> None:
    """Nobody wants to stop."""


def leak_report(
    items: Sequence[TrainingItem],
    *,
    val: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    grouping: Grouping | None = None,
    check: Callable[[], None] = _go_on,
) -> LeakReport:
    """Return what a naive random split of these items would claim, against splits by group of the same sizes.

    The items' own sides are left aside: both kinds of splits are drawn anew, so that their figures can be compared.
    The scores are those of TF-IDF over words and pairs of words with logistic regression, which takes seconds.
    `grouping` is that of the same items, where it is known already. `check` is called now and then and may raise.
    """
    grouping = grouping or examined(items, check=check)
    free = [msgspec.structs.replace(item, split="") for item in grouping.items]
    trains = [_train_rows(free, val, test, derived_seed(seed, "leak", draw) % 2**31) for draw in range(DRAWS)]
    naive = [np.random.default_rng((seed, draw)).permutation(rows) for draw, rows in enumerate(trains)]
    copies = [grouping.copies.get(item.content.id, "") for item in items]
    authors = [author_key(item.group) for item in items]
    both = [[_met(names, rows) for rows in naive] for names in (copies, authors)]
    report = LeakReport(
        items=len(items),
        groups=grouping.groups,
        largest=grouping.largest,
        copies=len(grouping.copies),
        joined=grouping.joined,
        dropped=grouping.dropped,
        held_out=_mean(~rows for rows in trains),
        naive_copies=_mean(both[0]),
        naive_authors=_mean(both[1]),
        naive_either=_mean(one | other for one, other in zip(*both, strict=True)),
        grouped_copies=_mean(_met(copies, rows) for rows in trains),
        tasks=_scores(items, naive, trains, check),
    )
    return _with_words(report)


def _train_rows(items: Sequence[TrainingItem], val: float, test: float, seed: int) -> _Flags:
    """Return which items (n,) train in a split by group."""
    of = assign_splits(items, val=val, test=test, seed=seed).of
    return np.array([of[item.content.id] == TRAIN for item in items], dtype=np.bool_)


def _met(names: Sequence[str], train: _Flags) -> _Flags:
    """Return which items (n,) are held out while another one of their (not empty) name trains."""
    trained = {name for name, trains in zip(names, train, strict=True) if trains and name}
    return np.array([name in trained for name in names], dtype=np.bool_) & ~train


def _mean(parts: Iterable[_Flags]) -> float:
    return float(np.mean([part.sum() for part in parts]))


def _scores(
    items: Sequence[TrainingItem], naive: Sequence[_Flags], grouped: Sequence[_Flags], check: Callable[[], None]
) -> dict[str, LeakScores]:
    counts = _words([model_text(item.content) for item in items])
    if counts is None:
        return {}
    found: dict[str, LeakScores] = {}
    for task in sorted({task for item in items for task in item.labels}):
        known = np.array([task in item.labels for item in items], dtype=np.bool_)
        truth = _truth([item.labels[task] for item in items if task in item.labels])
        if known.sum() < FEWEST or truth.shape[1] < 1:
            continue
        sides = [[_score(counts[known], truth, rows[known], check) for rows in draws] for draws in (naive, grouped)]
        means = [(float(np.mean(side)), float(np.std(side))) for side in sides]
        found[task] = LeakScores(
            naive=means[0][0], naive_deviation=means[0][1], grouped=means[1][0], grouped_deviation=means[1][1]
        )
    return found


def _words(texts: Sequence[str]) -> Matrix | None:
    """Return (n, features) counts of words and pairs of words; None where there are none."""
    from sklearn.feature_extraction.text import CountVectorizer

    if not any(re.search(_WORD, text) for text in texts):
        return None
    return CountVectorizer(ngram_range=(1, 2), token_pattern=_WORD).fit_transform(texts).tocsr()


def _truth(answers: Sequence[tuple[str, ...]]) -> _Flags:
    """Return (n, L) flags, the labels in alphabetical order."""
    labels = sorted({label for answer in answers for label in answer})
    return np.array([[label in answer for label in labels] for answer in answers], dtype=np.bool_)


def _score(counts: Matrix, truth: _Flags, train: _Flags, check: Callable[[], None]) -> float:
    """Return the macro-F1 on the held-out rows of one-against-rest logistic regression over TF-IDF."""
    from sklearn.feature_extraction.text import TfidfTransformer

    check()
    if train.all() or not train.any():
        return 0.0
    weigh = TfidfTransformer(sublinear_tf=True).fit(counts[train])
    known, fresh = weigh.transform(counts[train]), weigh.transform(counts[~train])
    multi = bool((truth.sum(axis=1) != 1).any())
    pair = truth.shape[1] == 2 and not multi  # one model says both
    columns = [_chances(known, truth[train, column], fresh) for column in range(pair, truth.shape[1])]
    scores = np.stack([1 - columns[0], *columns] if pair else columns, axis=1)
    return macro_f1(truth[~train], predictions(scores, multi=multi))


def _chances(known: Matrix, truth: _Flags, fresh: Matrix) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression

    if truth.all() or not truth.any():
        return np.full(fresh.shape[0], float(truth.all()))
    model = LogisticRegression(C=10.0, solver="liblinear", random_state=0).fit(known, truth)
    return np.asarray(model.predict_proba(fresh)[:, 1], dtype=np.float64)


def _with_words(report: LeakReport) -> LeakReport:
    return msgspec.structs.replace(report, words=(*_counted(report), *_scored(report), *_kept_apart(report)))


def _counted(report: LeakReport) -> list[str]:
    if report.naive_either < 0.5:
        return ["No near-duplicates and no author with several items: a random split would leak nothing."]
    share = report.naive_either / max(report.held_out, 1)
    return [
        f"Of {report.held_out:.0f} items that a random split holds out, {report.naive_either:.0f} ({share:.0%}) would "
        f"have a relative that trains: {report.naive_copies:.0f} a near-duplicate, {report.naive_authors:.0f} another "
        "item by their author."
    ]


def _scored(report: LeakReport) -> list[str]:
    return [
        f"{task}: macro-F1 {one.naive:.3f} ± {one.naive_deviation:.3f} on random splits, {one.grouped:.3f} ± "
        f"{one.grouped_deviation:.3f} with relatives on one side ({100 * one.leaked:+.1f} points; TF-IDF and logistic "
        f"regression, {DRAWS} splits each)."
        for task, one in report.tasks.items()
    ]


def _kept_apart(report: LeakReport) -> list[str]:
    if not report.dropped:
        return []
    return [
        f"{report.dropped} items are like so many others that keeping them together would leave nothing to measure on; "
        f"{report.grouped_copies:.0f} of the held-out items still have a near-duplicate that trains."
    ]
