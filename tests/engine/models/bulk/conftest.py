"""Models that score without torch: proven ones, and what proves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.models import folders, likeness, precision, proof
from engine.models.bulk import runtime
from engine.models.likeness import Likeness
from engine.models.proof import Ranges
from engine.models.spec import NetworkSpec

MakeModel = Callable[..., Path]


@pytest.fixture(autouse=True)
def _with_runtime() -> None:
    pytest.importorskip("openvino", reason="the extra secondlook[fast] is not installed")


@pytest.fixture
def with_encoder(spec: NetworkSpec, encoder_folder: str) -> NetworkSpec:
    """A tiny BERT and a ResNet-18 on 32 pixels."""
    text = msgspec.structs.replace(spec.text, backbone=encoder_folder, pooling="mean")
    return msgspec.structs.replace(spec, text=text)


@pytest.fixture
def ranges() -> Ranges:
    """Ranges for a ResNet-18 with random weights, wide enough for any picture."""
    return ((-3.0, 3.0), *[(-6.0, 6.0)] * 20, *[(0.0, 8.0)] * 8)


@pytest.fixture
def prove(ranges: Ranges) -> Callable[[Path], None]:
    """Write a proof beside a model as a check does."""

    def write(folder: Path) -> None:
        alike = {task: Likeness(1.0, 0.0) for task in ("toxicity", "reason")}
        card = folders.read_card(folder)
        proof.write(folder, card, ("int8", "int8"), 200, alike, ranges=ranges, kind=proof.BULK)

    return write


@pytest.fixture
def any_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk scoring also where it does not pay."""
    monkeypatch.setattr(runtime, "has_int8", lambda: True)


@pytest.fixture
def quick_check(monkeypatch: pytest.MonkeyPatch, any_cpu: None) -> None:
    """A check over 64 items that a random network passes, on any CPU; narrow encoders may be rounded too."""
    monkeypatch.setattr(likeness, "PROBE_ITEMS", 64)
    monkeypatch.setattr(precision, "has_int8", lambda: True)
    monkeypatch.setattr(likeness, "AGREEMENT", 0.5)
    monkeypatch.setattr(likeness, "DIFFERENCE", 0.2)
    monkeypatch.setattr("engine.models.int8_text.LEAST_WIDTH", 16)
