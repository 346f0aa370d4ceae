"""Where a refitted model's backbones are: in the folder of another model beside its own, named and digested."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from engine.errors import ModelUnavailableError
from engine.types import Struct

BASE = "base.json"
HEADS = "heads.safetensors"
REFITTED = ("fusion.", "heads.")
"""The tensors that a refit has of its own, by the beginnings of their names; all others are the base's."""


class Base(Struct, frozen=True, kw_only=True):
    """The model whose backbones are used: its id, and the SHA-256 of its folder's list of digests."""

    model: str
    digest: str


def as_base(folder: Path, model: str, digests: str) -> Base:
    """The model in `folder` as another one's base; `digests` is the name of its list of digests.

    Raises:
        ModelUnavailableError: the list cannot be read.
    """
    try:
        return Base(model=model, digest=hashlib.sha256((folder / digests).read_bytes()).hexdigest())
    except OSError as error:
        raise ModelUnavailableError(f"The model in {folder} is incomplete: {error}.", "Use another model.") from error


def base_of(folder: Path) -> Base | None:
    """The base that a model's folder names; None for a model with backbones of its own.

    Raises:
        ModelUnavailableError: the file that names it is damaged.
    """
    path = folder / BASE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Base)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ModelUnavailableError(f"{path} cannot be read: {error}.", "Use another model, or retrain.") from error


def backbones_folder(folder: Path, models: Path | None, digests: str) -> Path:
    """The folder that holds a model's backbones: its own, or its base's in `models` (left out: beside its own).

    Raises:
        ModelUnavailableError: the base is gone, or is not what it was when the heads were fitted.
    """
    base = base_of(folder)
    if base is None:
        return folder
    found = (models or folder.parent) / base.model
    way_out = "Put it back from a copy of the workspace, promote another model, or retrain."
    if not found.is_dir():
        message = f"The model {folder.name} uses the backbones of the model {base.model}, whose folder is missing"
        raise ModelUnavailableError(f"{message}: {found}.", way_out)
    if as_base(found, base.model, digests) != base:
        message = f"The model {folder.name} uses the backbones of the model {base.model}, which has changed since"
        raise ModelUnavailableError(f"{message}: {found}.", way_out)
    return found
