"""Small data sets whose answers are in their words, and a recipe that learns them in well under a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from engine.training.experiment import baselines
from engine.training.experiment.cells import RecipeRow
from engine.training.experiment.sources import Source, load_items
from engine.training.recipe import load_recipe

WARM, COLD = ("bright fire and heat", "sun over dry sand"), ("ice and snow at night", "frost on the lake")
Row = Mapping[str, object]
Write = Callable[[str, Iterable[Row]], Path]


@pytest.fixture(autouse=True)
def few_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers choose among two settings: the search is the same, and a test takes a second less."""
    monkeypatch.setattr(baselines, "_GRID", {baselines.SVM: (0.3,), baselines.LOGISTIC: (3.0,)})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows as JSON lines below the test's folder and return the file."""

    def written(name: str, rows: Iterable[Row]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return written


def rows(count: int, *, split: bool = True) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for number in range(count):
        words = (WARM if number % 2 == 0 else COLD)[number // 2 % 2]
        row: dict[str, object] = {"text": f"{words} on day {number}", "label": "warm" if number % 2 == 0 else "cold"}
        if split:
            row["split"] = "val" if number % 8 in {6, 7} else "train"
        row["author"] = f"author {number}"
        found.append(row)
    return found


@pytest.fixture
def source(write: Write) -> Source:
    """48 items in two classes, a quarter of them marked val."""
    return load_items(write("weather.jsonl", rows(48)))


@pytest.fixture
def row(recipe: str) -> RecipeRow:
    return RecipeRow("tiny", load_recipe(recipe, ["training.epochs=2"]))


@pytest.fixture
def weather() -> Callable[..., list[dict[str, object]]]:
    return rows
