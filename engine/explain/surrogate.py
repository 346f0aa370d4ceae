"""LIME's surrogate and the masks that the `lime` library draws (Ribeiro, Singh and Guestrin 2016, section 3).

A mask is a row of booleans (features,): True keeps a feature, False hides it. `image_masks` and `text_masks` repeat the
draws of the library call by call, so that one seed gives the masks that `lime` would draw.
"""

from __future__ import annotations

import functools

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import special

Masks = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]

IMAGE_KERNEL_WIDTH = 0.25
TEXT_KERNEL_WIDTH = 0.25
"""`lime_text` multiplies distances by 100 and takes a width of 25, which is the same kernel."""
ALPHA = 1.0
"""The ridge penalty of `lime`."""
NORMAL_97_5 = 1.959964

_BOTH = np.array([[True], [False]])


class Surrogate(msgspec.Struct, frozen=True, kw_only=True):
    """A linear model around one item: a weight and its standard error per feature, and its weighted R² in [0, 1].

    An error is 0 where nothing was left to chance.
    """

    weights: tuple[float, ...]
    errors: tuple[float, ...]
    fit: float


def image_masks(samples: int, features: int, random: np.random.RandomState) -> Masks:
    """Hide each superpixel with probability one half, as `lime_image` does; the first row hides nothing.

    A single feature can be hidden in one way only: two rows, whatever `samples` says.
    """
    if features == 1:
        return _BOTH.copy()
    masks: Masks = random.randint(0, 2, samples * features).reshape(samples, features).astype(bool)
    masks[0] = True
    return masks


def text_masks(samples: int, features: int, random: np.random.RandomState) -> Masks:
    """Hide a uniform number of words, at least one, chosen without replacement, as `lime_text` does.

    A single feature can be hidden in one way only: two rows, whatever `samples` says.
    """
    if features == 1:
        return _BOTH.copy()
    sizes = random.randint(1, features + 1, samples - 1)
    masks = np.ones((samples, features), dtype=bool)
    for row, size in enumerate(sizes, start=1):
        masks[row, random.choice(features, size, replace=False)] = False
    return masks


def kernel(distances: Values, width: float) -> Values:
    """The exponential kernel of `lime`: the weight of a sample at a distance, in (0, 1]."""
    weights: Values = np.sqrt(np.exp(-(distances**2) / width**2))
    return weights


def distances(masks: Masks) -> Values:
    """Cosine distance of every row to the row that keeps everything; 1 for a row that hides everything."""
    kept = masks.mean(axis=1)
    result: Values = 1.0 - np.sqrt(kept)
    return result


def shared_kernel(masks: Masks, groups: Groups, width: float) -> Values:
    """What every row counts, (n,): the mean of its group's kernels."""
    kernels, members = kernel(distances(masks), width), np.unique(groups, return_inverse=True)[1]
    found: Values = (np.bincount(members, kernels) / np.bincount(members))[members]
    return found


class Regression:
    """Weighted ridge regression (alpha 1, intercept without penalty) on masks (n, features), for any answers (n,).

    Gives the weights of `lime.lime_base.LimeBase` with all features selected. Rows with one number in `groups`, (n,),
    were drawn together and only different groups are independent; without it, every row is. A row counts the mean of
    its group's kernels: so what is the same in a row and its complement cancels, which a difference of kernels would
    let through. `complete` says that the masks are all there are: then nothing is left to chance, and there is no
    penalty, as if the library had asked about each of them ever so often. `counts`, (n,), stand for the kernels then.

    The standard errors are the sandwich estimate with clusters (Liang and Zeger 1986, "Longitudinal data analysis using
    generalized linear models"). What the fit takes away from the residuals is given back as in Bell and McCaffrey 2002
    ("Bias reduction in standard errors for linear regression with multi-stage samples") under equal variances, here by
    one factor for the whole trace. Errors from few degrees of freedom are widened by Student's t, so that a weight lies
    within two of them in 95 of 100 designs of any size.

    A feature that can be hidden in one way only has an exact answer, the difference it makes, and needs no regression.
    """

    def __init__(
        self,
        masks: Masks,
        width: float,
        *,
        groups: Groups | None = None,
        complete: bool = False,
        counts: Values | None = None,
    ) -> None:
        self._groups = np.arange(len(masks)) if groups is None else np.unique(groups, return_inverse=True)[1]
        self._complete = complete or masks.shape[1] == 1
        self._counts = shared_kernel(masks, self._groups, width) if counts is None else counts
        root = np.sqrt(self._counts)
        self._rows = (masks - self._counts @ masks / self._counts.sum()) * root[:, None]
        self._penalty = 0.0 if self._complete else ALPHA
        self._inverse = np.linalg.inv(self._rows.T @ self._rows + self._penalty * np.eye(masks.shape[1]))
        self._map = self._inverse @ (self._rows * root[:, None]).T

    @property
    def share_left(self) -> float:
        """What the penalty leaves of the weights, in (0, 1], on average over features: hardly less than all of them
        from the thousand samples for which `lime` set it, but 0.9 from a hundred. A balanced design holds all back
        alike.
        """
        return 1.0 - self._penalty * float(np.trace(self._inverse)) / len(self._inverse)

    def weights(self, answers: Values) -> Values:
        """The weights, (features,) or (features, k), from answers (n,) or (n, k)."""
        found: Values = self._map @ answers
        return found

    def surrogate(self, answers: Values) -> Surrogate:
        """Weights with errors from answers (n,)."""
        weights = self.weights(answers)
        root = np.sqrt(self._counts)
        target = (answers - self._counts @ answers / self._counts.sum()) * root
        residuals, spread = target - self._rows @ weights, float(target @ target)
        return Surrogate(
            weights=tuple(weights.tolist()),
            errors=tuple((np.zeros(len(weights)) if self._complete else self._errors(residuals)).tolist()),
            fit=float(np.clip(1 - residuals @ residuals / spread, 0, 1)) if spread > 0 else 0.0,
        )

    def _errors(self, residuals: Values) -> Values:
        scores = np.zeros((int(self._groups.max()) + 1, self._rows.shape[1]))
        np.add.at(scores, self._groups, self._rows * residuals[:, None])
        lost, nominal = self._remaining
        freedom = max(len(scores) * lost / nominal, 1.0)
        student = special.stdtrit(freedom, 0.975) / NORMAL_97_5
        errors: Values = np.sqrt(((scores @ self._inverse) ** 2).sum(axis=0) * nominal / lost) * student
        return errors

    @functools.cached_property
    def _remaining(self) -> tuple[float, float]:
        """What the scores' variances would sum to if errors were independent and equal: for residuals, and for errors.

        With residuals (I - H) e and a group's rows X: the sum of tr(X' [(I - H)²] X) over groups, and that of tr(X' X).
        """
        mean = np.sqrt(self._counts / self._counts.sum())  # what the intercept takes
        left, right = np.column_stack([self._rows @ self._inverse, mean]), np.column_stack([self._rows, mean])
        again = left @ (right.T @ left) - 2 * left
        lost = nominal = 0.0
        order = np.argsort(self._groups, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(self._groups[order])) + 1):
            gram = self._rows[members] @ self._rows[members].T
            lost += float((gram * (np.eye(len(members)) + again[members] @ right[members].T)).sum())
            nominal += float(np.trace(gram))
        return lost, nominal
