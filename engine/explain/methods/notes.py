"""What is said where a method finds nothing to explain, in all of an item or in one of its parts."""

from __future__ import annotations

VANISHED = (
    "The verdict depends on this item, but its gradients are too small to tell on what: use --method lime or occlusion."
)


def nothing(*, words: bool | None, screenshot: bool | None, plain: bool) -> str:
    """One sentence, or nothing where all is well.

    `words` and `screenshot` say whether the part moves the verdict; None where there is no such part, or a method does
    not speak of it. `plain` says that the screenshot is one plain colour.
    """
    still = [name for name, moves in (("the words", words), ("the screenshot", screenshot)) if moves is False]
    if words or screenshot:
        if plain:
            return "The screenshot is one plain colour, so only the words are explained."
        return f"The verdict does not depend on {still[0]}." if still else ""
    return f"Nothing to explain: {_why(still, words=words, plain=plain)}."


def _why(still: list[str], *, words: bool | None, plain: bool) -> str:
    if plain and words is None:
        return "the screenshot is one plain colour"
    if plain:
        return "the verdict does not depend on the words, and the screenshot is one plain colour"
    if still:
        return f"the verdict does not depend on {' or '.join(still)}"
    return "there is nothing in this item that this method looks at"
