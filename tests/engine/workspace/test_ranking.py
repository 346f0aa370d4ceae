from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workspace.ranking import exposure_key, moment_key, risk_key, uncertain_key

probabilities = st.integers(0, 1_000).map(lambda value: value / 1_000)
exposures = st.one_of(st.none(), st.floats(0, 1e9))


@given(st.integers(0, 4), probabilities, exposures, st.integers(0, 4), probabilities, exposures)
def test_exposure_only_breaks_ties_of_risk(
    severity: int, probability: float, exposure: float | None, other: int, second: float, reach: float | None
) -> None:
    key, peer = risk_key(severity, probability, exposure), risk_key(other, second, reach)
    risk, compared = round(severity * probability, 3), round(other * second, 3)
    if risk != compared:
        assert (key < peer) == (risk < compared)
    elif (exposure or 0.0) <= (reach or 0.0):
        assert key <= peer


def test_items_without_a_verdict_come_last() -> None:
    assert risk_key(0, None, math.inf) < risk_key(0, 0.0, None)
    assert uncertain_key(None) > uncertain_key(1.0)
    assert exposure_key(None) < exposure_key(0.0)


@pytest.mark.parametrize(
    ("captured_at", "moment"),
    [
        ("1970-01-02", 86_400.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("", 42.0),
        ("yesterday", 42.0),
    ],
)
def test_moments_are_utc_and_fall_back_to_the_import(captured_at: str, moment: float) -> None:
    assert moment_key(captured_at, 42.0) == moment
