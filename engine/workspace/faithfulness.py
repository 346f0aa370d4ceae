"""How faithful a model's explanations are: kept in the model's folder, where `secondlook explain-eval` leaves it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from engine.errors import StorageError
from engine.types import Faithfulness
from engine.workspace.captures import sync_folder

FILE = "faithfulness.json"
_decoder = msgspec.json.Decoder(Faithfulness)


def read(folder: Path) -> Faithfulness | None:
    """Return what was measured of the model in `folder`; None where nothing was, or the file cannot be read."""
    try:
        found = _decoder.decode((folder / FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.model == folder.name else None


def write(folder: Path, found: Faithfulness) -> Path:
    """Keep what was measured beside the model, all of it or nothing, and return the file.

    Raises:
        StorageError: the disk refused.
    """
    target = folder / FILE
    part = folder / f".{FILE}.{secrets.token_hex(4)}.part"
    try:
        with part.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(found), indent=2))
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(
            f"What was measured cannot be written to '{target}' ({error.strerror or error}).",
            "Free some space or make the folder writable, then try again; the desk goes on showing what it had.",
        ) from error
    return target
