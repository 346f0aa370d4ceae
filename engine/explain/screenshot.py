"""An item's screenshot, as a model sees it, as superpixels are cut from it and as a heatmap is laid over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from engine.errors import InputError
from engine.explain.model import ExplainableModel
from engine.models.images import DAMAGE, check_size, opened
from engine.paper import on_paper
from engine.types import ItemContent


def seen(model: ExplainableModel, content: ItemContent) -> npt.NDArray[np.float32] | None:
    """The screenshot as the model sees it, (3, S, S) in [0, 1]; None where there is none, or the model looks at none.

    Raises:
        InputError: there is one, but it cannot be read any more, or is not the one that was imported: an explanation
            without it would speak of another item.
    """
    if content.capture is None or not len(model.missing_image):
        return None
    pixels = model.pixels(content)
    if pixels is None:
        screenshot(content)  # says what is wrong with it; where nothing is, the model hides all of it
    return pixels


def screenshot(content: ItemContent) -> Image.Image:
    """The whole screenshot in RGB.

    Raises:
        InputError: it cannot be read any more, or is larger than any model looks at.
    """
    assert content.capture is not None
    try:
        with opened(Path(content.capture)) as image:
            check_size(image)
            image.load()  # before its file is closed
            return on_paper(image)
    except DAMAGE as error:
        raise _unreadable(content, error) from error


def _unreadable(content: ItemContent, error: Exception) -> InputError:
    reason: object = getattr(error, "strerror", None) or error  # without the path of the file, which says nothing
    if isinstance(error, UnidentifiedImageError):
        reason = "it is no PNG image, or its start is damaged"
    return InputError(f"The screenshot of item '{content.id}' cannot be read: {reason}.", "Import the item again.")
