"""What superpixels do only together, taken out of the answers, so that it does not blur what each of them does alone.

In a pair of a row and its complement everything that an even number of features does together cancels. What is left
beside the weights is what three, five … do together, and it is most of the noise of an explanation. Features that
matter alone are those that matter together (the principle of effect heredity: Wu and Hamada 2000, "Experiments",
section 3.5), so that it can be learned from the very answers: a Gaussian process whose kernel is the product over
features of 1 + ρ z z′ (Durrande et al. 2013, "ANOVA kernels and RKHS of zero mean functions for model-based sensitivity
analysis", equation 13, z = ±1). The prior variance of what features do together is the product of their ρ: with ρ in
proportion to the square of a feature's weight, it is as large as the product of their weights.

Weights are known better once that is taken out, and then tell better what to take out: that is done twice.
"""

from __future__ import annotations

import numpy as np

from engine.explain.surrogate import Masks, Values

FEWEST_PAIRS = 24
"""From fewer pairs nothing can be told of what features do together."""
MOST_LEARNED = 192
"""So many pairs, the first ones, tell what features do together; those after them are foretold by them. Two halves
of 512 samples or more then take 80 ms together, where those of 4,000 took 3 s: eigenvectors of n pairs cost n³. The 256
samples that an explanation takes by itself are 128 pairs, all of which tell.

To leave what features do together in would be worse: on ten made-up models of twelve features the weights from 512
samples missed those of all versions by 0.0184 (left in 0.0245, learned from all pairs 0.0158), those from 1,024 by
0.0123 (0.0181 and 0.0090), and their errors told as much.
"""
SCALES = (0.4, 0.7, 0.95)
"""ρ of the strongest feature."""
NOISES = tuple(10.0 ** np.arange(-2, 2.1, 0.5))
"""Variances of what even the process cannot tell, beside its own, which is 1."""
ALONE = 1000.0
"""The variance of all that features do alone: it is hardly held back."""
ROUNDS = 2
RIDGE = 0.5
TINY = 1e-12


def without_interactions(masks: Masks, answers: Values) -> Values:
    """The answers (n,) to masks (n, features) less what features did together in them, as far as it can be foretold.

    Rows come in pairs, each followed by its complement; a last row without one stays as it is. What is taken from a
    pair is foretold from other pairs only, those among the first `MOST_LEARNED` (leave-one-out in closed form:
    Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", section 5.4.2): no answer is fitted to
    itself, and the errors of a regression on what is returned stay honest.
    """
    pairs = len(masks) // 2
    if pairs < FEWEST_PAIRS:
        return answers
    ones, others = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    states, odd = np.where(masks[ones], 1.0, -1.0), (answers[ones] - answers[others]) / 2
    gram = states.T @ states + RIDGE * np.eye(masks.shape[1])
    foretold = np.zeros(pairs)
    for _ in range(ROUNDS):
        squares: Values = np.square(np.linalg.solve(gram, states.T @ (odd - foretold)))
        strongest = float(squares.max())
        if strongest <= 0:
            return answers
        foretold = _foretold(states, odd, squares / strongest)
    found = answers.copy()
    found[ones] -= foretold
    found[others] += foretold
    return found


def _foretold(states: Values, odd: Values, strengths: Values) -> Values:
    """What features did together in each pair, (pairs,), by the scale and noise that foretell left-out pairs best.

    It is learned from the first pairs. They foretell each other, and all that come after them.
    """
    learned, told, later = states[:MOST_LEARNED], odd[:MOST_LEARNED], states[MOST_LEARNED:]
    alone, best = ALONE / states.shape[1] * learned @ learned.T, np.inf
    own, solved, rho = np.zeros(len(told)), np.zeros(len(told)), 0 * strengths
    for scale in SCALES:
        shared = _shared(learned, learned, scale * strengths)
        most = max(float(shared[0, 0]), TINY)
        shared /= most
        values, vectors = np.linalg.eigh(alone + shared)
        turned, between = vectors.T @ told, shared @ vectors
        for noise in NOISES:
            inverse = 1 / (np.maximum(values, 0) + noise)
            found, diagonal = vectors @ (inverse * turned), (vectors**2) @ inverse
            left_out = found / diagonal
            miss = float(left_out @ left_out)
            if miss < best:
                best, rho, solved = miss, scale * strengths, found / most
                own = between @ (inverse * turned) - left_out * ((between * vectors) @ inverse)
    return np.concatenate([own, _shared(later, learned, rho) @ solved])


def _shared(states: Values, others: Values, rho: Values) -> Values:
    """The kernel of what three, five … features do together, (pairs, others), but for a factor.

    The product of 1 + ρ z z′ over z, z′ = ±1 is in proportion to the exponential of the sum of z z′ artanh ρ, its odd
    part to the hyperbolic sine; what features do alone is taken from it.
    """
    product = np.sqrt(1 - rho**2).prod()
    found: Values = product * np.sinh((states * np.arctanh(rho)) @ others.T) - (states * rho) @ others.T
    return found
