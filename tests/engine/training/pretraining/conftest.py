"""Tiny encoders on a dozen words with a fixed order, so that context tells the hidden one."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.training.pretraining.card import PretrainingCard
from engine.training.pretraining.events import PretrainingEvent
from engine.training.pretraining.run import Wanted, pretrain
from engine.training.pretraining.settings import PretrainingSettings, make_settings

TINY: dict[str, Any] = {
    "vocabulary": 400,
    "layers": 1,
    "width": 16,
    "heads": 2,
    "max_tokens": 16,
    "epochs": 2,
    "batch_size": 8,
    "held_out": 0.1,
    "threads": 1,
    "precision": "fp32",
    "learning_rate": 0.01,
}
_FIRST = ("πρωί", "μέρα", "νύχτα", "morning", "evening")
_SECOND = ("καλή", "κακή", "bright", "grey")


def sentences(count: int) -> list[str]:
    """Different sentences in Greek and English, with emoji, a handle and a link now and then."""
    tails = ("😀 ναι", "@someone", "https://example.org/a", "τέλος", "the end")
    return [f"{_SECOND[n % 4]} {_FIRST[n % 5]} {n} {tails[n // 5 % 5]} στη {_FIRST[n // 4 % 5]}" for n in range(count)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def texts() -> list[str]:
    return sentences(60)


@pytest.fixture
def settings() -> PretrainingSettings:
    return make_settings(TINY, {}, continued=False)


@dataclass
class Pretrain:
    """Runs into one folder and keeps what was told; stops when `until` holds for an event."""

    root: Path
    texts: Sequence[str]
    events: list[PretrainingEvent] = field(default_factory=list)
    until: Callable[[PretrainingEvent], bool] = lambda _: False
    stop: bool = False

    def __call__(
        self, name: str = "encoder", given: Mapping[str, Any] | None = None, **changes: Any
    ) -> PretrainingCard:
        self.stop = False
        wanted = Wanted(lambda: self.texts, "texts.txt", self.root / name, {**TINY, **(given or {})})
        return pretrain(replace(wanted, **changes), emit=self._hear, cancelled=lambda: self.stop)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def _hear(self, event: PretrainingEvent) -> None:
        self.events.append(event)
        self.stop = self.stop or self.until(event)


@pytest.fixture
def run(tmp_path: Path, texts: list[str]) -> Pretrain:
    return Pretrain(tmp_path / "out", texts)


@pytest.fixture
def weights() -> Callable[[Path], dict[str, torch.Tensor]]:
    from safetensors.torch import load_file

    return lambda folder: load_file(folder / "model.safetensors")
