"""The queue's sort keys: pure functions from what is known of an item to one number per order."""

from __future__ import annotations

import datetime as dt

NO_VERDICT_UNCERTAIN = 2.0
"""Above every probability: items without a verdict come last when the least certain come first."""

NO_VERDICT_RISK = -1.0
NO_EXPOSURE = -1.0
_TIE = 1e-7
_STEPS = 1_000_000


def uncertain_key(probability: float | None) -> float:
    """Return the top probability in [0, 1]; ascending order puts the least certain first, unscored items last."""
    return NO_VERDICT_UNCERTAIN if probability is None else probability


def risk_key(severity: int, probability: float | None, exposure: float | None) -> float:
    """Return severity (0 to 4) times probability, to six decimals, with exposure as a tie-break below them.

    Descending order puts the riskiest first and unscored items last. The tie-break `e / (1 + e)` lies in [0, 1) and
    is scaled below the sixth decimal, so that it never outweighs risk itself.
    """
    reach = max(exposure or 0.0, 0.0)
    tie = _TIE * (reach / (1.0 + reach) if reach != float("inf") else 1.0)
    risk = NO_VERDICT_RISK if probability is None else round(severity * probability * _STEPS) / _STEPS
    return risk + tie


def exposure_key(exposure: float | None) -> float:
    """Return the exposure; descending order puts the most seen first, unknown ones last."""
    return NO_EXPOSURE if exposure is None else exposure


def moment_key(captured_at: str, imported: float) -> float:
    """Return when the item was captured, in seconds since 1970 (UTC where no zone is given), else when imported."""
    try:
        moment = dt.datetime.fromisoformat(captured_at)
    except ValueError:
        return imported
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.timestamp()
