"""Leave one out: how much lower the probability is without one superpixel, or one word. Exact, and it needs no samples.

Zeiler and Fergus 2014 (section 4.2) for images, Li, Monroe and Jurafsky 2016 (equation 2, here of the probability) for
words. A word is left out by deleting it, a superpixel by hiding it as LIME does.
"""

from __future__ import annotations

import numpy as np

from engine.explain.image_part import ImagePart
from engine.explain.methods.parts import Parts, Values, Weights
from engine.explain.notes import CUT
from engine.explain.sampling import asked
from engine.explain.text_part import TextPart


def left_out(parts: Parts) -> Weights:
    """The weights of all superpixels and words.

    Raises:
        CancelledError: between two batches, where somebody asked for that.
    """
    image = _differences(parts, parts.image) if parts.image is not None else None
    text = _differences(parts, parts.text) if parts.text is not None else None
    samples = 1 + parts.image_features + parts.text_features
    note = CUT if parts.text is not None and parts.text.cut else ""
    return Weights(image=image, text=text, shared_scale=True, samples=samples, note=note)


def _differences(parts: Parts, part: ImagePart | TextPart) -> Values:
    return parts.probability - asked(part, ~np.eye(part.features, dtype=bool), parts.check)
