"""An item's screenshot, as superpixels are cut from it and a heatmap is laid over it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from engine.errors import InputError
from engine.models.images import DAMAGE, check_size
from engine.types import ItemContent


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
        raise InputError(
            f"The screenshot of item '{content.id}' cannot be read: {error}.", "Import the item again."
        ) from error
