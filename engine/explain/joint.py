"""Words and superpixels hidden together: every answered version of the words beside many of the screenshot, and back.

Backbones see each version of their part once; a pair of vectors then costs only the fusion. The design is the cross
product of a part's rows with *contexts*, rows of the other part's design, and a pair counts the product of both parts'
kernels. In that weighted regression over words and superpixels together the two kinds of columns are orthogonal, so
that it falls into two: a part's weights are those of its answers averaged over the contexts. They are what hiding a
feature does while some of everything else is hidden too, words and superpixels on one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import msgspec
import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController
from torch import Tensor

from engine.explain.designs import Design, first
from engine.explain.interactions import without_interactions
from engine.explain.model import Question, Values
from engine.explain.sampling import Sampler
from engine.explain.surrogate import Groups, Masks, Regression, Surrogate, shared_kernel

UNMOVED = 1e-6
"""Probabilities that differ by less than this are equal: rounding differs between batches by up to 1e-7."""
CONTEXTS = 32
"""So many rows of the other part, unless it has a complete design."""
AT_ONCE = 8
"""Contexts between two looks at whether somebody else waits."""

Cleaning = Callable[[Masks, Values], Values]
"""What is done with answers to masks before the regression."""


class Contexts(msgspec.Struct, frozen=True, kw_only=True):
    """States of the other part: `vectors` (k, D), what each counts, (k,) adding up to 1, and the design's groups."""

    vectors: Tensor
    shares: Values
    groups: Groups
    complete: bool


def as_it_is(vector: Tensor) -> Contexts:
    """The other part as it is, (1, D)."""
    return Contexts(vectors=vector, shares=np.ones(1), groups=np.zeros(1, dtype=np.int64), complete=True)


def contexts_of(sampler: Sampler, width: float) -> Contexts:
    """The first rows that are answered of another part."""
    design = sampler.design
    count = sampler.samples if design.complete else min(sampler.samples, CONTEXTS)
    counts = shared_kernel(design.masks[:count], design.groups[:count], width)
    return Contexts(
        vectors=sampler.vectors(0, count),
        shares=counts / counts.sum(),
        groups=design.groups[:count],
        complete=design.complete,
    )


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a part: None for `surrogate` where hiding anything of it made no difference.

    `reliability` is Pearson's correlation of the weights from two independent halves of the samples, in [-1, 1]: as in
    a heatmap, the strong weights make it, and the order of those that hardly differ does not. None where the halves
    are too small. It is lower than the agreement of two explanations from all samples.
    """

    surrogate: Surrogate | None
    reliability: float | None = None


class Answers:
    """The explained label's probability for every row of a part in every context."""

    def __init__(self, question: Question, sampler: Sampler, width: float, *, text: bool) -> None:
        self._question, self._sampler, self._width, self._text = question, sampler, width, text
        self._contexts: Contexts | None = None
        self._table: Values = np.empty((0, 0))

    def extend(self, contexts: Contexts) -> Iterator[None]:
        """Answer for all rows that have vectors, in small steps."""
        if self._contexts is None or len(self._contexts.shares) != len(contexts.shares):
            self._table = np.empty((len(contexts.shares), 0))
        self._contexts = contexts
        known, samples = self._table.shape[1], self._sampler.samples
        if known == samples:
            return
        rows = self._sampler.vectors(known, samples)
        parts = []
        for start in range(0, len(contexts.shares), AT_ONCE):
            parts.append(self._answer(rows, contexts.vectors[start : start + AT_ONCE]))
            yield
        self._table = np.concatenate([self._table, np.concatenate(parts)], axis=1)

    def evidence(self) -> Evidence:
        """The surrogate of what is answered so far.

        Its many small products are faster on one core: shared out, the cores wait for one another more than they work.
        """
        with _linear_algebra().limit(limits=1):
            return self._evidence()

    def _evidence(self) -> Evidence:
        assert self._contexts is not None, "nothing was answered yet"
        if np.ptp(self._table, axis=1).max(initial=0.0) < UNMOVED:
            return Evidence(surrogate=None)
        design = first(self._sampler.design, self._table.shape[1])
        alone = _as_they_are if self._text or design.complete else without_interactions
        return Evidence(
            surrogate=_surrogate(design, self._table, self._contexts, self._width, alone),
            reliability=_reliability(design, self._table, self._contexts, self._width, alone),
        )

    def _answer(self, rows: Tensor, contexts: Tensor) -> Values:
        """(contexts, rows)"""
        own, other = rows.repeat(len(contexts), 1), contexts.repeat_interleave(len(rows), 0)
        pair = (own, other) if self._text else (other, own)
        return self._question.answer(*pair).reshape(len(contexts), len(rows))


@cache
def _linear_algebra() -> ThreadpoolController:
    """The libraries that numpy multiplies with; torch's threads are left alone."""
    return ThreadpoolController().select(user_api="blas")


def _as_they_are(_masks: Masks, answers: Values) -> Values:
    return answers


def _regression(design: Design, width: float) -> Regression:
    return Regression(design.masks, width, groups=design.groups, complete=design.complete)


def _surrogate(design: Design, table: Values, contexts: Contexts, width: float, alone: Cleaning) -> Surrogate:
    """The surrogate of the answers' means, cleaned; to its variances come those that the choice of contexts makes."""
    regression, means = _regression(design, width), contexts.shares @ table
    fit = regression.surrogate(means).fit
    found = msgspec.structs.replace(regression.surrogate(alone(design.masks, means)), fit=fit)
    if contexts.complete:
        return found
    weights = regression.weights(table.T)
    apart = (weights - (weights @ contexts.shares)[:, None]) * contexts.shares
    groups = np.unique(contexts.groups, return_inverse=True)[1]
    sums = np.zeros((int(groups.max()) + 1, len(weights)))
    np.add.at(sums, groups, apart.T)
    variances = (sums**2).sum(axis=0) * len(sums) / max(len(sums) - 1, 1)
    return msgspec.structs.replace(found, errors=tuple(np.sqrt(np.array(found.errors) ** 2 + variances).tolist()))


def _reliability(design: Design, table: Values, contexts: Contexts, width: float, alone: Cleaning) -> float | None:
    """The correlation of two halves' weights; rows that were drawn together, and contexts, stay in one half."""
    if design.complete and contexts.complete:
        return 1.0
    halves = []
    for half in (0, 1):
        rows = _half(design.groups, half, whole=design.complete)
        seen = _half(contexts.groups, half, whole=contexts.complete)
        if not rows.any() or not seen.any():
            return None
        part = msgspec.structs.replace(design, masks=design.masks[rows], groups=design.groups[rows])
        shares = contexts.shares[seen] / contexts.shares[seen].sum()
        halves.append(_regression(part, width).weights(alone(part.masks, shares @ table[np.ix_(seen, rows)])))
    if min(np.ptp(weights) for weights in halves) < UNMOVED:
        return None
    return float(np.corrcoef(halves[0], halves[1])[0, 1])


def _half(groups: Groups, half: int, *, whole: bool) -> npt.NDArray[np.bool_]:
    return np.ones(len(groups), dtype=bool) if whole else groups % 2 == half
