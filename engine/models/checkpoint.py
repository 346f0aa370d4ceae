"""A model's folder: card.json, weights.safetensors, tokenizer files, and digests that tell damage from a model.

A refitted model's folder holds heads.safetensors instead, and names the model whose backbones it uses.
"""

from __future__ import annotations

import hashlib
import os
import re
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
from engine.models.bases import BASE, HEADS, REFITTED, Base, as_base, backbones_folder, base_of
from engine.models.network import FusionNetwork, blank_text, rebuild, rebuild_without
from engine.models.registry import text_backbone
from engine.models.spec import NetworkSpec, from_card
from engine.models.tokenizer import ENCODER_FOLDER, TextTokenizer, load_tokenizer
from engine.models.weights import Weights
from engine.types import ModelCard

CARD = "card.json"
WEIGHTS = "weights.safetensors"
DIGESTS = "digests.json"
_ID = re.compile(r"[A-Za-z0-9._-]+")
_WAY_OUT = "Use another model, or retrain."


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
    _check_id(card.id)
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
        raise StorageError(f"The card in {folder} cannot be written: {error.strerror or error}.") from error


def weights_digest(folder: Path) -> str:
    """The SHA-256 of a saved model's weights, as it was when they were written.

    Raises:
        ModelUnavailableError: the folder is incomplete.
    """
    try:
        return msgspec.json.decode((folder / DIGESTS).read_bytes(), type=dict[str, str])[WEIGHTS]
    except (OSError, msgspec.DecodeError, KeyError) as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete: {error}.", _WAY_OUT) from error


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
    card, spec, source = _checked(folder, models)
    if source != folder:
        _check_digests(source, WEIGHTS)
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
    card, spec, source = _checked(folder, other.source.parent)
    if source != other.source:
        return None
    network = other.network.with_heads(spec)
    _load_weights(network, read_safetensors(folder / HEADS), folder, REFITTED)
    return Checkpoint(network.eval(), card, other.tokenizer, source)


def _checked(folder: Path, models: Path | None) -> tuple[ModelCard, NetworkSpec, Path]:
    """The card, the network that it describes, and the folder of its backbones; the own files are undamaged."""
    card = read_card(folder)
    spec = from_card(card)
    _check_heads(card, spec)
    source = backbones_folder(folder, models, DIGESTS)
    _check_digests(folder, WEIGHTS if source == folder else HEADS)
    return card, spec, source


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


def _check_digests(folder: Path, needed: str) -> None:
    try:
        digests = msgspec.json.decode((folder / DIGESTS).read_bytes(), type=dict[str, str])
        wrong = [name for name, digest in digests.items() if _digest(folder / name) != digest]
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete or damaged: {error}.", _WAY_OUT) from error
    if wrong or needed not in digests:
        raise ModelUnavailableError(
            f"The model in {folder} is damaged: {', '.join(wrong) or needed} is not what was saved.", _WAY_OUT
        )


def all_digests(folder: Path) -> dict[str, str]:
    """The digests of all of a model's files but its card, as they were written.

    Raises:
        ModelUnavailableError: the list cannot be read.
    """
    try:
        return msgspec.json.decode((folder / DIGESTS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete or damaged: {error}.", _WAY_OUT) from error


def other_digests(folder: Path) -> dict[str, str]:
    """The digests of a model's files other than its weights: its vocabulary and the description of its encoder.

    Raises:
        ModelUnavailableError: the list cannot be read.
    """
    return {name: digest for name, digest in all_digests(folder).items() if name != WEIGHTS}


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
        raise ModelUnavailableError(f"The text encoder described in {folder} cannot be built: {error}.") from error


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
            _WAY_OUT,
        )
    network.load_state_dict(found, strict=False)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
