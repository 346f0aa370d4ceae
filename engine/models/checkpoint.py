"""A model's folder: card.json, weights.safetensors, tokenizer files, and digests that tell damage from a model."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save_file

from engine.errors import ModelUnavailableError, StorageError
from engine.models.backbones import HuggingFaceEncoder, read_safetensors
from engine.models.network import FusionNetwork, rebuild
from engine.models.spec import CNN, NONE, NetworkSpec, from_card
from engine.models.tokenizer import ENCODER_FOLDER, TextTokenizer, load_tokenizer
from engine.types import ModelCard

CARD = "card.json"
WEIGHTS = "weights.safetensors"
DIGESTS = "digests.json"
_ID = re.compile(r"[A-Za-z0-9._-]+")
_WAY_OUT = "Use another model, or retrain."


@dataclass(frozen=True)
class Checkpoint:
    """A model in memory. `tokenizer` is None for a network that reads no text."""

    network: FusionNetwork
    card: ModelCard
    tokenizer: TextTokenizer | None


def save(folder: Path, network: FusionNetwork, card: ModelCard, tokenizer: TextTokenizer | None) -> None:
    """Write a model's folder: all of it or nothing, also when the power fails. `folder` must not exist yet.

    Raises:
        ModelUnavailableError: the card's id cannot be a folder's name.
        StorageError: the disk refused, or `folder` exists.
    """
    _check_id(card.id)
    if folder.exists():
        raise StorageError(f"The model folder {folder} exists already.", "Choose another id, or move it away.")
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        beside.mkdir(parents=True)
        _write_parts(beside, network, card, tokenizer)
        beside.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise StorageError(f"The model cannot be written to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_card(folder: Path, card: ModelCard) -> None:
    """Replace the card of a saved model (its scores came later than its weights), all or nothing.

    Raises:
        StorageError: the disk refused.
    """
    beside = folder / f".{CARD}.part"
    try:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2))
        _sync(beside)
        beside.replace(folder / CARD)
        _sync(folder)
    except OSError as error:
        raise StorageError(f"The card in {folder} cannot be written: {error.strerror or error}.") from error


def read_card(folder: Path) -> ModelCard:
    """The card of a model's folder.

    Raises:
        ModelUnavailableError: the folder or its card is missing, damaged, or of another program.
    """
    path = folder / CARD
    try:
        card = msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except OSError as error:
        raise ModelUnavailableError(f"There is no model in {folder}: {CARD} cannot be read.", _WAY_OUT) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(f"The card {path} is damaged or not ours: {error}.", _WAY_OUT) from error
    _check_id(card.id)
    if card.format > ModelCard.__struct_defaults__[-1]:
        raise ModelUnavailableError(f"Model {card.id!r} was made by a newer version of Second Look.", "Update first.")
    return card


def load(folder: Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a model's folder and put the network on `device`, ready to score (evaluation mode).

    Raises:
        ModelUnavailableError: anything is missing, damaged, foreign or does not fit together.
    """
    card = read_card(folder)
    spec = from_card(card)
    _check_heads(card, spec)
    _check_digests(folder)
    tokenizer = load_tokenizer(folder, spec)
    network = rebuild(spec, tokenizer, _encoder_config(folder, spec))
    _load_weights(network, folder / WEIGHTS)
    return Checkpoint(network.to(device).eval(), card, tokenizer)


def _write_parts(folder: Path, network: FusionNetwork, card: ModelCard, tokenizer: TextTokenizer | None) -> None:
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    if tokenizer is not None:
        tokenizer.save(folder)
    if isinstance(network.text, HuggingFaceEncoder):
        network.text.encoder.config.save_pretrained(folder / ENCODER_FOLDER)
    digests = {str(path.relative_to(folder)): _digest(path) for path in _files(folder)}
    (folder / DIGESTS).write_bytes(msgspec.json.encode(digests, order="sorted"))
    for path in _files(folder):
        _sync(path)
    for inner in {path.parent for path in _files(folder)}:
        _sync(inner)
    write_card(folder, card)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _check_id(name: str) -> None:
    if not _ID.fullmatch(name) or name in {".", ".."}:
        raise ModelUnavailableError(f"{name!r} cannot be a model's id: use letters, digits, dots, dashes, underscores.")


def _check_heads(card: ModelCard, spec: NetworkSpec) -> None:
    heads = {head.task: head.labels for head in spec.heads}
    multi = {head.task for head in spec.heads if head.multi}
    if heads != card.tasks or multi != set(card.multi):
        raise ModelUnavailableError(f"The card of model {card.id!r} and its network disagree on the tasks.", _WAY_OUT)


def _check_digests(folder: Path) -> None:
    try:
        digests = msgspec.json.decode((folder / DIGESTS).read_bytes(), type=dict[str, str])
        wrong = [name for name, digest in digests.items() if _digest(folder / name) != digest]
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete or damaged: {error}.", _WAY_OUT) from error
    if wrong or WEIGHTS not in digests:
        raise ModelUnavailableError(
            f"The model in {folder} is damaged: {', '.join(wrong) or WEIGHTS} is not what was saved.", _WAY_OUT
        )


def _encoder_config(folder: Path, spec: NetworkSpec) -> Any:
    if spec.text.backbone in {NONE, CNN}:
        return None
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder / ENCODER_FOLDER, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailableError(f"The text encoder described in {folder} cannot be built: {error}.") from error


def _load_weights(network: FusionNetwork, path: Path) -> None:
    found = read_safetensors(path)
    expected = network.state_dict()
    odd = sorted(set(found) ^ set(expected))
    wrong = odd or sorted(name for name in expected if found[name].shape != expected[name].shape)
    if wrong:
        raise ModelUnavailableError(
            f"The weights {path} belong to another network: {len(wrong)} tensors do not fit, such as {wrong[0]!r}.",
            _WAY_OUT,
        )
    network.load_state_dict(found)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
