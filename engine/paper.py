"""See-through parts of a picture lie on white paper, as on a page: what people see is what models and maps look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def on_paper(image: Image.Image) -> Image.Image:
    """Return a picture in RGB (itself where it is), what is transparent mixed with white by as much as it is.

    A plain conversion shows the colour that lies hidden under it, which is often black.
    """
    from PIL import Image

    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured).convert("RGB")
