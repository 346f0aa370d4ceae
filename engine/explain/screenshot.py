"""An item's screenshot, as a model sees it, as superpixels are cut from it and as a heatmap is laid over it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.errors import InputError
from engine.explain.model import ExplainableModel
from engine.models.images import DAMAGE, check_size
from engine.types import ItemContent

_BY_CONTENT = re.compile(r"[0-9a-f]{64}")
"""The names that a workspace gives its captures: the SHA-256 of their bytes."""
_MEND = "Import the item again."


def seen(model: ExplainableModel, content: ItemContent) -> npt.NDArray[np.float32] | None:
    """The screenshot as the model sees it, (3, S, S) in [0, 1]; None where there is none, or the model looks at none.

    Raises:
        InputError: there is one, but it cannot be read any more, or is not the one that was imported: an explanation
            without it would speak of another item.
    """
    if content.capture is None or not len(model.missing_image):
        return None
    _check_unchanged(content)
    pixels = model.pixels(content)
    if pixels is None:
        screenshot(content)  # says what is wrong with it; where nothing is, the model hides all of it
    return pixels


def _check_unchanged(content: ItemContent) -> None:
    """Raise `InputError` where the file is not the one that its name stands for."""
    path = Path(content.capture or "")
    if not _BY_CONTENT.fullmatch(path.stem):
        return
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _unreadable(content, error) from error
    if found != path.stem:
        raise InputError(
            f"The screenshot of item '{content.id}' is not the one that was imported: its file has changed.", _MEND
        )


def screenshot(content: ItemContent) -> Image.Image:
    """The whole screenshot in RGB.

    Raises:
        InputError: it cannot be read any more, or is larger than any model looks at.
    """
    assert content.capture is not None
    try:
        with Image.open(Path(content.capture), formats=["PNG"]) as image:
            check_size(image)
            return image.convert("RGB")
    except DAMAGE as error:
        raise _unreadable(content, error) from error


def _unreadable(content: ItemContent, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error  # without the path of the file, which says nothing
    return InputError(f"The screenshot of item '{content.id}' cannot be read: {reason}.", _MEND)
