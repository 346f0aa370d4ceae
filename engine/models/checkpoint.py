"""A model's folder: card.json, weights.safetensors, tokenizer files, and digests that tell damage from a model.

A refitted model's folder holds heads.safetensors instead, and names the model whose backbones it uses.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from engine.errors import ModelUnavailableError, StorageError
from engine.models.backbones import HuggingFaceEncoder, read_safetensors
from engine.models.bases import BASE, HEADS, REFITTED, Base, as_base, base_of
from engine.models.folders import (
    CARD,
    DIGESTS,
    WAY_OUT,
    WEIGHTS,
    all_digests,
    check_digests,
    check_id,
    checked,
    digest,
    other_digests,
    read_card,
    weights_digest,
)
from engine.models.network import FusionNetwork, blank_text, rebuild, rebuild_without
from engine.models.registry import text_backbone
from engine.models.spec import NetworkSpec
from engine.models.tokenizer import ENCODER_FOLDER, TextTokenizer, load_tokenizer
from engine.models.weights import Weights
from engine.types import ModelCard

__all__ = [
    "CARD", "DIGESTS", "WEIGHTS", "Checkpoint", "all_digests", "base_for", "encoder_config", "load", "load_onto",
    "other_digests", "read_card", "save", "save_heads", "weights_digest", "write_card",
]  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """A model in memory. `tokenizer` is None for a network that reads no text.

    `source` is the folder that its backbones came from: its own, or its base's; None where it came from no folder.
    """

    network: FusionNetwork
    card: ModelCard
    tokenizer: TextTokenizer | None
    source: Path | None = None


def save(folder: Path, network: FusionNetwork, card: ModelCard, tokenizer: TextTokenizer | None) -> None:
    """Write a model's folder: all of it or nothing, also when the power fails. `folder` must not exist yet.

    Raises:
        ModelUnavailableError: the card's id cannot be a folder's name.
        StorageError: the disk refused, or `folder` exists.
    """
    tensors = _tensors(network)

    def write(part: Path) -> None:
        save_file(tensors, part / WEIGHTS)
        if tokenizer is not None:
            tokenizer.save(part)
        if isinstance(network.text, HuggingFaceEncoder):
            network.text.encoder.config.save_pretrained(part / ENCODER_FOLDER)

    _save(folder, card, write, needed=_bytes(tensors))


def save_heads(folder: Path, network: FusionNetwork, card: ModelCard, base: Base) -> None:
    """Write the folder of a refitted model: fusion and heads, and the base that its backbones stay in. As `save`."""
    own = {name: tensor for name, tensor in _tensors(network).items() if name.startswith(REFITTED)}

    def write(part: Path) -> None:
        save_file(own, part / HEADS)
        (part / BASE).write_bytes(msgspec.json.encode(base))

    _save(folder, card, write, needed=_bytes(own))


def base_for(folder: Path, card: ModelCard) -> Base:
    """The base of a refit of the model in `folder`: itself, or its own base where it is a refit.

    Raises:
        ModelUnavailableError: the folder is incomplete.
    """
    return base_of(folder) or as_base(folder, card.id, DIGESTS)


def _bytes(tensors: dict[str, torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _save(folder: Path, card: ModelCard, write: Callable[[Path], None], *, needed: int) -> None:
    check_id(card.id)
    if folder.exists():
        raise StorageError(f"The model folder {folder} exists already.", "Choose another id, or move it away.")
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        beside.mkdir(parents=True)
        write(beside)
        _seal(beside, card)
        beside.rename(folder)
        _sync(folder.parent)
    except (OSError, SafetensorError) as error:
        there = next(parent for parent in folder.absolute().parents if parent.is_dir())
        raise StorageError(
            f"The model cannot be written to {folder}: {getattr(error, 'strerror', None) or error}.",
            f"It needs {needed / 1e6:.1f} MB and the folder's disk has {shutil.disk_usage(there).free / 1e6:.1f} MB "
            "free. Free some space and try again.",
        ) from error
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
        raise StorageError(
            f"The card in {folder} cannot be written: {error.strerror or error}.",
            "Make room on the disk and check that you may write there, then try again.",
        ) from error


def load(
    folder: Path,
    device: str | torch.device = "cpu",
    *,
    models: Path | None = None,
    without: Collection[str] = (),
) -> Checkpoint:
    """Read a model's folder and put the network on `device`, ready to score (evaluation mode).

    `models` is where a refitted model's base is looked for; beside its own folder if it is left out. `without` names
    backbones ("text", "image") that something else will stand for: they are None, and their weights stay on the disk.

    Raises:
        ModelUnavailableError: anything is missing, damaged, foreign or does not fit together.
    """
    card, spec, source = checked(folder, models)
    if source != folder:
        check_digests(source, WEIGHTS)
    tokenizer = load_tokenizer(source, spec)
    if without:
        network = _partly(folder, source, spec, tokenizer, without)
    else:
        network = rebuild(spec, tokenizer, encoder_config(source, spec))
        _load_weights(network, _weights(folder, source), folder)
    return Checkpoint(network.to(device).eval(), card, tokenizer, source)


def _partly(
    folder: Path, source: Path, spec: NetworkSpec, tokenizer: TextTokenizer | None, without: Collection[str]
) -> FusionNetwork:
    absent = tuple(f"{name}." for name in without)
    beginnings = (*absent, *(REFITTED if source != folder else ()))
    weights = Weights(source / WEIGHTS)
    found = {name: weights[name] for name in weights if not name.startswith(beginnings)}
    if source != folder:
        found |= read_safetensors(folder / HEADS)
    features = (len(found.get("missing_text", ())), len(found.get("missing_image", ())))
    text = None if "text" in without else blank_text(spec, tokenizer, encoder_config(source, spec))
    network = rebuild_without(spec, text, features, image="image" not in without)
    _load_weights(network, found, folder)
    return network


def load_onto(folder: Path, other: Checkpoint) -> Checkpoint | None:
    """A refitted model that uses the backbones of `other` in memory; None where `folder` holds another kind of model.

    Raises:
        ModelUnavailableError: as `load`.
    """
    if other.source is None or base_of(folder) is None:
        return None
    card, spec, source = checked(folder, other.source.parent)
    if source != other.source:
        return None
    network = other.network.with_heads(spec)
    _load_weights(network, read_safetensors(folder / HEADS), folder, REFITTED)
    return Checkpoint(network.eval(), card, other.tokenizer, source)


def _weights(folder: Path, source: Path) -> dict[str, torch.Tensor]:
    found = read_safetensors(source / WEIGHTS)
    if source == folder:
        return found
    kept = {name: tensor for name, tensor in found.items() if not name.startswith(REFITTED)}
    return kept | read_safetensors(folder / HEADS)


def _tensors(network: FusionNetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _seal(folder: Path, card: ModelCard) -> None:
    """Note the digests of all files, put them on the disk, then add the card."""
    digests = {str(path.relative_to(folder)): digest(path) for path in _files(folder)}
    (folder / DIGESTS).write_bytes(msgspec.json.encode(digests, order="sorted"))
    for path in _files(folder):
        _sync(path)
    for inner in {path.parent for path in _files(folder)}:
        _sync(inner)
    write_card(folder, card)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def encoder_config(folder: Path, spec: NetworkSpec) -> Any:
    """The architecture of a saved model's Hugging Face encoder; None for any other text backbone.

    Raises:
        ModelUnavailableError: it is damaged, or not known to the installed transformers.
    """
    if not text_backbone(spec.text.backbone).encoder:
        return None
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder / ENCODER_FOLDER, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailableError(
            f"The text encoder described in {folder} cannot be built: {error}.",
            "Use another model, or train a new one with: secondlook retrain.",
        ) from error


def _load_weights(
    network: FusionNetwork, found: dict[str, torch.Tensor], folder: Path, beginnings: tuple[str, ...] = ("",)
) -> None:
    """Give the network the tensors found for all of its names with one of these beginnings."""
    expected = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(beginnings)}
    odd = sorted(set(found) ^ set(expected))
    wrong = odd or sorted(name for name in expected if found[name].shape != expected[name].shape)
    if wrong:
        raise ModelUnavailableError(
            f"The weights in {folder} belong to another network: {len(wrong)} tensors do not fit, such as "
            f"{wrong[0]!r}.",
            WAY_OUT,
        )
    network.load_state_dict(found, strict=False)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
