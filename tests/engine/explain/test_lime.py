from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import CancelledError, NotFoundError
from engine.explain import explain, explain_steps
from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.text_part import TextPart
from engine.types import Explanation


def strongest(explanation: Explanation) -> str:
    return max(explanation.tokens, key=lambda token: token.weight).text


def weights(explanation: Explanation) -> list[float]:
    return [token.weight for token in explanation.tokens] + [segment.weight for segment in explanation.segments]


def assert_nothing(explanation: Explanation, *words: str) -> None:
    """No weights, no not-a-number, and a sentence with these words."""
    assert explanation.final
    assert not any(weights(explanation))
    assert math.isfinite(explanation.probability)
    assert explanation.note.startswith("Nothing to explain: ")
    for word in words:
        assert word in explanation.note


def test_the_word_and_the_patch_that_decide_weigh_most(fake: Any, make_item: Any) -> None:
    found = explain(fake, make_item(), "toxicity", "toxic")
    assert strongest(found) == "glorp"
    left, top, width, height = max(found.segments, key=lambda segment: segment.weight).box
    assert 15 <= left < left + width <= 85
    assert 15 <= top < top + height <= 65
    assert found.segment_map is not None
    assert (found.final, found.note, found.method) == (True, "", "lime")
    assert found.samples == 256 + 256


def test_the_other_label_has_the_opposite_weights(fake: Any, make_item: Any) -> None:
    toxic = explain(fake, make_item(), "toxicity", "toxic")
    other = explain(fake, make_item(), "toxicity", "non-toxic")
    assert weights(other) == pytest.approx([-weight for weight in weights(toxic)], abs=1e-9)
    assert other.probability == pytest.approx(1 - toxic.probability)


def test_words_and_superpixels_are_on_one_scale(make_fake: Any, make_item: Any) -> None:
    """Both kinds of weights add up to the change of probability that hiding everything of their kind makes."""
    model, item = make_fake(text=1.0, image=1.0), make_item()
    found = explain(model, item, "toxicity", "toxic")
    question = Question.ask(model, item, "toxicity", "toxic")
    text = model.text_vectors([item.text])
    image = model.image_vectors(torch.from_numpy(model.pixels(item))[None])
    parts = TextPart(question, image), ImagePart(question, model.pixels(item), text)
    differences = [
        -np.diff(part.probabilities(np.array([[True] * part.features, [False] * part.features])))[0] for part in parts
    ]
    assert sum(token.weight for token in found.tokens) == pytest.approx(differences[0], rel=0.1)
    assert sum(segment.weight for segment in found.segments) == pytest.approx(differences[1], rel=0.1)


def test_one_seed_gives_one_answer_and_another_seed_another(fake: Any, make_item: Any) -> None:
    item = make_item("one two glorp four five six seven eight")
    first, again, other = (explain(fake, item, "toxicity", "toxic", seed=seed) for seed in (7, 7, 8))
    assert msgspec.structs.replace(first, seconds=0) == msgspec.structs.replace(again, seconds=0)
    assert weights(other) != weights(first)
    assert other.seed == 8


def test_previews_come_first_and_get_better(fake: Any, make_item: Any) -> None:
    seen: list[Explanation] = []
    final = explain(fake, make_item("a b c d e f g glorp i j"), "toxicity", "toxic", emit=seen.append)
    assert [one.final for one in seen] == [False, False, True]
    assert seen[-1] is final
    assert [one.samples for one in seen] == [64 + 48, 256 + 128, 256 + 256]
    assert all(strongest(one) == "glorp" for one in seen)
    assert all(0 <= (one.text_fit or 0) <= 1 and 0 <= (one.image_fit or 0) <= 1 for one in seen)


def test_masking_one_part_never_reruns_the_other(fake: Any, make_item: Any) -> None:
    item = make_item("a b c d e f g glorp i j")
    explain(fake, item, "toxicity", "toxic")
    assert fake.images == 1 + 256
    assert len(fake.texts) <= 1 + 256
    assert len(set(fake.texts[1:])) == len(fake.texts[1:])


def test_a_short_text_is_asked_about_every_version_once(fake: Any, make_item: Any) -> None:
    explain(fake, make_item("glorp it is", capture=None), "toxicity", "toxic")
    assert sorted(fake.texts[1:]) == sorted(
        ["glorp it is", "glorp it ", "glorp  is", " it is", "glorp  ", " it ", "  is", "  "]
    )


def test_every_occurrence_of_a_word_is_marked_and_hidden_together(fake: Any, make_item: Any) -> None:
    found = explain(fake, make_item("glorp here, glorp there", capture=None), "toxicity", "toxic")
    marked = [token for token in found.tokens if token.text == "glorp"]
    assert [token.start for token in marked] == [0, 12]
    assert marked[0].weight == marked[1].weight > 0.2


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Καλημέρα, glorp", "Τι κάνεις; e\u0301tude 🎉 @you #tag https://shop.example/x."),
        ("", "مرحبا glorp بالعالم"),
        ("glorp title", ""),
        ("   ", "glorp after a blank title"),
        ("glorp", "glorp"),
    ],
)
def test_offsets_are_those_of_the_raw_fields(fake: Any, make_item: Any, title: str, text: str) -> None:
    found = explain(fake, make_item(text, title=title, capture=None), "toxicity", "toxic")
    fields = {"title": title, "text": text}
    assert found.tokens
    for token in found.tokens:
        assert fields[token.field][token.start : token.end] == token.text
    assert strongest(found) == "glorp"


def test_cancelling_ends_it_within_a_batch(fake: Any, make_item: Any) -> None:
    with pytest.raises(CancelledError):
        explain(fake, make_item(), "toxicity", "toxic", cancelled=lambda: fake.images >= 17)
    assert 17 <= fake.images <= 17 + 16


def test_steps_are_small_and_may_be_left_at_any_time(fake: Any, make_item: Any) -> None:
    steps = explain_steps(fake, make_item(), "toxicity", "toxic")
    before = 0
    for step in steps:
        assert fake.images - before <= 17
        before = fake.images
        if step is not None:
            break
    steps.close()  # type: ignore[attr-defined]
    assert fake.images < 60


def test_a_large_network_is_asked_in_smaller_batches(fake: Any, make_item: Any) -> None:
    network = {"image": {"backbone": "resnet101"}}
    fake.card = msgspec.structs.replace(fake.card, network=network)
    seen = [fake.images for _step in explain_steps(fake, make_item(""), "toxicity", "toxic")]
    assert max(np.diff(seen)) == round(8 / 4.3 * (224 / 96) ** 2)


@pytest.mark.parametrize(
    ("task", "label", "hint"),
    [("toxicity", "toxik", "Did you mean 'toxic'?"), ("toxicty", "toxic", "Did you mean 'toxicity'?")],
)
def test_what_the_model_does_not_know_is_named(fake: Any, make_item: Any, task: str, label: str, hint: str) -> None:
    with pytest.raises(NotFoundError, match="fake") as raised:
        explain(fake, make_item(), task, label)
    assert hint in str(raised.value)


def test_a_constant_model_has_nothing_to_explain(make_fake: Any, make_item: Any) -> None:
    model = make_fake(text=0, image=0)
    assert_nothing(explain(model, make_item(), "toxicity", "toxic"), "the words or the screenshot")
    assert model.images < 60


def test_a_constant_model_of_one_part_says_which(make_fake: Any, make_item: Any) -> None:
    assert_nothing(explain(make_fake(text=0), make_item(capture=None), "toxicity", "toxic"), "the words")
    assert_nothing(explain(make_fake(image=0), make_item(""), "toxicity", "toxic"), "the screenshot")


@pytest.mark.parametrize(("kind", "sentence"), [("text", "the words"), ("image", "the screenshot")])
def test_a_part_that_does_not_matter_is_said_to_be_so(make_fake: Any, make_item: Any, kind: str, sentence: str) -> None:
    found = explain(make_fake(**{kind: 0}), make_item(), "toxicity", "toxic")
    assert found.note == f"The verdict does not depend on {sentence}."
    assert any(weights(found))


def test_an_item_with_nothing_in_it_has_nothing_to_explain(fake: Any, make_item: Any) -> None:
    found = explain(fake, make_item("…!", capture=None), "toxicity", "toxic")
    assert_nothing(found, "neither words nor a screenshot")
    assert (found.tokens, found.segments, found.segment_map, found.samples) == ((), (), None, 0)


def test_a_plain_screenshot_is_said_to_be_plain(fake: Any, make_item: Any, tmp_path: Any) -> None:
    Image.new("RGB", (80, 60), (200, 10, 10)).save(tmp_path / "red.png")
    plain = str(tmp_path / "red.png")
    found = explain(fake, make_item(capture=plain), "toxicity", "toxic")
    assert found.note == "The screenshot is one plain colour, so only the words are explained."
    assert strongest(found) == "glorp"
    assert [segment.weight for segment in found.segments] == [0.0]
    assert_nothing(explain(fake, make_item("", capture=plain), "toxicity", "toxic"), "one plain colour")


def test_a_single_word_weighs_the_difference_that_it_makes(fake: Any, make_item: Any) -> None:
    found = explain(fake, make_item("glorp", capture=None), "toxicity", "toxic")
    sigmoid = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))
    assert [token.weight for token in found.tokens] == pytest.approx([sigmoid[0] - sigmoid[1]], abs=1e-6)


def test_a_very_long_text_is_explained_too(fake: Any, make_item: Any) -> None:
    text = " ".join(f"w{number}" for number in range(2000)) + " glorp"
    found = explain(fake, make_item(text, capture=None), "toxicity", "toxic")
    assert len(found.tokens) == 2001
    assert np.isfinite(weights(found)).all()
    assert strongest(found) == "glorp"
