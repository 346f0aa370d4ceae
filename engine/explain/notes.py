"""What is said where there is nothing, or only one part, to explain, and where weights are coarse or doubtful."""

from __future__ import annotations

from collections.abc import Sequence

from engine.evidence import is_clear
from engine.explain.image_part import ImagePart
from engine.explain.surrogate import Surrogate
from engine.explain.text_part import TextPart

CUT = "The model reads only the beginning of this text: words further on count where some before them are hidden."
SLIGHT = 0.02
"""Shares and colours are relative: where the largest weight is smaller, they make much of little."""


def note(
    text: TextPart | None,
    words: Surrogate | None,
    image: ImagePart | None,
    superpixels: Surrogate | None,
    *,
    final: bool,
) -> str:
    """What to say about the parts that have no surrogate, about doubt that is left and long texts, or nothing."""
    plain = image is not None and not image.features
    if words is None and superpixels is None:
        return (
            f"Nothing to explain: {_why_nothing(has_text=text is not None, has_image=image is not None, plain=plain)}."
        )
    sentences = []
    if text is not None and words is None:
        sentences.append("The verdict does not depend on the words.")
    elif plain:
        sentences.append("The screenshot is one plain colour, so only the words are explained.")
    elif image is not None and superpixels is None:
        sentences.append("The verdict does not depend on the screenshot.")
    if final:
        sentences += filter(None, [_weakness([part for part in (words, superpixels) if part is not None])])
    if words is not None and text is not None and text.together > 1:
        sentences.append(f"The text is long: its words are weighed in groups of {text.together}.")
    if final and words is not None and text is not None and text.cut:
        sentences.append(CUT)
    return " ".join(sentences)


def _weakness(parts: Sequence[Surrogate]) -> str:
    """What to say where no weight can be told from chance, or even the largest is slight; else nothing."""
    clear = [
        abs(weight)
        for part in parts
        for weight, error in zip(part.weights, part.errors, strict=True)
        if is_clear(weight, error)
    ]
    if not clear:
        return "No word or part of the screenshot makes a difference that can be told from chance."
    if max(clear) < SLIGHT:
        return f"No word or part of the screenshot changes the probability by more than {max(clear):.3f}."
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
    return "this item has neither words nor a screenshot that could be hidden"
