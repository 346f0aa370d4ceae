"""Whether a candidate replaces the champion, and why, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb

from engine.counting import counted
from engine.training.evaluate import Answers
from engine.training.metrics import macro_f1, predictions
from engine.types import Struct, TaskMetrics

CHANCE = 0.05
"""Differences that a fair coin would produce more often than this are said to be possibly chance."""

_SMALLEST = 1e-9


class Comparison(Struct, frozen=True, kw_only=True):
    """Whether the candidate is better, and one or more sentences with both figures."""

    better: bool
    reason: str


def first_model(
    answers: Mapping[str, Answers], split: str, why: str = "The first model of this workspace"
) -> Comparison:
    """Return the comparison of a candidate that has nothing to be compared with."""
    score, count = mean_macro_f1(answers), _items(answers)
    return Comparison(better=True, reason=f"{why}; macro-F1 {score:.2f} on {_held_out(count, split)}.")


def kept_beside(answers: Mapping[str, Answers], split: str) -> Comparison:
    """Return why a model of authors never takes the champion's place: it judges profiles and nothing else."""
    score, count = mean_macro_f1(answers), _items(answers)
    return Comparison(
        better=False,
        reason=f"It judges authors by their profiles, so it is kept beside the champion; macro-F1 {score:.2f} on "
        f"{_held_out(count, split)}.",
    )


def compare(
    candidate: Mapping[str, Answers], champion: Mapping[str, Answers], split: str, *, tie: bool = False
) -> Comparison:
    """Return whether the candidate is better on the same held-out items.

    The rule: the mean macro-F1 over the tasks that both answer (see `mean_macro_f1`) must be strictly higher. A tie
    keeps the champion, unless the candidate answers a task more, or `tie` says that it has learned from more answers; a
    candidate that answers a task less never wins. A few dozen items cannot tell small differences from chance, and
    asking for a significant one would keep a young workspace from ever learning. So the figure decides, and the reason
    says on how many items the two differ and whether that may be chance (exact McNemar test over the answers that are
    right for one model only).
    """
    lost, gained = sorted(champion.keys() - candidate.keys()), sorted(candidate.keys() - champion.keys())
    both = sorted(candidate.keys() & champion.keys())
    if lost or not both:
        missing = ", ".join(lost) or "no task that the champion answers"
        reason = f"Not better: it gives no verdict for {missing}, which the champion answers."
        if not both and not lost:
            reason = f"Not compared: there are no {split} items that both models answer."
        return Comparison(better=False, reason=reason)
    mine = {task: candidate[task] for task in both}
    theirs = {task: champion[task] for task in both}
    new, old = mean_macro_f1(mine), mean_macro_f1(theirs)
    better = new > old + _SMALLEST or (abs(new - old) <= _SMALLEST and (bool(gained) or tie))
    sentences = [_verdict(new, old, _held_out(_items(mine), split), better=better), _flips(mine, theirs)]
    if tie and abs(new - old) <= _SMALLEST:
        sentences.append("It has learned from more answers, so it takes over.")
    if gained:
        sentences.append(f"It also answers {', '.join(gained)}, which the champion does not.")
    return Comparison(better=better, reason=" ".join(sentences))


def mean_macro_f1(answers: Mapping[str, Answers]) -> float:
    """Return the mean over tasks of macro-F1 in [0, 1], each weighing as much as it has items; 0 for no task.

    Weighed, because a conditional task may have three held-out items, and one of them must not outvote thirty others.
    """
    items = sum(len(one.ids) for one in answers.values())
    scores = (
        macro_f1(one.truth, predictions(one.probabilities, multi=one.multi)) * len(one.ids) for one in answers.values()
    )
    return sum(scores) / max(items, 1)


def beyond_majority(metrics: Mapping[str, TaskMetrics]) -> list[str]:
    """Return a sentence where a model is no better than always giving the most frequent label, else none.

    The mean macro-F1 of both, each task weighing as much as it has items.
    """
    items = max(sum(one.n for one in metrics.values()), 1)
    score = sum(one.macro_f1 * one.n for one in metrics.values()) / items
    majority = sum(one.majority_macro_f1 * one.n for one in metrics.values()) / items
    if score > majority + _SMALLEST:
        return []
    return [
        f"It is no better than always giving the most frequent label ({majority:.2f}): do not rely on its verdicts."
    ]


def chance_of(wins: int, losses: int) -> float:
    """Return how likely a fair coin is to give a split at least this uneven (exact two-sided McNemar test)."""
    flips = wins + losses
    tail = sum(comb(flips, k) for k in range(min(wins, losses) + 1))
    return min(1.0, tail / 2.0 ** (flips - 1))


def seen_before(ids: Sequence[str], champion_splits: Mapping[str, str]) -> list[str]:
    """Return which of these held-out items the champion was trained on."""
    return [name for name in ids if champion_splits.get(name) == "train"]


def _verdict(new: float, old: float, where: str, *, better: bool) -> str:
    digits = 2 if f"{new:.2f}" != f"{old:.2f}" or abs(new - old) <= _SMALLEST else 4
    figures = f"macro-F1 {new:.{digits}f} against {old:.{digits}f} on the same {where}"
    if abs(new - old) <= _SMALLEST and not better:
        return f"Not better: as good as the champion ({figures}), so the champion stays."
    if abs(new - old) <= _SMALLEST:
        return f"As good as the champion: {figures}."
    return f"{'Better' if better else 'Not better'}: {figures}."


def _flips(mine: Mapping[str, Answers], theirs: Mapping[str, Answers]) -> str:
    wins = losses = 0
    for task, answers in mine.items():
        before = theirs[task].right()
        now = answers.right()
        wins += sum(right and not before.get(name, False) for name, right in now.items())
        losses += sum(before.get(name, False) and not right for name, right in now.items())
    if not wins + losses:
        return "Both are right on the same items."
    sentence = f"It puts {counted(wins, 'answer')} right and {counted(losses, 'answer')} wrong"
    return f"{sentence}; so few may be chance." if chance_of(wins, losses) > CHANCE else f"{sentence}."


def _items(answers: Mapping[str, Answers]) -> int:
    return len({name for one in answers.values() for name in one.ids})


def _held_out(count: int, split: str) -> str:
    return counted(count, f"held-out {split} item")
