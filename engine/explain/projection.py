"""LIME's weights of words from few answers: learn how the model curves, then ask the curve instead of the model.

What LIME estimates is the linear model nearest to the probability over its own versions of a text: a uniform number of
hidden words, the exponential kernel (Ribeiro, Singh and Guestrin 2016, section 3). Where a probability saturates, most
of what is not linear in it is so only because of the logistic function. So the answers' logits are regressed on words
and on pairs of words by Bayesian linear regression (Rasmussen and Williams 2006, "Gaussian Processes for Machine
Learning", sections 2.1 and 5.4.2), and the curve that this gives is projected onto LIME's linear model over thousands
of versions that the model never sees, as in Bayesian quadrature (O'Hagan 1991, "Bayes-Hermite quadrature").

Words that matter alone are those that matter together (effect heredity: Wu and Hamada 2000, "Experiments", section
3.5), and words side by side more than others: a model reads phrases. The fewer words are left, the more the logit
depends on what neither words nor pairs tell: an answer counts by how little of that is to be expected in it (weighted
least squares: Aitken 1936, "On least squares and linear combination of observations").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from engine.explain.surrogate import NORMAL_97_5, Masks, Surrogate, Values
from engine.explain.versions import (
    FEW_VERSIONS,
    HALF_VERSIONS,
    TINY,
    VERSIONS,
    Signs,
    Target,
    alike_in_threes,
    signs_of,
    target,
)

Places = npt.NDArray[np.intp]

CERTAIN = 1e-6
"""Probabilities nearer to 0 or 1 than this count as so near: a logit has no end."""
ALONE, TOGETHER = 3.0, 0.3
"""The variance, beside that of the logits, of what all words do alone, and the share of it for what pairs do."""
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""The variance, beside that of the logits, of what neither words nor pairs tell."""
NEAR, REACH = 5.0, 1.5
"""Of words side by side is expected, beside what any two do together, so many times as much; less by e every so many
words between them. Both were chosen, as was `FADING`, on sixty posts and answers about them.
"""
FADING = 3.0
"""The variance of what neither words nor pairs tell falls by the factor exp(FADING) from no word left to all left."""
THREES = 0.5
"""As much of what neither words nor pairs tell counts as what threes of words do together, in errors."""
MOST_PAIRS = 400
"""So many pairs of which most is expected are looked at, no more."""
PER_WORD = 2
"""From fewer answers a word nothing can be told of pairs."""
LEAST_STRENGTH = 0.15
"""Of a word that hardly weighs beside the strongest."""
INTERCEPT = 100.0
RIDGE = 0.1


def projected(masks: Masks, answers: Values) -> Surrogate:
    """LIME's weights, their errors and its fit from the probabilities (n,) of versions (n, features) of several words.

    Versions come in pairs, each followed by its complement. The errors are the posterior's, scaled to what left-out
    pairs missed by, and widened by Student's t: an answer's complement foretells it even where nothing is known of most
    words, so that answers left out one by one would seem to be known to nearly everything. To them comes
    what the weights would be off by if half of that were what threes of words do together, of which the curve knows
    nothing, and what versions that stand for all miss of them. Where threes matter as much as strong pairs, errors are
    too small: on a made-up model two of them then held 82 to 87, not 95, of 100 weights.
    """
    curve = _Curve(masks, answers)
    whole = target(masks.shape[1], VERSIONS if curve.knows_pairs else HALF_VERSIONS)
    values = curve.values(whole)
    weights = whole.weights(values)
    left = whole.open(values, weights)
    spread = float(whole.counts @ whole.centred(values) ** 2)
    variances = curve.variances(target(masks.shape[1], FEW_VERSIONS)) + whole.variances(left)
    return Surrogate(
        weights=tuple(weights.tolist()),
        errors=tuple(np.sqrt(variances).tolist()),
        fit=float(np.clip(1 - whole.counts @ left**2 / max(spread, TINY), 0, 1)),
    )


def projected_weights(masks: Masks, answers: Values) -> Values:
    """About the weights of `projected`, for what halves of the answers agree on."""
    whole = target(masks.shape[1], HALF_VERSIONS)
    return whole.weights(_Curve(masks, answers).values(whole))


class _Curve:
    """The logit as a function of a version, learned from answers."""

    def __init__(self, masks: Masks, answers: Values) -> None:
        self._signs = signs_of(masks)
        self._answers = np.clip(answers, CERTAIN, 1 - CERTAIN)
        logits = special.logit(self._answers)
        self._mean = float(logits.mean())
        self._centred = logits - self._mean
        self._scale = float(self._centred.var()) + TINY
        self._doubts = _doubts(masks.mean(axis=1))
        self._strengths = self._alone()
        self._left, self._right = self._pairs()
        self._table = self._terms(self._signs) / self._doubts[:, None]
        self._learn()

    @property
    def knows_pairs(self) -> bool:
        """Whether there were answers enough to look at pairs."""
        return len(self._left) > 0

    def values(self, versions: Target) -> Values:
        """The probability at each version, (m,), with what is not known of the logit averaged out (`_shrink`)."""
        found: Values = special.expit(self._shrink(versions) * self._logits(versions.signs))
        return found

    def variances(self, versions: Target) -> Values:
        """Squared standard errors of the weights that `values` are projected to, (features,)."""
        values = self.values(versions)
        onto = versions.onto(self._shrink(versions) * values * (1 - values))
        sensitivity = onto @ self._terms(versions.signs)
        scaled = sensitivity * self._variances
        turned = self._vectors.T @ (self._table @ scaled.T)
        known = (turned * self._inverse[:, None] * turned).sum(axis=0)
        unknown = np.maximum((scaled * sensitivity).sum(axis=1) - known, 0)
        learned = (self._vectors @ (self._inverse[:, None] * turned)).T
        missing = THREES * self._noise * self._threes(versions, onto * _doubts(versions.left), learned)
        found: Values = (unknown + missing) * self._calibration * self._student**2
        return found

    def _threes(self, versions: Target, there: Values, learned: Values) -> Values:
        """The variance of weights, (features,), where what threes do has the variance 1: a weight changes by what they
        do at the versions, times `there` (features, m), less what they did in the answers, times `learned`.
        """
        both = there @ alike_in_threes(versions.signs, self._signs)
        own = learned @ alike_in_threes(self._signs, self._signs)
        found: Values = ((there @ versions.threes) * there).sum(axis=1) + ((own - 2 * both) * learned).sum(axis=1)
        return found

    def _alone(self) -> Values:
        """How strong each word is, the strongest 1: the square root, for what little is known should not decide."""
        counted = (self._signs / np.square(self._doubts)[:, None]).T
        ridge = RIDGE * np.sum(1 / np.square(self._doubts))
        weights = np.abs(np.linalg.solve(counted @ self._signs + ridge * np.eye(len(counted)), counted @ self._centred))
        found: Values = np.sqrt(np.maximum(weights / max(float(weights.max()), TINY), LEAST_STRENGTH))
        return found

    def _pairs(self) -> tuple[Places, Places]:
        """The pairs that are looked at; none before every word could be told apart from every other one."""
        features = len(self._strengths)
        left, right = np.triu_indices(features if len(self._signs) >= PER_WORD * features else 0, 1)
        if len(left) > MOST_PAIRS:
            best = np.argsort(-self._expected(left, right), kind="stable")[:MOST_PAIRS]
            left, right = left[best], right[best]
        return left, right

    def _expected(self, left: Places, right: Places) -> Values:
        """How much of what pairs do is expected of these; features stand in the order in which they are read."""
        near = 1 + NEAR * np.exp((1 - np.abs(left - right)) / REACH)
        found: Values = (self._strengths[left] * self._strengths[right]) ** 2 * near
        return found

    def _terms(self, signs: Signs) -> Values:
        """(m, terms): one, the words, the pairs."""
        words = np.ascontiguousarray(signs.T)
        found: Values = np.ones((1 + len(words) + len(self._left), len(signs)))
        found[1 : 1 + len(words)] = words
        np.multiply(words[self._left], words[self._right], out=found[1 + len(words) :])
        return found.T

    def _prior(self) -> Values:
        """The variances of the terms."""
        features = len(self._strengths)
        pairs = self._expected(self._left, self._right)
        shares = TOGETHER * ALONE * pairs / max(float(pairs.sum()), TINY)
        return self._scale * np.concatenate([[INTERCEPT], np.full(features, ALONE / features), shares])

    def _learn(self) -> None:
        """Choose how much neither words nor pairs tell by what foretells left-out probabilities best."""
        self._variances = self._prior()
        values, self._vectors = _decomposed(self._table * np.sqrt(self._variances))
        noises, centred = self._scale * np.array(NOISES), self._centred / self._doubts
        inverses = 1 / (values[:, None] + noises)
        kept = values[:, None] * inverses
        certainties = (1 - np.square(self._vectors) @ kept) / noises
        solved = (centred[:, None] - self._vectors @ (kept * (self._vectors.T @ centred)[:, None])) / noises
        missed = solved / certainties
        foretold = special.expit(self._mean + self._centred[:, None] - missed * self._doubts[:, None])
        best = int(np.square(self._answers[:, None] - foretold).sum(axis=0).argmin())
        self._noise, self._inverse = float(noises[best]), inverses[:, best]
        self._solved, self._missed = solved[:, best], missed[:, best]
        between = -(self._vectors[:-1:2] * self._vectors[1::2]) @ kept[:, best] / self._noise
        self._calibration = float(np.mean(self._solved * _left_out(certainties[:, best], between, self._solved)))
        self._freedom = max(len(solved) - float(kept[:, best].sum()), 1.0)

    def _shrink(self, versions: Target) -> Values:
        """What the mean of the logistic function over the logit's doubt at each version makes of the logit, (m,)
        (MacKay 1992, "The evidence framework applied to classification networks", equation 10).
        """
        doubts = np.square(_doubts(versions.left))
        found: Values = 1 / np.sqrt(1 + np.pi / 8 * np.mean(self._missed**2) * doubts)
        return found

    @property
    def _student(self) -> float:
        return float(special.stdtrit(self._freedom, 0.975) / NORMAL_97_5)

    def _logits(self, signs: Signs) -> Values:
        """At `signs` (m, features)."""
        terms = (self._variances * (self._table.T @ self._solved)).astype(np.float32)
        features = signs.shape[1]
        pairs = np.zeros((features, features), np.float32)
        pairs[self._left, self._right] = terms[1 + features :]
        sums = np.einsum("ij,ij->i", signs @ pairs + terms[1 : 1 + features], signs)
        found: Values = self._mean + float(terms[0]) + sums.astype(np.float64)
        return found


def _left_out(certainties: Values, between: Values, solved: Values) -> Values:
    """By how much each answer, (n,), is missed by what is learned without it and without its complement.

    The inverse of the answers' covariance has `certainties`, (n,), on its diagonal, and `between`, (n // 2,), beside it
    for rows that follow one another in pairs; times the answers it is `solved`, (n,). A last row without another one is
    left out alone.
    """
    missed: Values = solved / certainties
    ones, others = slice(0, 2 * len(between), 2), slice(1, 2 * len(between), 2)
    both = certainties[ones] * certainties[others] - between**2
    missed[ones] = (certainties[others] * solved[ones] - between * solved[others]) / both
    missed[others] = (certainties[ones] * solved[others] - between * solved[ones]) / both
    return missed


def _doubts(left: Values) -> Values:
    """How much neither words nor pairs tell of a version of which a share (m,) is left, (m,); 1 where half is."""
    found: Values = np.exp(-FADING / 4 * (2 * left - 1))
    return found


def _decomposed(table: Values) -> tuple[Values, Values]:
    """Eigenvalues above zero and eigenvectors (n, r) of the product of `table` (n, terms) with its transpose."""
    rows, terms = table.shape
    if rows <= terms:
        values, vectors = np.linalg.eigh(table @ table.T)
        return np.maximum(values, 0), vectors
    values, turns = np.linalg.eigh(table.T @ table)
    real = values > TINY * values[-1]
    return values[real], table @ turns[:, real] / np.sqrt(values[real])
