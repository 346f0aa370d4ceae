"""Models that hold heads only, on the backbones of another one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from engine.errors import ModelUnavailableError
from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.models.spec import NetworkSpec, to_plain
from engine.types import ItemContent

MakeModel = Callable[..., Path]
MakeItems = Callable[[int], list[ItemContent]]


@pytest.fixture
def base(spec: NetworkSpec, make_model: MakeModel) -> Path:
    return make_model(spec, "base")


def with_heads(folder: Path, name: str, seed: int = 1) -> Path:
    """Give the model in `folder` other heads, straight on the features, and save only those."""
    loaded = checkpoint.load(folder)
    spec = loaded.network.spec
    spec = msgspec.structs.replace(spec, fusion=msgspec.structs.replace(spec.fusion, hidden=()))
    torch.manual_seed(seed)
    network = loaded.network.with_heads(spec).eval()
    base = checkpoint.base_for(folder, loaded.card)
    card = msgspec.structs.replace(loaded.card, id=name, network=to_plain(spec), base=base.model)
    checkpoint.save_heads(folder.parent / name, network, card, base)
    return folder.parent / name


def test_heads_come_back_on_the_backbones_of_their_base(base: Path, make_items: MakeItems) -> None:
    refit = with_heads(base, "refit-1")
    assert {path.name for path in refit.iterdir()} == {"base.json", "card.json", "digests.json", "heads.safetensors"}
    loaded, ours = checkpoint.load(refit), checkpoint.load(base)
    assert loaded.card.base == "base"
    assert torch.equal(loaded.network.missing_text, ours.network.missing_text)
    text, image = torch.randn(3, ours.network.text_features), torch.randn(3, ours.network.image_features)
    assert torch.equal(loaded.network.features(text, image), ours.network.features(text, image))
    assert not torch.equal(loaded.network.fuse(text, image)["toxicity"], ours.network.fuse(text, image)["toxicity"])
    assert len(Predictor(loaded, torch.device("cpu")).predict(make_items(4))) == 6


def test_a_refit_of_a_refit_stands_on_the_first_base(base: Path) -> None:
    second = with_heads(with_heads(base, "refit-1"), "refit-2", seed=2)
    shutil.rmtree(base.parent / "refit-1")
    assert checkpoint.load(second).card.base == "base"


def test_a_candidate_finds_its_base_in_the_folder_of_models(base: Path, tmp_path: Path) -> None:
    refit = with_heads(base, "refit-1")
    elsewhere = tmp_path / "runs" / "refit-1" / "candidate"
    elsewhere.parent.mkdir(parents=True)
    refit.rename(elsewhere)
    assert checkpoint.load(elsewhere, models=base.parent).card.id == "refit-1"
    with pytest.raises(ModelUnavailableError, match="folder is missing"):
        checkpoint.load(elsewhere)


def test_a_missing_base_is_one_sentence(base: Path) -> None:
    refit = with_heads(base, "refit-1")
    shutil.rmtree(base)
    with pytest.raises(ModelUnavailableError, match=r"refit-1 uses the backbones of the model base, .* missing"):
        checkpoint.load(refit)


def test_a_changed_base_is_one_sentence(base: Path, spec: NetworkSpec, make_model: MakeModel) -> None:
    refit = with_heads(base, "refit-1")
    shutil.rmtree(base)
    make_model(msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, filters=5)), "base")
    with pytest.raises(ModelUnavailableError, match="which has changed since"):
        checkpoint.load(refit)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("base.json", b"{", "cannot be read"), ("heads.safetensors", b"?", "not what was saved")],
)
def test_damage_is_one_sentence(base: Path, name: str, content: bytes, words: str) -> None:
    refit = with_heads(base, "refit-1")
    (refit / name).write_bytes(content)
    with pytest.raises(ModelUnavailableError, match=words):
        checkpoint.load(refit)


def test_heads_go_onto_backbones_in_memory(base: Path, make_items: MakeItems) -> None:
    refit = with_heads(base, "refit-1")
    first = Predictor.load(base, "cpu")
    loaded = checkpoint.load_onto(refit, first.loaded)
    assert loaded is not None
    assert loaded.network.text is first.loaded.network.text
    items = make_items(6)
    shared, alone = first.sharing(loaded).predict(items), Predictor.load(refit, "cpu").predict(items)
    assert [one.model for one in shared] == ["refit-1"] * len(shared)
    assert [one.probability for one in shared] == pytest.approx([one.probability for one in alone], abs=1e-6)


def test_heads_do_not_go_onto_other_backbones(base: Path, spec: NetworkSpec, make_model: MakeModel) -> None:
    refit = with_heads(base, "refit-1")
    other = checkpoint.load(make_model(spec, "other"))
    assert checkpoint.load_onto(refit, other) is None
    assert checkpoint.load_onto(base, other) is None
