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

from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import special

from engine.explain.designs import listed
from engine.explain.surrogate import NORMAL_97_5, TEXT_KERNEL_WIDTH, Masks, Surrogate, Values, kernel

Places = npt.NDArray[np.intp]

VERSIONS, FEW_VERSIONS = 8192, 400
"""About so many versions stand for all in LIME's sampling, for weights and for their errors."""
FEWEST_DRAWN = 11
"""Of up to so many words there are no more versions than that."""
CERTAIN = 1e-6
"""Probabilities nearer to 0 or 1 than this count as so near: a logit has no end."""
ALONE, TOGETHER = 3.0, (0.0, 0.3)
"""The variance, beside that of the logits, of what all words do alone, and shares of it for what pairs do."""
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
TINY = 1e-12


class Target(msgspec.Struct, frozen=True):
    """Versions of a text as LIME draws them: `signs` (m, features), 1 kept and -1 hidden, and what each counts, (m,).

    `onto` (features, m) makes of a function's values there the weights of the linear model nearest to it. Every
    `together` versions in a row were drawn together; 0 says that these are all versions there are.
    """

    signs: Values
    counts: Values
    onto: Values
    together: int

    @classmethod
    def of(cls, masks: Masks, counts: Values, together: int) -> Target:
        """Versions (m, features) that count (m,)."""
        centred = masks - counts @ masks / counts.sum()
        weighted = (centred * counts[:, None]).T
        return cls(np.where(masks, 1.0, -1.0), counts, np.linalg.solve(weighted @ centred, weighted), together)

    def centred(self, values: Values) -> Values:
        """Values (m,) less their mean."""
        found: Values = values - self.counts @ values / self.counts.sum()
        return found

    def variances(self, left: Values) -> Values:
        """What versions that were not drawn may change in weights, (features,): from what these leave open, (m,)."""
        if not self.together:
            return np.zeros(len(self.onto))
        drawn = (self.onto * left).reshape(len(self.onto), -1, self.together).sum(axis=2)
        found: Values = (drawn**2).sum(axis=1)
        return found


def sizes_of(features: int) -> Values:
    """What all versions with 0, 1, … `features` words hidden count together in `lime_text`'s limit, (features + 1,)."""
    kept = 1 - np.arange(features + 1) / features
    shares = kernel(1 - np.sqrt(kept), TEXT_KERNEL_WIDTH)
    shares[0] = 0.0  # the text as it is, is one of all samples
    return shares


def every_version(masks: Masks) -> Values:
    """What each of all versions counts in the limit of `lime_text`, (2^features,)."""
    features = masks.shape[1]
    hidden = features - masks.sum(axis=1)
    counts: Values = (sizes_of(features) / special.comb(features, np.arange(features + 1)))[hidden]
    return counts


@lru_cache(maxsize=8)
def target(features: int, versions: int = VERSIONS) -> Target:
    """All versions of a few words, and about `versions` of more, the same at every call.

    Each of these is there with all its rotations, so that no word is hidden more often than another among as many. How
    many hide how many words follows what tells most of each number, and what a version counts makes up for it.
    """
    if features <= FEWEST_DRAWN:
        masks = listed(features).masks
        return Target.of(masks, every_version(masks), 0)
    random = np.random.RandomState(features)
    hidden = np.arange(features + 1)
    drawn = sizes_of(features) * np.sqrt(hidden * (features - hidden)) + TINY
    drawn /= drawn.sum()
    seeds = -(-versions // features)
    sizes = np.searchsorted(np.cumsum(drawn), (np.arange(seeds) + 0.5) / seeds)
    order = random.random_sample((seeds, features)).argsort(axis=1).argsort(axis=1)
    kept = order >= sizes[:, None]
    masks = np.stack([np.roll(kept, by, axis=1) for by in range(features)], axis=1).reshape(-1, features)
    share = sizes_of(features) / drawn
    return Target.of(masks, share[features - masks.sum(axis=1)], features)


def projected(masks: Masks, answers: Values) -> Surrogate:
    """LIME's weights, their errors and its fit from the probabilities (n,) of versions (n, features) of several words.

    The errors are the posterior's, scaled to what left-out answers missed by, and widened by Student's t. To them comes
    what the weights would be off by if half of that were what threes of words do together, of which the curve knows
    nothing, and what versions that stand for all miss of them. Where threes matter as much as strong pairs, errors are
    too small: on a made-up model two of them then held 82 to 87, not 95, of 100 weights.
    """
    curve = _Curve(masks, answers)
    whole = target(masks.shape[1])
    values = curve.values(whole)
    weights = whole.onto @ values
    left = whole.centred(values - whole.signs @ weights / 2)
    spread = float(whole.counts @ whole.centred(values) ** 2)
    variances = curve.variances(target(masks.shape[1], FEW_VERSIONS)) + whole.variances(left)
    return Surrogate(
        weights=tuple(weights.tolist()),
        errors=tuple(np.sqrt(variances).tolist()),
        fit=float(np.clip(1 - whole.counts @ left**2 / max(spread, TINY), 0, 1)),
    )


def projected_weights(masks: Masks, answers: Values) -> Values:
    """The weights of `projected` alone."""
    whole = target(masks.shape[1])
    found: Values = whole.onto @ _Curve(masks, answers).values(whole)
    return found


class _Curve:
    """The logit as a function of a version, learned from answers."""

    def __init__(self, masks: Masks, answers: Values) -> None:
        self._signs = np.where(masks, 1.0, -1.0)
        self._answers = np.clip(answers, CERTAIN, 1 - CERTAIN)
        logits = special.logit(self._answers)
        self._mean = float(logits.mean())
        self._centred = logits - self._mean
        self._scale = float(self._centred.var()) + TINY
        self._doubts = _doubts(self._signs)
        self._strengths = self._alone()
        self._left, self._right = self._pairs()
        self._table = self._terms(self._signs) / self._doubts[:, None]
        self._learn()

    def values(self, versions: Target) -> Values:
        """The probability at each version, (m,), with what is not known of the logit averaged out (`_shrink`)."""
        found: Values = special.expit(self._shrink(versions.signs) * self._logits(versions.signs))
        return found

    def variances(self, versions: Target) -> Values:
        """Squared standard errors of the weights that `values` are projected to, (features,)."""
        values = self.values(versions)
        onto = versions.onto * (self._shrink(versions.signs) * values * (1 - values))
        sensitivity = onto @ self._terms(versions.signs)
        scaled = sensitivity * self._variances
        turned = self._vectors.T @ (self._table @ scaled.T)
        known = (turned * self._inverse[:, None] * turned).sum(axis=0)
        unknown = np.maximum((scaled * sensitivity).sum(axis=1) - known, 0)
        learned = self._vectors @ (self._inverse[:, None] * turned)
        threes = np.concatenate([onto * _doubts(versions.signs), -learned.T], axis=1)
        signs = np.concatenate([versions.signs, self._signs])
        missing = THREES * self._noise * ((threes @ _of_threes(signs)) * threes).sum(axis=1)
        found: Values = (unknown + missing) * self._calibration * self._student**2
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

    def _terms(self, signs: Values) -> Values:
        """(m, terms): one, the words, the pairs."""
        return np.column_stack([np.ones(len(signs)), signs, signs[:, self._left] * signs[:, self._right]])

    def _prior(self, together: float) -> Values:
        features = len(self._strengths)
        pairs = self._expected(self._left, self._right)
        shares = together * ALONE * pairs / max(float(pairs.sum()), TINY)
        return self._scale * np.concatenate([[INTERCEPT], np.full(features, ALONE / features), shares])

    def _learn(self) -> None:
        """Choose how much pairs do and how much neither tells by what foretells left-out probabilities best."""
        best, centred = np.inf, self._centred / self._doubts
        for together in TOGETHER if len(self._left) else (0.0,):
            variances = self._prior(together)
            values, vectors = _decomposed(self._table * np.sqrt(variances))
            turned, squares = vectors.T @ centred, vectors**2
            for noise in (one * self._scale for one in NOISES):
                kept = values / (values + noise)
                certainty = (1 - squares @ kept) / noise
                solved = (centred - vectors @ (kept * turned)) / noise
                missed = solved / certainty
                foretold = special.expit(self._mean + self._centred - missed * self._doubts)
                miss = float(np.square(self._answers - foretold).sum())
                if miss < best:
                    best = miss
                    self._variances, self._vectors, self._inverse = variances, vectors, 1 / (values + noise)
                    self._solved, self._missed, self._noise = solved, missed, noise
                    self._calibration = float(np.mean(missed**2 * certainty))
                    self._freedom = max(len(solved) - float(kept.sum()), 1.0)

    def _shrink(self, signs: Values) -> Values:
        """What the mean of the logistic function over the logit's doubt at `signs` (m, features) makes of the logit,
        (m,) (MacKay 1992, "The evidence framework applied to classification networks", equation 10).
        """
        found: Values = 1 / np.sqrt(1 + np.pi / 8 * np.mean(self._missed**2) * np.square(_doubts(signs)))
        return found

    @property
    def _student(self) -> float:
        return float(special.stdtrit(self._freedom, 0.975) / NORMAL_97_5)

    def _logits(self, signs: Values) -> Values:
        """At `signs` (m, features)."""
        terms = self._variances * (self._table.T @ self._solved)
        features = signs.shape[1]
        found: Values = self._mean + terms[0] + signs @ terms[1 : 1 + features]
        if len(self._left):
            together = np.zeros((features, features))
            together[self._left, self._right] = terms[1 + features :]
            found += np.einsum("ij,ij->i", signs @ together, signs)
        return found


def _doubts(signs: Values) -> Values:
    """How much neither words nor pairs tell at `signs` (m, features), (m,); 1 where half of the words are left."""
    found: Values = np.exp(-FADING / 4 * signs.mean(axis=1))
    return found


def _of_threes(signs: Values) -> Values:
    """How alike what three words do only together is in two versions, (m, m), 1 on the diagonal; 0 of two words."""
    features = signs.shape[1]
    alike = signs @ signs.T
    alike *= alike * alike - (3 * features - 2)
    found: Values = alike / max(6 * special.comb(features, 3), 1)
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
