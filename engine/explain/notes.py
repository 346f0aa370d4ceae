"""What is said where there is nothing, or only one part, to explain, and where weights are coarse or doubtful."""

from __future__ import annotations

from collections.abc import Mapping

from engine.evidence import SLIGHT, is_clear
from engine.explain.image_part import ImagePart
from engine.explain.surrogate import Surrogate
from engine.explain.text_part import TextPart

CUT = "The model reads only the beginning of this text: words further on count where some before them are hidden."
VANISHED = (
    "The verdict depends on this item, but its gradients are too small to tell on what: use --method lime or occlusion."
)


WHOLE, WHOLE_OF_ONE_COLOUR = 0.2, 0.05
"""The change of a probability without a part from which on it is told where its weights do not account for it. What has
no weights at all, a screenshot of one colour, is told of sooner.
"""
_ACCOUNTED = 0.25


def note(
    text: TextPart | None,
    words: Surrogate | None,
    image: ImagePart | None,
    superpixels: Surrogate | None,
    *,
    final: bool,
    wholes: Mapping[str, str],
) -> str:
    """What LIME says about parts that have no surrogate, about doubt that is left and long texts, or nothing.

    `wholes` are the sentences of `as_a_whole` by part ("image", "text"), where there are any.
    """
    unmoved = nothing(
        text,
        image,
        words=None if text is None or (words is None and "text" in wholes) else words is not None,
        screenshot=None
        if image is None or not image.features or (superpixels is None and "image" in wholes)
        else superpixels is not None,
    )
    if words is None and superpixels is None:
        plain = image is not None and not image.features
        return " ".join(([unmoved] if plain or not wholes else []) + list(wholes.values()))
    sentences = [unmoved, *wholes.values()]
    if final:
        sentences.append(_weakness(words, superpixels))
    if words is not None and text is not None:
        sentences.append(grouped(text))
        sentences.append(CUT if final and text.cut else "")
    return " ".join(filter(None, sentences))


def as_a_whole(part: str, probability: float, without: float, weights: float, *, one_colour: bool = False) -> str:
    """A sentence where a part ("image" or "text") matters as a whole in a way that its weights do not tell; else "".

    An empty page looks the same with pieces of it hidden: that it is empty counts, and no piece has a weight.
    `without` is the label's probability without the part, `weights` the sum of the part's weights.
    """
    effect = probability - without
    told = effect * weights > 0 and abs(weights) >= _ACCOUNTED * abs(effect)
    if told or abs(effect) < (WHOLE_OF_ONE_COLOUR if one_colour else WHOLE):
        return ""
    the, it, some = _AS_A_WHOLE[part]
    then = "" if one_colour else f": {it} as a whole, which hiding {some} does not show"
    return f"Without the {the} the model says {without:.0%}, not {probability:.0%}{then}."


_AS_A_WHOLE = {"image": ("screenshot", "it counts", "pieces"), "text": ("words", "they count", "some")}


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
        return f"No {what} changes the probability by more than {max(*clear, 0.001):.3f}."
    return ""
