"""What is said where there is nothing, or only one part, to explain."""

from __future__ import annotations

from engine.explain.image_part import ImagePart
from engine.explain.surrogate import Surrogate
from engine.explain.text_part import TextPart


def note(text: TextPart | None, words: Surrogate | None, image: ImagePart | None, superpixels: Surrogate | None) -> str:
    """One sentence about the parts that have no surrogate, or nothing."""
    plain = image is not None and not image.features
    if words is None and superpixels is None:
        return (
            f"Nothing to explain: {_why_nothing(has_text=text is not None, has_image=image is not None, plain=plain)}."
        )
    if text is not None and words is None:
        return "The verdict does not depend on the words."
    if plain:
        return "The screenshot is one plain colour, so only the words are explained."
    if image is not None and superpixels is None:
        return "The verdict does not depend on the screenshot."
    return ""


def _why_nothing(*, has_text: bool, has_image: bool, plain: bool) -> str:
    if has_text and plain:
        return "the verdict does not depend on the words, and the screenshot is one plain colour"
    if plain:
        return "the screenshot is one plain colour and there are no words"
    if has_text and has_image:
        return "the verdict does not depend on the words or the screenshot"
    if has_text:
        return "the verdict does not depend on the words"
    if has_image:
        return "the verdict does not depend on the screenshot"
    return "the verdict does not depend on anything in this item, which has neither words nor a screenshot to look at"
