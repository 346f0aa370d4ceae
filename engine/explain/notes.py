"""What is said where there is nothing, or only one part, to explain, and where weights are coarse or doubtful."""

from __future__ import annotations

from engine.evidence import SLIGHT, is_clear
from engine.explain.image_part import ImagePart
from engine.explain.surrogate import Surrogate
from engine.explain.text_part import TextPart

CUT = "The model reads only the beginning of this text: words further on count where some before them are hidden."
VANISHED = (
    "The verdict depends on this item, but its gradients are too small to tell on what: use --method lime or occlusion."
)


def note(
    text: TextPart | None,
    words: Surrogate | None,
    image: ImagePart | None,
    superpixels: Surrogate | None,
    *,
    final: bool,
) -> str:
    """What LIME says about parts that have no surrogate, about doubt that is left and long texts, or nothing."""
    sentences = [
        nothing(
            text,
            image,
            words=None if text is None else words is not None,
            screenshot=None if image is None or not image.features else superpixels is not None,
        )
    ]
    if words is None and superpixels is None:
        return sentences[0]
    if final:
        sentences.append(_weakness(words, superpixels))
    if words is not None and text is not None:
        sentences.append(grouped(text))
        sentences.append(CUT if final and text.cut else "")
    return " ".join(filter(None, sentences))


def grouped(text: TextPart) -> str:
    """A sentence where neighbouring words share a weight, or nothing."""
    return f"The text is long: its words are weighed in groups of {text.together}." if text.together > 1 else ""


def nothing(text: TextPart | None, image: ImagePart | None, *, words: bool | None, screenshot: bool | None) -> str:
    """One sentence where a part of an item, or all of it, moves nothing; "" where all is well.

    `words` and `screenshot` say whether the part moves the verdict; None where it cannot, or a method does not speak of
    it.
    """
    still = [name for name, moves in (("the words", words), ("the screenshot", screenshot)) if moves is False]
    plain = image is not None and not image.features
    if words or screenshot:
        if plain:
            return "The screenshot is one plain colour, so only the words are explained."
        return f"The verdict does not depend on {still[0]}." if still else ""
    if still:
        why = f"the verdict does not depend on {' or '.join(still)}"
        why += ", and the screenshot is one plain colour" if plain else ""
    elif plain:
        why = f"the screenshot is one plain colour{' and there are no words' if text is None else ''}"
    elif text is None and image is None:
        why = "this item has neither words nor a screenshot that could be hidden"
    else:
        why = "there is nothing in this item that this method looks at"
    return f"Nothing to explain: {why}."


def _weakness(words: Surrogate | None, superpixels: Surrogate | None) -> str:
    """What to say where no weight can be told from chance, or even the largest is slight; else nothing."""
    parts = {"word": words, "part of the screenshot": superpixels}
    what = " or ".join(name for name, part in parts.items() if part is not None)
    clear = [
        abs(weight)
        for part in (words, superpixels)
        if part is not None
        for weight, error in zip(part.weights, part.errors, strict=True)
        if is_clear(weight, error)
    ]
    if not clear:
        return f"No {what} makes a difference that can be told from chance."
    if max(clear) < SLIGHT:
        return f"No {what} changes the probability by more than {max(clear):.3f}."
    return ""
