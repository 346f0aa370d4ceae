"""Whether a screenshot shows anything at all."""

from __future__ import annotations

import io

from engine.intake.captures import check_capture

SAME_SHARE = 0.995
"""A capture of which this share of pixels has one colour (to 5 bits a channel) is blank, if it also has no text."""


def one_coloured(png: bytes) -> float:
    """Return the share of pixels, in [0, 1], that have the screenshot's most frequent colour.

    Raises:
        CaptureError: the bytes are no picture that can be used.
    """
    import numpy as np
    from PIL import Image

    checked = check_capture(png)
    with Image.open(io.BytesIO(checked.png), formats=("PNG",)) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.uint32) >> 3
    codes = (pixels[..., 0] << 10) | (pixels[..., 1] << 5) | pixels[..., 2]
    counts = np.bincount(codes.ravel(), minlength=1)
    return float(counts.max() / codes.size)
