"""The child of `scoring.py` that scores as the engine does: it imports nothing that the engine does not.

Also what the naive child shares with it: the same items, the loop that answers, and the memory that it tells.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.models.bulk import loading
from engine.types import ItemContent, Verdict

if TYPE_CHECKING:
    from engine.models.bulk.scorer import BulkScorer
    from engine.models.predictor import Predictor

WORDS = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter", "summer", "bridge", "orange")
PIXELS, CACHED = "pixels.npy", "cached"
Pixels = NDArray[np.uint8]
"""(n, 224, 224, 3) prepared screenshots."""
Answers = dict[str, dict[str, float]]
"""The probability of each task's first label, per item."""


class Runner(Protocol):
    """A way of scoring."""

    @property
    def name(self) -> str:
        """How it scores, in words."""

    def run(self, items: Sequence[ItemContent]) -> Answers:
        """Answers of all items."""


class Ours:
    """Bulk scoring as `secondlook score` does it."""

    def __init__(self, folder: Path, pixels: Pixels | None) -> None:
        self._pixels = pixels
        self._predictor = loading.load(folder) or _predictor(folder)

    @property
    def name(self) -> str:
        return self._predictor.device_name

    def run(self, items: Sequence[ItemContent]) -> Answers:
        answers: Answers = {item.id: {} for item in items}
        for part in self._parts(items):
            for verdict in part:
                answers[verdict.item][verdict.task] = next(iter(verdict.probabilities.values()))
        return answers

    def _parts(self, items: Sequence[ItemContent]) -> Iterator[list[Verdict]]:
        pixels = self._pixels
        if pixels is None:
            return self._predictor.predict_stream(items)
        return self._predictor.predict_prepared((item, pixels[int(item.id)]) for item in items)


def _predictor(folder: Path) -> BulkScorer | Predictor:
    from engine.models.predictor import Predictor

    return Predictor.load(folder, "cpu")


def items_and_pixels(folder: Path, way: str) -> tuple[list[ItemContent], Pixels | None]:
    """The items of a model's folder, and their prepared screenshots where a way of scoring gets them."""
    items = make_items(folder.parent, len(list(folder.parent.glob("*.png"))))
    return items, np.load(folder.parent / PIXELS, mmap_mode="r") if way.endswith(CACHED) else None


def answer(runner: Runner, items: Sequence[ItemContent]) -> None:
    """Answer requests, one line of item numbers each, with seconds, memory and answers."""
    for line in sys.stdin:
        chosen = [items[number] for number in json.loads(line)]
        start = time.perf_counter()
        answers = runner.run(chosen)
        seconds = time.perf_counter() - start
        print(  # noqa: T201
            json.dumps({"seconds": seconds, **memory(), "name": runner.name, "answers": answers}), flush=True
        )


def memory() -> dict[str, float]:
    """Resident memory of this process in MB: the most there was, what there is, and how much of that files back.

    Not from `getrusage`: a new process inherits the peak of the one that started it.
    """
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    now = {
        name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest
    }
    return {"peak": now["VmHWM"], "resident": now["VmRSS"], "of_files": now["RssFile"]}


def make_items(folder: Path, count: int) -> list[ItemContent]:
    """Texts of 5 to 60 words beside the captures in `folder`; the same for the same count."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(5, 60, count)
    return [
        ItemContent(
            id=str(number),
            kind="tweet",
            text=" ".join(rng.choice(WORDS if number % 2 else WORDS[1:], length)),
            capture=str(folder / f"{number}.png"),
        )
        for number, length in enumerate(lengths)
    ]


def main() -> None:
    """Be the child for one way of scoring, on the model in a folder."""
    way, folder = sys.argv[1], Path(sys.argv[2])
    items, pixels = items_and_pixels(folder, way)
    answer(Ours(folder, pixels), items)


if __name__ == "__main__":
    main()
