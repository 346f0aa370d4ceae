from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.trust import LOW_FIT, apart, fit_words, looks_at, made, reliability, reliability_words, weight_words
from engine.types import Explanation, TokenWeight, Verdict


@pytest.fixture
def make_explanation() -> Callable[..., Explanation]:
    def make(**changes: Any) -> Explanation:
        return Explanation(item="one", task="toxicity", label="toxic", model="m1", probability=0.9, **changes)

    return make


def test_parts_count_by_their_share_of_the_evidence(make_explanation: Callable[..., Explanation]) -> None:
    both = {"image": 0.9, "text": 0.1}
    assert reliability(make_explanation(reliability=both, modality_share={"text": 0.25, "image": 0.75})) == (
        pytest.approx(0.7)
    )
    assert reliability(make_explanation(reliability=both, modality_share={"text": 0.0, "image": 1.0})) == 0.9
    assert reliability(make_explanation(reliability=both)) == 0.1
    assert reliability(make_explanation(reliability={"text": 0.4}, modality_share={"image": 1.0})) is None
    assert reliability(make_explanation()) is None


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (0.93, "reliable 0.93"),
        (0.696, "fairly reliable 0.70"),
        (0.75, "fairly reliable 0.75"),
        (0.41, "shaky 0.41"),
        (-0.2, "shaky −0.20"),
    ],
)
def test_reliability_has_a_word_and_a_number(
    make_explanation: Callable[..., Explanation], figure: float, words: str
) -> None:
    shown, told = reliability_words(make_explanation(reliability={"image": figure}))
    assert shown == words
    assert f"(screenshot {figure:.2f})".replace("-", "−") in told
    assert reliability_words(make_explanation()) == ("", "")


def test_where_all_combinations_were_tried_there_are_no_halves_to_agree(
    make_explanation: Callable[..., Explanation],
) -> None:
    tokens = tuple(
        TokenWeight(field="text", start=at, end=at + 1, text=str(at), weight=0.1, error=0.0) for at in range(2)
    )
    shown, told = reliability_words(make_explanation(tokens=tokens, reliability={"text": 1.0}))
    assert (shown, "halves" in told) == ("all tried", False)
    assert told.startswith("All combinations of its words were tried")
    both = make_explanation(tokens=tokens, reliability={"text": 1.0, "image": 0.8})
    assert "(words all tried, screenshot 0.80)" in reliability_words(both)[1]


def test_weights_that_tell_little_are_said_to(make_explanation: Callable[..., Explanation]) -> None:
    assert fit_words(make_explanation()) == ""
    assert fit_words(make_explanation(text_fit=0.71, image_fit=0.9)) == ""
    assert fit_words(make_explanation(text_fit=0.31), below=LOW_FIT) == ""
    assert "29 %" in fit_words(make_explanation(text_fit=0.29), below=LOW_FIT)
    assert fit_words(make_explanation(text_fit=0.591)) == (
        "The weights account only for 59 % of the changes when words are hidden: some things count together."
    )
    both = make_explanation(text_fit=0.5, image_fit=-0.1, modality_share={"text": 0.7, "image": 0.3})
    assert "50 % of the changes when words are hidden and 0 % of the changes when parts of the" in fit_words(both)
    assert fit_words(msgspec.structs.replace(both, modality_share={"text": 0.1, "image": 0.9})).count("%") == 1


def test_reliability_of_the_lesser_part_alone_is_not_the_explanations(
    make_explanation: Callable[..., Explanation],
) -> None:
    """Two words beside a screenshot: how well halves agree on two weights says nothing, and words may be most."""
    shares = {"text": 0.87, "image": 0.13}
    assert reliability(make_explanation(reliability={"image": 0.99}, modality_share=shares)) is None
    assert reliability(make_explanation(reliability={"text": 0.8}, modality_share=shares)) == pytest.approx(0.8)


def test_the_method_is_named_with_its_samples(make_explanation: Callable[..., Explanation]) -> None:
    assert made(make_explanation(samples=1200)) == "LIME, 1,200 samples"
    assert made(make_explanation(method="occlusion", samples=1)) == "Occlusion, 1 sample"
    assert made(make_explanation(method="gradcam", samples=0)) == "Grad-CAM"
    assert made(make_explanation(method="new", samples=0)) == "new"


@pytest.mark.parametrize(("kept", "told"), [(0.9, False), (0.885, False), (0.6, True), (None, False)])
def test_a_verdict_that_was_made_of_something_else_is_told(
    make_explanation: Callable[..., Explanation], kept: float | None, told: bool
) -> None:
    chances = {"toxic": kept, "non-toxic": 1 - kept} if kept is not None else {}
    said = {"item": "one", "task": "toxicity", "model": "m1", "label": "toxic", "labels": ("toxic",)}
    verdict = Verdict(**said, probability=0.5, probabilities=chances)  # type: ignore[arg-type]
    assert ("This explains 90%, the kept verdict says 60%" in apart(make_explanation(), verdict)) == told
    assert bool(apart(make_explanation(), verdict)) == told
    assert apart(make_explanation(), None) == ""


def test_what_an_explanation_looks_at_is_one_line(make_explanation: Callable[..., Explanation]) -> None:
    shares = {"text": 0.6, "image": 0.4}
    assert looks_at(make_explanation()) == ""
    assert looks_at(make_explanation(modality_share=shares)) == "Looks at words 60 %, screenshot 40 %"
    found = looks_at(make_explanation(modality_share=shares, region_share={"handle": 0.5, "elsewhere": 0.5}))
    assert found == "Looks at words 60 %, handle 20 %, page frame 20 %"
    found = looks_at(make_explanation(modality_share=shares, region_share={"handle": 0.1, "media": 0.9}))
    assert found == "Looks at words 60 %, media 36 %"


def test_a_weight_comes_with_its_error_where_one_is_known() -> None:
    assert weight_words(0.1234, None) == "+0.123"
    assert weight_words(-0.12, 0.01) == "−0.120 ± 0.010"
    assert weight_words(0.01, 0.02) == "+0.010 ± 0.020, may be nothing"
