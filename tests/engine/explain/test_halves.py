"""The agreement of two halves, where it can be told from noise."""

from __future__ import annotations

import numpy as np
import pytest

from engine.explain.halves import FEWEST_FEATURES, agreement
from engine.trust import RELIABLE


@pytest.mark.parametrize(("features", "called"), [(2, 1 / 2), (3, 1 / 7), (FEWEST_FEATURES, 1 / 20)])
def test_so_often_noise_would_be_called_reliable(features: int, called: float) -> None:
    random = np.random.default_rng(0)
    found = [np.corrcoef(random.normal(size=features), random.normal(size=features))[0, 1] for _ in range(4000)]
    assert np.mean(np.array(found) >= RELIABLE) == pytest.approx(called, rel=0.15)


@pytest.mark.parametrize("features", range(1, 7))
def test_of_few_features_nothing_is_said(features: int) -> None:
    one, other = np.random.default_rng(features).normal(size=(2, features))
    found = agreement(one, other)
    if features < FEWEST_FEATURES:
        assert found is None
    else:
        assert found == pytest.approx(np.corrcoef(one, other)[0, 1])


def test_weights_that_do_not_differ_agree_on_nothing() -> None:
    some = np.arange(8.0)
    assert agreement(some, np.full(8, 0.3)) is agreement(np.full(8, 0.3), some) is None
