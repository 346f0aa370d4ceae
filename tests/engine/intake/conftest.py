from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

MakeImage = Callable[..., bytes]


@pytest.fixture(scope="session")
def picture() -> MakeImage:
    """Return the bytes of a small image with some structure: `picture("JPEG", mode="CMYK", size=(40, 30))`."""

    def make(kind: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
        image = Image.linear_gradient("L").resize(size).convert(mode)
        written = io.BytesIO()
        image.save(written, kind, **options)
        return written.getvalue()

    return make
