"""Tiny runs: a dozen words, pictures of plain colour, networks that train in a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import msgspec
import pytest
import torch
from PIL import Image
from torch import nn

from engine.service.protocol import TrainerEvent
from engine.taxonomy import Taxonomy, dump_taxonomy, parse_taxonomy
from engine.types import ItemContent, TrainingItem

TAXONOMY = """
name = "colours"

[[tasks]]
name = "mood"
title = "Mood"
kind = "single"
applies_to = ["tweet"]
labels = [
  { name = "warm", title = "Warm", key = "1", colour = "#d55e00", severity = 1, guideline = "" },
  { name = "cold", title = "Cold", key = "2", colour = "#0072b2", severity = 0, guideline = "" },
]

[[tasks]]
name = "why"
title = "Why"
kind = "multi"
applies_to = ["tweet"]
labels = [
  { name = "fire", title = "Fire", key = "1", colour = "#d55e00", severity = 1, guideline = "" },
  { name = "sun", title = "Sun", key = "2", colour = "#e69f00", severity = 1, guideline = "" },
]
when = { mood = ["warm"] }
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TinyImages(nn.Module):
    """Has what a ResNet has (convolution, batch statistics, activation in place) at a thousandth of its size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.fc: nn.Module = nn.Linear(8, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self.fc(self.relu(self.bn1(self.conv1(pixels))).mean(dim=(2, 3)))
        return vectors


@pytest.fixture
def image_recipe(tiny_recipe: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recipe with an image backbone that is quick to train and to save."""
    monkeypatch.setattr("torchvision.models.get_model", lambda name, weights=None: TinyImages())
    return tiny_recipe.replace('backbone = "none"', 'backbone = "resnet18"')


@pytest.fixture
def taxonomy() -> Taxonomy:
    return parse_taxonomy(TAXONOMY)


@pytest.fixture
def recipe(tiny_recipe: str) -> str:
    return tiny_recipe


def example(number: int, *, captures: Path | None = None) -> TrainingItem:
    """Every other item is warm; its words say so, and its picture too where there is one."""
    warm = number % 2 == 0
    words = ("bright fire and heat", "sun over dry sand")[number // 2 % 2] if warm else "ice and snow at night"
    labels: dict[str, tuple[str, ...]] = {"mood": ("warm" if warm else "cold",)}
    if warm:
        labels["why"] = ("fire" if "fire" in words else "sun",)
    capture = None
    if captures is not None and number % 5:
        path = captures / f"{number}.png"
        Image.new("RGB", (40, 40), (200 + number, 80, 40) if warm else (40, 80, 200 + number)).save(path)
        capture = str(path)
    content = ItemContent(id=f"i{number}", kind="tweet", text=f"{words} {number}", capture=capture)
    return TrainingItem(content=content, labels=labels, group=f"g{number}", decisions=(number + 1,))


@dataclass
class RunMaker:
    """Writes run folders into one workspace-like folder."""

    root: Path
    taxonomy: Taxonomy
    recipe: str
    made: int = 0

    @property
    def models(self) -> Path:
        return self.root / "models"

    def items(self, count: int = 48, *, captures: bool = False) -> list[TrainingItem]:
        folder = self.root / "captures"
        folder.mkdir(exist_ok=True)
        return [example(number, captures=folder if captures else None) for number in range(count)]

    def __call__(
        self, items: list[TrainingItem] | None = None, recipe: str = "", *, parent: str = "", name: str = ""
    ) -> Path:
        self.made += 1
        folder = self.root / "runs" / (name or f"run-{self.made}")
        folder.mkdir(parents=True)
        lines = [msgspec.json.encode(item) + b"\n" for item in (self.items() if items is None else items)]
        (folder / "snapshot.jsonl").write_bytes(b"".join(lines))
        (folder / "recipe.toml").write_text(recipe or self.recipe, encoding="utf-8")
        (folder / "taxonomy.toml").write_text(dump_taxonomy(self.taxonomy), encoding="utf-8")
        (folder / "parent.txt").write_text(parent, encoding="utf-8")
        return folder

    def adopt(self, folder: Path) -> Path:
        """Move the candidate to where the workspace would have it."""
        self.models.mkdir(exist_ok=True)
        return (folder / "candidate").rename(self.models / folder.name)


@pytest.fixture
def make_run(tmp_path: Path, taxonomy: Taxonomy, recipe: str) -> RunMaker:
    return RunMaker(tmp_path, taxonomy, recipe)


@dataclass
class Listener:
    """Keeps events, and asks to stop when `until` holds for one."""

    until: Callable[[TrainerEvent], bool] = lambda _: False
    events: list[TrainerEvent] = field(default_factory=list)
    stop: bool = False

    def __call__(self, event: TrainerEvent) -> None:
        self.events.append(event)
        self.stop = self.stop or self.until(event)

    def cancelled(self) -> bool:
        return self.stop

    def of(self, kind: type) -> list[TrainerEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def weights_of(folder: Path) -> Mapping[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "weights.safetensors")


def equal_weights(one: Path, other: Path) -> bool:
    """Whether two models have the very same weights, bit for bit."""
    first, second = weights_of(one), weights_of(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def listener() -> type[Listener]:
    return Listener


@pytest.fixture
def same_weights() -> Callable[[Path, Path], bool]:
    return equal_weights
