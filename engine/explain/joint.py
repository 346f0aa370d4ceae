"""Words and superpixels hidden together: every answered version of the words beside many of the screenshot, and back.

Backbones see each version of their part once; a pair of vectors then costs only the fusion. The design is the cross
product of a part's rows with *contexts*, rows of the other part's design, and a pair counts the product of both parts'
kernels. In that weighted regression over words and superpixels together the two kinds of columns are orthogonal, so
that it falls into two: a part's weights are those of its answers averaged over the contexts. They are what hiding a
feature does while some of everything else is hidden too, words and superpixels on one scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
from torch import Tensor

from engine.explain.designs import Design, first
from engine.explain.halves import UNMOVED, agreement
from engine.explain.interactions import without_interactions
from engine.explain.model import Question, Values
from engine.explain.projection import projected, projected_weights
from engine.explain.sampling import Sampler
from engine.explain.surrogate import Groups, Regression, Surrogate, shared_kernel
from engine.explain.versions import every_version
from engine.models.linear_algebra import numpy_on_one_core
from engine.models.workers import one_core

CONTEXTS = 32
"""So many rows of the other part, unless it has a complete design."""
FEWEST_PROJECTED = 16
"""Weights of words from fewer answers say nothing of those from twice as many."""
AT_ONCE = 8
"""Contexts between two looks at whether somebody else waits."""


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
    are too small, or the features too few (`engine.explain.halves`). It is lower than the agreement of two explanations
    from all samples. Where nothing is left to chance it is 1, however few they are.
    """

    surrogate: Surrogate | None
    reliability: float | None = None


class Answers:
    """The explained label's probability for every row of a part in every context."""

    def __init__(self, question: Question, sampler: Sampler, width: float, *, text: bool) -> None:
        self._question, self._sampler, self._width, self._text = question, sampler, width, text
        self._contexts: Contexts | None = None
        self._table: Values = np.empty((0, 0))
        self._evidence: Evidence | None = None

    @property
    def samples(self) -> int:
        """How many rows are answered."""
        return int(self._table.shape[1])

    def extend(self, contexts: Contexts) -> Iterator[None]:
        """Answer for all rows that have vectors, in small steps."""
        if self._contexts is None or len(self._contexts.shares) != len(contexts.shares):
            self._table, self._evidence = np.empty((len(contexts.shares), 0)), None
        self._contexts = contexts
        known, samples = self._table.shape[1], self._sampler.samples
        if known == samples:
            return
        rows = self._sampler.vectors(known, samples)
        parts = []
        for start in range(0, len(contexts.shares), AT_ONCE):
            with one_core():
                parts.append(self._answer(rows, contexts.vectors[start : start + AT_ONCE]))
            yield
        self._table, self._evidence = np.concatenate([self._table, np.concatenate(parts)], axis=1), None

    def evidence(self) -> Evidence:
        """The surrogate of what is answered so far.

        The halves are looked at beside the whole, on another core.
        """
        if self._evidence is None:
            with numpy_on_one_core, ThreadPoolExecutor(1, thread_name_prefix="halves") as beside:
                self._evidence = self._found(beside)
        return self._evidence

    def _found(self, beside: Executor) -> Evidence:
        assert self._contexts is not None, "nothing was answered yet"
        if np.ptp(self._table, axis=1).max(initial=0.0) < UNMOVED:
            return Evidence(surrogate=None)
        estimate = _Estimate(first(self._sampler.design, self._table.shape[1]), self._width, text=self._text)
        halves = beside.submit(_reliability, estimate, self._table, self._contexts)
        whole = _surrogate(estimate, self._table, self._contexts)
        return Evidence(surrogate=whole, reliability=halves.result())

    def _answer(self, rows: Tensor, contexts: Tensor) -> Values:
        """(contexts, rows)"""
        return self._question.crossed(rows, contexts).T if self._text else self._question.crossed(contexts, rows)


class _Estimate:
    """From answers to a design's rows, (n,), to weights: those of words are projected, of superpixels regressed."""

    def __init__(self, design: Design, width: float, *, text: bool) -> None:
        self.design = design
        self._width, self._text = width, text

    @cached_property
    def regression(self) -> Regression:
        """The linear model of the rows."""
        design = self.design
        listed = design.complete and self._text and design.masks.shape[1] > 1
        counts = every_version(design.masks) if listed else None
        return Regression(design.masks, self._width, groups=design.groups, complete=design.complete, counts=counts)

    def surrogate(self, answers: Values) -> Surrogate:
        """Weights with errors; those of superpixels as large as from many samples, on one scale with those of words."""
        if self._projects:
            return projected(self.design.masks, answers)
        if self.design.complete:
            return self.regression.surrogate(answers)
        clean = self.regression.surrogate(without_interactions(self.design.masks, answers))
        weights, errors = (np.array(one) / self.regression.share_left for one in (clean.weights, clean.errors))
        return Surrogate(
            weights=tuple(weights.tolist()),
            errors=tuple(errors.tolist()),
            fit=self.regression.surrogate(answers).fit,
        )

    def weights(self, answers: Values) -> Values:
        """Weights alone, (features,)."""
        if self._projects:
            return projected_weights(self.design.masks, answers)
        masks = self.design.masks
        return self.regression.weights(answers if self.design.complete else without_interactions(masks, answers))

    def part(self, rows: npt.NDArray[np.bool_]) -> _Estimate:
        """From some of the rows."""
        design = self.design
        some = msgspec.structs.replace(design, masks=design.masks[rows], groups=design.groups[rows])
        return _Estimate(some, self._width, text=self._text)

    @property
    def fewest(self) -> int:
        """Half as many rows tell nothing of how reliable the whole is."""
        return FEWEST_PROJECTED if self._projects else 1

    @property
    def _projects(self) -> bool:
        return self._text and not self.design.complete


def _surrogate(estimate: _Estimate, table: Values, contexts: Contexts) -> Surrogate:
    """The surrogate of the answers' means; to its variances come those that the choice of contexts makes."""
    found = estimate.surrogate(contexts.shares @ table)
    if contexts.complete:
        return found
    weights = estimate.regression.weights(table.T) / estimate.regression.share_left
    apart = (weights - (weights @ contexts.shares)[:, None]) * contexts.shares
    groups = np.unique(contexts.groups, return_inverse=True)[1]
    sums = np.zeros((int(groups.max()) + 1, len(weights)))
    np.add.at(sums, groups, apart.T)
    variances = (sums**2).sum(axis=0) * len(sums) / max(len(sums) - 1, 1)
    return msgspec.structs.replace(found, errors=tuple(np.sqrt(np.array(found.errors) ** 2 + variances).tolist()))


def _reliability(estimate: _Estimate, table: Values, contexts: Contexts) -> float | None:
    """The correlation of two halves' weights; rows that were drawn together, and contexts, stay in one half."""
    design = estimate.design
    if design.complete and contexts.complete:
        return 1.0
    halves = []
    for half in (0, 1):
        rows = _half(design.groups, half, whole=design.complete)
        seen = _half(contexts.groups, half, whole=contexts.complete)
        if rows.sum() < estimate.fewest or not seen.any():
            return None
        shares = contexts.shares[seen] / contexts.shares[seen].sum()
        halves.append(estimate.part(rows).weights(shares @ table[np.ix_(seen, rows)]))
    return agreement(halves[0], halves[1])


def _half(groups: Groups, half: int, *, whole: bool) -> npt.NDArray[np.bool_]:
    """Which rows are in a half, (rows,): every other group, for rows that were drawn together are not independent."""
    return np.ones(len(groups), dtype=bool) if whole else groups % 2 == half
