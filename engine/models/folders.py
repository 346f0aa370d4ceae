"""A model's folder without torch: its card, the digests that tell damage from a model, and where its backbones are."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from engine.errors import ModelUnavailableError
from engine.models.bases import HEADS, backbones_folder
from engine.models.spec import NetworkSpec, from_card
from engine.types import ModelCard

CARD = "card.json"
WEIGHTS = "weights.safetensors"
DIGESTS = "digests.json"
WAY_OUT = "Use another model, or retrain."
_ID = re.compile(r"[A-Za-z0-9._-]+")


def read_card(folder: Path) -> ModelCard:
    """The card of a model's folder.

    Raises:
        ModelUnavailableError: the folder or its card is missing, damaged, or of another program.
    """
    path = folder / CARD
    try:
        card = msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except OSError as error:
        raise ModelUnavailableError(f"There is no model in {folder}: {CARD} cannot be read.", WAY_OUT) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(f"The card {path} is damaged or not ours: {error}.", WAY_OUT) from error
    check_id(card.id)
    if card.format > ModelCard.__struct_defaults__[-1]:
        raise ModelUnavailableError(f"Model {card.id!r} was made by a newer version of Second Look.", "Update first.")
    return card


def checked(folder: Path, models: Path | None) -> tuple[ModelCard, NetworkSpec, Path]:
    """The card, the network that it describes, and the folder of its backbones; the own files are undamaged.

    `models` is where a refitted model's base is looked for; beside its own folder if it is None.

    Raises:
        ModelUnavailableError: anything is missing, damaged, foreign or does not fit together.
    """
    card = read_card(folder)
    spec = from_card(card)
    _check_heads(card, spec)
    source = backbones_folder(folder, models, DIGESTS)
    check_digests(folder, WEIGHTS if source == folder else HEADS)
    return card, spec, source


def source_of(folder: Path) -> Path:
    """The folder of a model's backbones: its own, or its base's beside it.

    Raises:
        ModelUnavailableError: the base is gone, or is not what it was when the heads were fitted.
    """
    return backbones_folder(folder, None, DIGESTS)


def check_id(name: str) -> None:
    """Check that a model's id can be a folder's name.

    Raises:
        ModelUnavailableError: it cannot.
    """
    if not _ID.fullmatch(name) or name in {".", ".."}:
        raise ModelUnavailableError(
            f"{name!r} cannot be a model's id.", "Use letters, digits, dots, dashes, underscores."
        )


def check_digests(folder: Path, needed: str) -> None:
    """Check that all files of a model are what they were when they were saved, and that `needed` is among them.

    Raises:
        ModelUnavailableError: one is not, or the list of digests cannot be read.
    """
    try:
        digests = msgspec.json.decode((folder / DIGESTS).read_bytes(), type=dict[str, str])
        wrong = [name for name, told in digests.items() if digest(folder / name) != told]
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete or damaged: {error}.", WAY_OUT) from error
    if wrong or needed not in digests:
        raise ModelUnavailableError(
            f"The model in {folder} is damaged: {', '.join(wrong) or needed} is not what was saved.", WAY_OUT
        )


def all_digests(folder: Path) -> dict[str, str]:
    """The digests of all of a model's files but its card, as they were written.

    Raises:
        ModelUnavailableError: the list cannot be read.
    """
    try:
        return msgspec.json.decode((folder / DIGESTS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete or damaged: {error}.", WAY_OUT) from error


def other_digests(folder: Path) -> dict[str, str]:
    """The digests of a model's files other than its weights: its vocabulary and the description of its encoder.

    Raises:
        ModelUnavailableError: the list cannot be read.
    """
    return {name: told for name, told in all_digests(folder).items() if name != WEIGHTS}


def weights_digest(folder: Path) -> str:
    """The SHA-256 of a saved model's weights, as it was when they were written.

    Raises:
        ModelUnavailableError: the folder is incomplete.
    """
    try:
        return msgspec.json.decode((folder / DIGESTS).read_bytes(), type=dict[str, str])[WEIGHTS]
    except (OSError, msgspec.DecodeError, KeyError) as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete: {error}.", WAY_OUT) from error


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_heads(card: ModelCard, spec: NetworkSpec) -> None:
    heads = {head.task: head.labels for head in spec.heads}
    multi = {head.task for head in spec.heads if head.multi}
    if heads != card.tasks or multi != set(card.multi):
        raise ModelUnavailableError(f"The card of model {card.id!r} and its network disagree on the tasks.", WAY_OUT)
