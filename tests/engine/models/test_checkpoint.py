"""Model folders: complete or not there, and every kind of damage is one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import ModelUnavailableError, StorageError
from engine.models import checkpoint, folders
from engine.models.batches import text_batch
from engine.models.network import FusionNetwork, build
from engine.models.spec import NetworkSpec, to_plain
from engine.models.tokenizer import TextTokenizer, tokenizer_for
from engine.types import ModelCard

MakeModel = Callable[..., Path]


def test_what_was_saved_is_what_is_loaded(
    tmp_path: Path, network: FusionNetwork, card: ModelCard, tokenizer: TextTokenizer
) -> None:
    checkpoint.save(tmp_path / "m1", network, card, tokenizer)
    loaded = checkpoint.load(tmp_path / "m1")
    assert loaded.card == card
    assert not loaded.network.training
    ours, theirs = network.state_dict(), loaded.network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert loaded.tokenizer is not None
    assert loaded.tokenizer.encode(["a river"]) == tokenizer.encode(["a river"])
    assert [path.name for path in tmp_path.iterdir()] == ["m1"]


def test_an_encoder_comes_back_without_its_origin(
    make_model: MakeModel, spec: NetworkSpec, encoder_folder: str
) -> None:
    text = msgspec.structs.replace(spec.text, backbone=encoder_folder)
    folder = make_model(msgspec.structs.replace(spec, text=text))
    Path(encoder_folder).rename(Path(encoder_folder).with_name("gone"))
    loaded = checkpoint.load(folder)
    assert loaded.network.text_features == 16
    assert loaded.tokenizer is not None


@pytest.mark.parametrize("backbone", ["char-cnn", "bert-tiny"])
def test_what_was_trained_from_nothing_comes_back(tmp_path: Path, spec: NetworkSpec, backbone: str) -> None:
    spec = msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, backbone=backbone))
    tokenizer = tokenizer_for(spec, ["a calm river", "Καλημέρα"] * 3)
    assert tokenizer is not None
    torch.manual_seed(0)
    network = build(spec, tokenizer).eval()
    tasks = {head.task: head.labels for head in spec.heads}
    card = ModelCard(id="m", created="", recipe="", tasks=tasks, multi=("reason",), network=to_plain(spec))
    checkpoint.save(tmp_path / "m", network, card, tokenizer)
    loaded = checkpoint.load(tmp_path / "m")
    assert loaded.tokenizer is not None
    assert (loaded.tokenizer.vocabulary, loaded.tokenizer.pad) == (tokenizer.vocabulary, tokenizer.pad)
    ids = tokenizer.encode(["a calm Καλή river", "fish"])
    assert loaded.tokenizer.encode(["a calm Καλή river", "fish"]) == ids
    batch = text_batch(ids, [True, True], tokenizer.pad)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network.encode_text(batch), network.encode_text(batch))


def test_a_card_is_replaced_as_a_whole(make_model: MakeModel, spec: NetworkSpec) -> None:
    folder = make_model(spec)
    scored = msgspec.structs.replace(checkpoint.read_card(folder), seconds=12.5, temperatures={"toxicity": 1.5})
    checkpoint.write_card(folder, scored)
    assert checkpoint.load(folder).card == scored


@pytest.mark.parametrize("name", ["weights.safetensors", "tokenizer.json", "digests.json", "card.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "flipped"])
def test_every_damaged_file_is_found(make_model: MakeModel, spec: NetworkSpec, name: str, damage: str) -> None:
    folder = make_model(spec)
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        middle = 0 if name == "card.json" else len(content) // 2
        content[middle] ^= 0xFF
        path.write_bytes(content)
    with pytest.raises(ModelUnavailableError) as caught:
        checkpoint.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(make_model: MakeModel, spec: NetworkSpec) -> None:
    folder = make_model(spec)
    weights = load_file(folder / checkpoint.WEIGHTS)
    weights["heads.toxicity.weight"] = torch.zeros(5, 256)
    _replace_weights(folder, weights)
    with pytest.raises(ModelUnavailableError, match=r"heads\.toxicity\.weight"):
        checkpoint.load(folder)
    del weights["heads.toxicity.weight"]
    _replace_weights(folder, weights)
    with pytest.raises(ModelUnavailableError, match=r"heads\.toxicity\.weight"):
        checkpoint.load(folder)


def test_a_folder_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"name": "something else"}')
    with pytest.raises(ModelUnavailableError, match="damaged or not ours"):
        checkpoint.load(tmp_path)


def test_a_newer_card_asks_for_an_update(make_model: MakeModel, spec: NetworkSpec) -> None:
    folder = make_model(spec)
    checkpoint.write_card(folder, msgspec.structs.replace(checkpoint.read_card(folder), format=99))
    with pytest.raises(ModelUnavailableError, match="newer version"):
        checkpoint.load(folder)


def test_a_card_that_disagrees_with_its_network_is_refused(make_model: MakeModel, spec: NetworkSpec) -> None:
    folder = make_model(spec)
    changed = msgspec.structs.replace(checkpoint.read_card(folder), tasks={"toxicity": ("toxic", "kind")})
    checkpoint.write_card(folder, changed)
    with pytest.raises(ModelUnavailableError, match="disagree on the tasks"):
        checkpoint.load(folder)


@pytest.mark.parametrize("name", ["../m", "a b", "", "..", "a/b"])
def test_ids_cannot_leave_the_folder(
    tmp_path: Path, network: FusionNetwork, card: ModelCard, tokenizer: TextTokenizer, name: str
) -> None:
    with pytest.raises(ModelUnavailableError, match="cannot be a model's id"):
        checkpoint.save(tmp_path / "m", network, msgspec.structs.replace(card, id=name), tokenizer)


def test_an_existing_model_is_never_overwritten(
    make_model: MakeModel, spec: NetworkSpec, network: FusionNetwork
) -> None:
    folder = make_model(spec)
    with pytest.raises(StorageError, match="exists already"):
        checkpoint.save(folder, network, checkpoint.read_card(folder), None)


def test_a_failed_save_leaves_nothing(
    tmp_path: Path,
    network: FusionNetwork,
    card: ModelCard,
    tokenizer: TextTokenizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        checkpoint.save(tmp_path / "m1", network, card, tokenizer)
    assert list(tmp_path.iterdir()) == []


def _replace_weights(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Change the weights together with their digest, as a foreign tool might."""
    save_file(weights, folder / checkpoint.WEIGHTS)
    digests = msgspec.json.decode((folder / checkpoint.DIGESTS).read_bytes(), type=dict[str, str])
    digests[checkpoint.WEIGHTS] = folders.digest(folder / checkpoint.WEIGHTS)
    (folder / checkpoint.DIGESTS).write_bytes(msgspec.json.encode(digests))
