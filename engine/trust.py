"""How far an explanation can be trusted, how it was made and what it rests on, in calm words. Light."""

from __future__ import annotations

from engine.counting import counted
from engine.evidence import is_clear
from engine.looks import evidence, line
from engine.types import Explanation, Verdict

RELIABLE, FAIR = 0.9, 0.7
"""Agreement of two independent halves of the samples from which on an explanation is called reliable, or fairly so."""
MOST_OF_IT = 0.5
WORTH_NAMING = 0.05
"""A share of the evidence from which on a part of the page is named beside an item."""

ENOUGH_ITEMS = 10
"""From fewer, twice a standard error is no evidence that a method does better than chance (Student's t)."""
SAME = 0.02
"""Kept verdicts and explanations may be computed in different arithmetic; their probabilities agree within this."""
GOOD_FIT, LOW_FIT = 0.7, 0.3
"""The share of the variance (R²) from which on weights tell enough, and below which they are to be read with care. The
median of the demo's items is 0.9.
"""
WORTH_A_DOUBT = 0.2
"""A share of the evidence from which on a part's poor fit is told."""

_HIDDEN = {"text": "words are hidden", "image": "parts of the screenshot are hidden"}
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
    """Return the reliability for the eye, such as "reliable 0.93", and as a sentence; both "" where it is not known.

    Where all combinations were asked about there is nothing to agree on.
    """
    figure = reliability(explanation)
    if figure is None:
        return "", ""
    figure = round(figure, 2)  # the word fits what is shown
    word = "reliable" if figure >= RELIABLE else "fairly reliable" if figure >= FAIR else "shaky"
    tried = [part for part in explanation.reliability if _all_tried(explanation, part)]
    if len(tried) == len(explanation.reliability):
        what = " and ".join(_PARTS.get(part, part) for part in tried)
        return "all tried", f"All combinations of its {what} were tried: their weights are not left to chance."
    parts = ", ".join(
        f"{_PARTS.get(part, part)} {'all tried' if part in tried else f'{agreement:.2f}'}"
        for part, agreement in explanation.reliability.items()
    )
    told = f"This explanation is {word}: two independent halves of its samples agree by {figure:.2f} of 1 ({parts})."
    return f"{word} {figure:.2f}".replace("-", "−"), told.replace("-", "−")


def fit_words(explanation: Explanation, *, below: float = GOOD_FIT) -> str:
    """Return a sentence where the weights account for too little of what hiding things changes (R²); else ""."""
    shares = explanation.modality_share
    fits = {"text": explanation.text_fit, "image": explanation.image_fit}
    poor = [
        f"{100 * max(fit, 0.0):.0f} % of the changes when {_HIDDEN[part]}"
        for part, fit in fits.items()
        if fit is not None and fit < below and shares.get(part, 1.0) >= WORTH_A_DOUBT
    ]
    return f"The weights account only for {' and '.join(poor)}: some things count together." if poor else ""


def apart(explanation: Explanation, verdict: Verdict | None) -> str:
    """Return a sentence where the explained probability is not that of the item's kept verdict; else ""."""
    before = verdict.probabilities.get(explanation.label) if verdict is not None else None
    if before is None or abs(before - explanation.probability) <= SAME:
        return ""
    return (
        f"This explains {explanation.probability:.0%}, the kept verdict says {before:.0%}: it was made of something"
        " else, such as the words without the screenshot."
    )


def _all_tried(explanation: Explanation, part: str) -> bool:
    """Whether a part's weights have no errors at all: all combinations of what it consists of were asked about."""
    own = explanation.tokens if part == "text" else explanation.segments
    return explanation.method == "lime" and bool(own) and all(one.error == 0.0 for one in own)


def weight_words(weight: float, error: float | None) -> str:
    """Return a weight with its standard error, and whether it may be nothing."""
    doubt = "" if is_clear(weight, error) or not weight else ", may be nothing"
    return f"{weight:+.3f}".replace("-", "−") + (f" ± {error:.3f}{doubt}" if error is not None else "")
