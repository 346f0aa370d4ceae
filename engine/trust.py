"""How far an explanation can be trusted, how it was made and what it rests on, in calm words. Light."""

from __future__ import annotations

from engine.counting import counted
from engine.evidence import is_clear
from engine.looks import evidence, line
from engine.types import Explanation

RELIABLE, FAIR = 0.9, 0.7
"""Agreement of two independent halves of the samples from which on an explanation is called reliable, or fairly so."""
MOST_OF_IT = 0.5
WORTH_NAMING = 0.05
"""A share of the evidence from which on a part of the page is named beside an item."""

_METHODS = {
    "lime": "LIME",
    "ig": "Integrated gradients",
    "gradcam": "Grad-CAM",
    "gradient": "Gradient × input",
    "occlusion": "Occlusion",
    "attention": "Attention",
}
_PARTS = {"text": "words", "image": "screenshot"}


def made(explanation: Explanation) -> str:
    """Name the method, and its samples where it draws any."""
    method = _METHODS.get(explanation.method, explanation.method)
    return f"{method}, {counted(explanation.samples, 'sample')}" if explanation.samples else method


def looks_at(explanation: Explanation) -> str:
    """Return what the explanation rests on, the largest shares first; "" where that is not known."""
    shares = evidence(explanation.modality_share, explanation.region_share)
    words = line({part: share for part, share in shares.items() if share >= WORTH_NAMING})
    return f"Looks at {words}" if words else ""


def reliability(explanation: Explanation) -> float | None:
    """Return how well two independent halves of the samples agree, in [-1, 1]; None where that is not known.

    Words and screenshot count by their share of the evidence: noise in a part that does not matter does no harm. Where
    it is known of less than half of the evidence, it is not known.
    """
    found = explanation.reliability
    shares = {part: explanation.modality_share.get(part, 0.0) for part in found}
    if not found:
        return None
    if not any(explanation.modality_share.values()):
        return min(found.values())
    if sum(shares.values()) < MOST_OF_IT:
        return None
    return sum(found[part] * share for part, share in shares.items()) / sum(shares.values())


def reliability_words(explanation: Explanation) -> tuple[str, str]:
    """Return the reliability for the eye, such as "reliable 0.93", and as a sentence; both "" where it is not known."""
    figure = reliability(explanation)
    if figure is None:
        return "", ""
    word = "reliable" if figure >= RELIABLE else "fairly reliable" if figure >= FAIR else "shaky"
    parts = ", ".join(f"{_PARTS.get(part, part)} {share:.2f}" for part, share in explanation.reliability.items())
    told = f"This explanation is {word}: two independent halves of its samples agree by {figure:.2f} of 1 ({parts})."
    return f"{word} {figure:.2f}".replace("-", "−"), told.replace("-", "−")


def weight_words(weight: float, error: float | None) -> str:
    """Return a weight with its standard error, and whether it may be nothing."""
    doubt = "" if is_clear(weight, error) or not weight else ", may be nothing"
    return f"{weight:+.3f}" + (f" ± {error:.3f}{doubt}" if error is not None else "")
