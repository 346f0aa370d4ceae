"""L-BFGS over one flat vector (Nocedal and Wright 2006, chapter 7; steps by Moré and Thuente 1994: strong Wolfe).

SciPy's, not torch's: constructing the first optimizer of torch imports its compiler, which takes several seconds, and a
reviewer waits for the first refit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

MEMORY = 10
"""Pairs of steps and gradients that stand for the curvature."""


def lbfgs(measure: Callable[[Tensor], tuple[float, Tensor]], start: Tensor, *, steps: int, tolerance: float) -> Tensor:
    """The vector, in the shape of `start`, after at most so many steps from it.

    `measure` gives a vector's value and its gradient. It ends where no component of the gradient exceeds `tolerance`.
    """

    def flat(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = measure(torch.from_numpy(values).float().view(start.shape))
        return value, gradient.double().numpy().ravel()

    found = minimize(
        flat,
        start.double().numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxcor": MEMORY, "gtol": tolerance, "ftol": 1e-5},
    )
    return torch.from_numpy(found.x).float().view(start.shape)
