"""What the benchmarks of explanations share: the demo's captures, a settled predictor, times and agreement."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from engine.explain import explain
from engine.models.likeness import PROBE_ITEMS
from engine.models.predictor import Predictor
from engine.types import Explanation, ItemContent

DEMO = Path(__file__).parents[2] / "resources" / "demo"
SEEDS, SAMPLES, MANY, TOP = (0, 1), 1000, 5000, 5
"""The library's samples by default for an image, and for a text and an answer to measure others by."""
REST = 0.3
"""Seconds between two measurements, the library's and ours alike."""
Values = npt.NDArray[np.float64]
Row = dict[str, float]
Result = TypeVar("Result")


def demo_rows() -> list[dict[str, Any]]:
    """The demo's captures, as they ship."""
    return [json.loads(line) for line in (DEMO / "metadata.jsonl").read_text("utf-8").splitlines()]


def settled(folder: Path, items: Sequence[ItemContent]) -> Predictor:
    """A predictor in the arithmetic that it chose by the items, now or in an earlier run."""
    for _ in Predictor.load(folder, "cpu").settle([items[at % len(items)] for at in range(PROBE_ITEMS)]):
        pass
    return Predictor.load(folder, "cpu")


class Timed(NamedTuple):
    """An explanation, seconds to the first map and to the final one, and the CPU time of all threads."""

    final: Explanation
    first: float
    last: float
    cpu: float


def timed(predictor: Predictor, item: ItemContent, task: str, label: str, seed: int) -> Timed:
    """Explain an item as the engine does."""
    seen: list[float] = []
    start, used = time.perf_counter(), time.process_time()
    final = explain(predictor, item, task, label, seed=seed, emit=lambda _one: seen.append(time.perf_counter() - start))
    return Timed(final, seen[0], seen[-1], time.process_time() - used)


def rested(measure: Callable[[], Result]) -> Result:
    """What a measurement gives once no thread of what ran before it looks for more work: some do so for 100 ms."""
    time.sleep(REST)
    return measure()


def seconds_of(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a call gives, how long it takes, and the CPU time of all threads: the same on a busy machine."""
    start, used = time.perf_counter(), time.process_time()
    found = run()
    return found, time.perf_counter() - start, time.process_time() - used


def rank(one: Values, other: Values) -> float:
    """Spearman's correlation; 0 where one is constant."""
    return float(spearmanr(one, other).statistic) if np.ptp(one) and np.ptp(other) else 0.0


def top(one: Values, other: Values) -> float:
    """The share of the five strongest of one among those of the other."""
    best = [set(np.argsort(-np.abs(weights), kind="stable")[:TOP].tolist()) for weights in (one, other)]
    return len(best[0] & best[1]) / min(TOP, len(one))
