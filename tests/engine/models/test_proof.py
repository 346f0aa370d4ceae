"""What a check found is used again for the very same thing, and for nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import torch

from engine.models import checkpoint, likeness, precision, processor, proof
from engine.models.likeness import Likeness
from engine.models.predictor import Predictor
from engine.models.spec import NetworkSpec
from engine.models.vector_store import backbones_digest
from engine.types import ItemContent, ModelCard, Verdict

MakeModel = Callable[..., Path]
MakeItems = Callable[[int], list[ItemContent]]


class Found(NamedTuple):
    """What a check found."""

    items: int = 200
    agreement: float = 1.0
    difference: float = 0.001

    def write(self, folder: Path, card: ModelCard, kind: proof.Kind = proof.TORCH) -> None:
        alike = {task: Likeness(self.agreement, self.difference) for task in ("toxicity", "reason")}
        proof.write(folder, card, ("fp32", "bf16"), self.items, alike, kind=kind)


@pytest.fixture
def folder(spec: NetworkSpec, make_model: MakeModel) -> Path:
    return make_model(spec)


@pytest.fixture
def card(folder: Path) -> ModelCard:
    return checkpoint.read_card(folder)


def test_it_comes_back(folder: Path, card: ModelCard) -> None:
    assert proof.read(folder, card) is None
    Found().write(folder, card)
    found = proof.read(folder, card)
    assert found is not None
    assert (found.text, found.image, found.items) == ("fp32", "bf16", 200)
    assert found.agreement == {"toxicity": 1.0, "reason": 1.0}
    assert checkpoint.load(folder).card == card


def test_a_card_with_scores_changes_nothing(folder: Path, card: ModelCard) -> None:
    Found().write(folder, card)
    assert proof.read(folder, msgspec.structs.replace(card, seconds=9.0, device="elsewhere")) is not None


@pytest.mark.parametrize("what", ["temperature", "network", "weights", "torch", "processor", "code"])
def test_another_anything_and_it_is_void(
    folder: Path, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    Found().write(folder, card)
    match what:
        case "temperature":
            card = msgspec.structs.replace(card, temperatures={"toxicity": 2.0})
        case "network":
            card = msgspec.structs.replace(card, network={**card.network, "image": {"crop_top": 5}})
        case "weights":
            digests = json.loads((folder / checkpoint.DIGESTS).read_bytes())
            (folder / checkpoint.DIGESTS).write_text(json.dumps(digests | {checkpoint.WEIGHTS: "0" * 64}))
        case "torch":
            monkeypatch.setattr(proof, "version_of", {"torch": "9.9"}.get)
        case "processor":
            monkeypatch.setattr(processor, "cpu_features", lambda: frozenset({"sse2"}))
        case _:
            for name in proof.TORCH.code:
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes((proof._HERE / name).read_bytes())
            (tmp_path / "int8.py").write_text("another way of rounding")
            monkeypatch.setattr(proof, "_HERE", tmp_path)
    assert proof.read(folder, card) is None


@pytest.mark.parametrize("weak", [Found(items=199), Found(agreement=0.994), Found(difference=0.01)])
def test_it_must_meet_the_demands(folder: Path, card: ModelCard, weak: Found) -> None:
    weak.write(folder, card)
    assert proof.read(folder, card) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"text": 3}'])
def test_damage_costs_only_a_new_check(
    folder: Path, card: ModelCard, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (folder / proof.TORCH.file).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert proof.read(folder, card) is None
    assert "checked anew" in caplog.text


def test_a_full_disk_costs_only_a_new_check(
    folder: Path, card: ModelCard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(Path, "replace", refuse)
        Found().write(folder, card)
    assert "No space left" in caplog.text
    assert not [path for path in folder.iterdir() if proof.TORCH.file in path.name]


@pytest.fixture
def quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check over 64 items that a random network passes, on any CPU; narrow encoders may be rounded too."""
    monkeypatch.setattr(likeness, "PROBE_ITEMS", 64)
    monkeypatch.setattr(precision, "has_int8", lambda: True)
    monkeypatch.setattr(precision, "has_bf16", lambda: True)
    monkeypatch.setattr(likeness, "AGREEMENT", 0.5)
    monkeypatch.setattr(likeness, "DIFFERENCE", 0.2)
    monkeypatch.setattr("engine.models.int8_text.LEAST_WIDTH", 16)


@pytest.mark.usefixtures("quick_check")
@pytest.mark.parametrize(
    ("backbone", "name", "gone"),
    [("cnn", "int8 image, fp32 text", {"image"}), ("encoder", "int8", {"image", "text"}), ("none", "int8", {"image"})],
)
def test_the_next_process_starts_with_it_and_without_the_floats(
    spec: NetworkSpec,
    make_model: MakeModel,
    make_items: MakeItems,
    request: pytest.FixtureRequest,
    backbone: str,
    name: str,
    gone: set[str],
) -> None:
    name = "int8 image, fp32 text" if backbone == "none" else name
    if backbone == "encoder":
        backbone = request.getfixturevalue("encoder_folder")
    folder = make_model(msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, backbone=backbone)))
    items = make_items(64)
    first = Predictor.load(folder, "cpu")
    digest = backbones_digest(first.loaded)
    first.predict(items)
    settled = first.predict(items)
    assert first.device_name.endswith(name)
    second = Predictor.load(folder, "cpu")
    assert second.device_name.endswith(name)
    assert second.settled
    assert {part for part in ("text", "image") if getattr(second.loaded.network, part) is None} >= gone
    assert {part for part in ("text", "image") if getattr(first.loaded.network, part) is None} >= gone
    assert _table(second.predict(items)) == pytest.approx(_table(settled), abs=1e-4)
    assert backbones_digest(second.loaded) == digest == backbones_digest(first.loaded)


@pytest.mark.usefixtures("quick_check")
def test_work_under_way_outlives_the_floats(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, encoder_folder: str
) -> None:
    """The next part is begun before one waits for the last, also across the switch."""
    spec = msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, backbone=encoder_folder))
    predictor = Predictor.load(make_model(spec), "cpu")
    items = make_items(64)
    torch.set_num_threads(2)
    try:
        parts = list(predictor.predict_stream(items * 4, batch=16))
    finally:
        torch.set_num_threads(1)
    assert predictor.device_name.endswith("int8")
    assert [one.item for part in parts for one in part if one.task == "toxicity"] == [item.id for item in items * 4]


def _table(verdicts: list[Verdict]) -> dict[tuple[str, str, str], float]:
    return {(one.item, one.task, label): value for one in verdicts for label, value in one.probabilities.items()}
