from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import CancelledError, InputError, ModelUnavailableError, NotFoundError
from engine.evidence import is_clear, weighed_together
from engine.explain import explain, explain_steps, notes
from engine.explain.faithfulness.probe import Probe
from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.notes import as_a_whole
from engine.explain.perturbed import Perturbed
from engine.explain.sampling import asked
from engine.explain.text_part import TextPart
from engine.trust import reliability_words
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
    assert 16 + 32 <= found.samples <= 16 + 384  # four words have sixteen versions


def test_the_other_label_has_the_opposite_weights(fake: Any, make_item: Any) -> None:
    toxic = explain(fake, make_item(), "toxicity", "toxic")
    other = explain(fake, make_item(), "toxicity", "non-toxic")
    assert weights(other) == pytest.approx([-weight for weight in weights(toxic)], abs=1e-9)
    assert other.probability == pytest.approx(1 - toxic.probability)


def test_words_and_superpixels_are_on_one_scale(make_fake: Any, make_item: Any) -> None:
    """Of a model that hardly curves, both kinds of weights add up to what hiding everything of their kind makes."""
    model, item = make_fake(text=0.3, image=0.3), make_item()
    found = explain(model, item, "toxicity", "toxic")
    question = Question.ask(model, item, "toxicity", "toxic")
    text = model.text_vectors([item.text])
    image = model.image_vectors(torch.from_numpy(model.pixels(item))[None])
    parts = TextPart(question, image), ImagePart(question, Perturbed(question, model.pixels(item)), text)
    differences = [
        -np.diff(asked(part, np.array([[True] * part.features, [False] * part.features]), lambda: None))[0]
        for part in parts
    ]
    sums = [sum(token.weight for token in found.tokens), sum(segment.weight for segment in found.segments)]
    assert sums == pytest.approx(differences, rel=0.05)
    assert found.modality_share["text"] == pytest.approx(sums[0] / sum(sums), abs=0.1)
    assert sum(found.modality_share.values()) == pytest.approx(1)


def test_one_seed_gives_one_answer_and_another_seed_another(fake: Any, make_item: Any) -> None:
    item = make_item("one two glorp four five six seven eight")
    first, again, other = (explain(fake, item, "toxicity", "toxic", seed=seed) for seed in (7, 7, 8))
    assert msgspec.structs.replace(first, seconds=0) == msgspec.structs.replace(again, seconds=0)
    assert weights(other) != weights(first)
    assert other.seed == 8


def test_previews_come_first_and_get_better(fake: Any, make_item: Any) -> None:
    seen: list[Explanation] = []
    final = explain(fake, make_item("a b c d e f g glorp i j"), "toxicity", "toxic", emit=seen.append)
    assert [one.final for one in seen] == [*[False] * (len(seen) - 1), True]
    assert len(seen) > 1
    assert seen[-1] is final
    assert seen[0].samples == 64 + 64
    assert all(one.samples < better.samples for one, better in itertools.pairwise(seen))
    assert all(strongest(one) == "glorp" for one in seen)
    assert all(0 <= (one.text_fit or 0) <= 1 and 0 <= (one.image_fit or 0) <= 1 for one in seen)


def test_masking_one_part_never_reruns_the_other(fake: Any, make_item: Any) -> None:
    item = make_item("a b c d e f g glorp i j")
    found = explain(fake, item, "toxicity", "toxic", samples=96)
    assert found.samples == 96 + 96
    assert fake.images <= 1 + 96
    assert len(fake.texts) <= 1 + 96
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
    steps.close()
    assert fake.images <= 1 + 64


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
    assert model.images <= 1 + 64


@pytest.mark.parametrize("part", ["text", "image"])
def test_a_model_that_answers_no_numbers_is_named(make_fake: Any, make_item: Any, part: str) -> None:
    item = make_item() if part == "image" else make_item(capture=None)
    with pytest.raises(ModelUnavailableError, match="Model 'fake' gives no number for 'toxic'"):
        explain(make_fake(**{part: np.nan}), item, "toxicity", "toxic")


def test_a_constant_model_of_one_part_says_which(make_fake: Any, make_item: Any) -> None:
    assert_nothing(explain(make_fake(text=0), make_item(capture=None), "toxicity", "toxic"), "the words")
    assert_nothing(explain(make_fake(image=0), make_item(""), "toxicity", "toxic"), "the screenshot")


@pytest.mark.parametrize(("kind", "sentence"), [("text", "the words"), ("image", "the screenshot")])
def test_a_part_that_does_not_matter_is_said_to_be_so(make_fake: Any, make_item: Any, kind: str, sentence: str) -> None:
    found = explain(make_fake(**{"image": 8.0, kind: 0}), make_item(), "toxicity", "toxic")
    assert found.note == f"The verdict does not depend on {sentence}."
    assert any(weights(found))


def test_weights_that_change_little_are_said_to_be_slight(make_fake: Any, make_item: Any) -> None:
    """Colours and shares are relative: they look the same where hiding anything changes a verdict by a point or two."""
    slight = explain(make_fake(text=0.05, image=0), make_item(capture=None), "toxicity", "toxic")
    largest = max(abs(token.weight) for token in slight.tokens)
    assert 0 < largest < 0.02
    assert slight.note == f"No word changes the probability by more than {largest:.3f}."
    both = explain(make_fake(text=0.05, image=0.05), make_item(), "toxicity", "toxic")
    assert both.note.startswith("No word or part of the screenshot changes the probability by more than 0.0")
    assert not explain(make_fake(image=0), make_item(capture=None), "toxicity", "toxic").note


def test_an_item_with_nothing_in_it_has_nothing_to_explain(fake: Any, make_item: Any) -> None:
    found = explain(fake, make_item("…!", capture=None), "toxicity", "toxic")
    assert_nothing(found, "neither words nor a screenshot")
    assert (found.tokens, found.segments, found.segment_map, found.samples) == ((), (), None, 0)


def test_a_plain_screenshot_is_said_to_be_plain(fake: Any, make_item: Any, tmp_path: Any) -> None:
    Image.new("RGB", (80, 60), (90, 90, 90)).save(tmp_path / "grey.png")
    plain = str(tmp_path / "grey.png")
    found = explain(fake, make_item(capture=plain), "toxicity", "toxic")
    assert found.modality_share == {}
    assert found.note == "The screenshot is one plain colour, so only the words are explained."
    assert strongest(found) == "glorp"
    assert [segment.weight for segment in found.segments] == [0.0]
    assert_nothing(explain(fake, make_item("", capture=plain), "toxicity", "toxic"), "one plain colour")


def test_a_plain_screenshot_whose_colour_counts_is_said_to_count(fake: Any, make_item: Any, tmp_path: Any) -> None:
    """No share of the words is told beside it: the colour could not be weighed against them."""
    Image.new("RGB", (80, 60), (200, 10, 10)).save(tmp_path / "red.png")
    plain = str(tmp_path / "red.png")
    found = explain(fake, make_item(capture=plain), "toxicity", "toxic")
    assert found.note.endswith("only the words are explained. Without the screenshot the model says 73%, not 98%.")
    assert found.modality_share == {}
    alone = explain(fake, make_item("", capture=plain), "toxicity", "toxic").note
    assert alone.startswith("Nothing to explain: the screenshot is one plain colour and there are no words. Without")


def test_a_part_that_counts_only_as_a_whole_is_said_to_do_so(make_fake: Any, make_item: Any) -> None:
    """As an empty page does: it looks the same with pieces hidden, and its weights would make it seem unimportant."""
    model = make_fake(image=1e-4)
    model.missing_image = model.missing_image - 3e4
    found = explain(model, make_item(), "toxicity", "toxic")
    sentence = (
        "Without the screenshot the model says 12%, not 73%: it counts as a whole, which hiding pieces does not show."
    )
    assert found.note == sentence
    still = make_fake(image=0)
    ask = still.probabilities
    still.probabilities = lambda task, text, image: ask(task, text - 3.0 * (image == still.missing_image), image)
    still.missing_image = still.missing_image - 3e4
    silent = explain(still, make_item(), "toxicity", "toxic")
    assert silent.note.startswith("Without the screenshot the model says")
    assert not silent.modality_share["image"]


@pytest.mark.parametrize(
    ("without", "weights", "told"),
    [(0.02, 0.01, True), (0.02, -0.4, True), (0.02, 0.3, False), (0.75, 0.01, False), (1.0, 0.0, False)],
)
def test_a_whole_is_told_of_where_its_weights_do_not_account_for_it(
    without: float, weights: float, *, told: bool
) -> None:
    assert bool(as_a_whole("text", 0.89, without, weights)) is told


def unreadable(folder: Path, how: str) -> str:
    """A screenshot's path; the file is not what it should be."""
    path = folder / ("0" * 64 + ".png" if how == "swapped" else "page.png")
    if how == "cut short":
        path.write_bytes(path.read_bytes()[:200])
    elif how == "missing":
        path.unlink()
    elif how == "swapped":
        Image.new("RGB", (300, 240), "blue").save(path)
    else:
        Image.new("1", (14_000, 14_000)).save(path)
    return str(path)


@pytest.mark.parametrize("how", ["cut short", "missing", "swapped", "too many pixels"])
def test_an_item_is_never_explained_without_its_screenshot(fake: Any, make_item: Any, tmp_path: Path, how: str) -> None:
    """Its words alone would be another item's explanation, and it would be kept."""
    item = make_item(capture=unreadable(tmp_path, how))
    sentence = "its file is not the one that was imported" if how == "swapped" else ""
    told = rf"The screenshot of item 'one' cannot be read: {sentence}.*\. Import the item again\."
    with pytest.raises(InputError, match=told):
        explain(fake, item, "toxicity", "toxic")
    with pytest.raises(InputError, match="The screenshot of item 'one'"):
        Probe(fake, item, "toxicity", "toxic", lambda: False)


def test_a_single_word_weighs_the_difference_that_it_makes(fake: Any, make_item: Any) -> None:
    found = explain(fake, make_item("glorp", capture=None), "toxicity", "toxic")
    sigmoid = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))
    assert [token.weight for token in found.tokens] == pytest.approx([sigmoid[0] - sigmoid[1]], abs=1e-6)


def test_a_text_that_is_read_in_part_is_said_to_be(fake: Any, make_item: Any) -> None:
    fake.most_words = 7
    item = make_item("one two glorp four five six seven eight", capture=None)
    assert explain(fake, item, "toxicity", "toxic").note == notes.CUT
    fake.most_words = 8
    assert explain(fake, item, "toxicity", "toxic").note == ""


def test_a_very_long_text_is_explained_in_groups_of_words(fake: Any, make_item: Any) -> None:
    text = " ".join(f"w{number}" for number in range(2000)) + " glorp"
    found = explain(fake, make_item(text, capture=None), "toxicity", "toxic")
    assert len(found.tokens) == 2001
    assert np.isfinite(weights(found)).all()
    strong = [token.text for token in found.tokens if token.weight == max(weights(found))]
    assert "glorp" in strong
    assert len(strong) <= 32
    assert [token.group for token in found.tokens] == [number // 32 for number in range(2001)]
    assert len(weighed_together(found.tokens)) == 63
    assert found.note == "The text is long: its words are weighed in groups of 32."


def test_every_weight_has_an_error_and_each_part_its_reliability(fake: Any, make_item: Any) -> None:
    found = explain(fake, make_item("a b c d e f g glorp i j"), "toxicity", "toxic")
    errors = [token.error for token in found.tokens] + [segment.error for segment in found.segments]
    assert all(error is not None and 0 <= error < 0.1 for error in errors)
    assert set(found.reliability) == {"image", "text"}
    assert all(0.8 < value <= 1 for value in found.reliability.values())
    glorp = next(token for token in found.tokens if token.text == "glorp")
    assert is_clear(glorp.weight, glorp.error)
    assert sum(is_clear(token.weight, token.error) for token in found.tokens) <= 3


def test_all_versions_of_a_short_text_leave_nothing_to_chance(fake: Any, make_item: Any) -> None:
    first, second = (
        explain(fake, make_item("glorp it is", capture=None), "toxicity", "toxic", seed=seed) for seed in (0, 1)
    )
    assert weights(first) == weights(second)
    assert [token.error for token in first.tokens] == [0, 0, 0]
    assert first.reliability == {"text": 1}
    assert first.samples == 8
    assert reliability_words(first)[0] == "all tried"
    assert {token.group for token in first.tokens} == {None}


@pytest.mark.parametrize(("text", "told"), [("glorp it", False), ("glorp it is", False), ("glorp it is so", True)])
def test_the_agreement_of_few_words_is_no_evidence_beside_versions_drawn_by_chance(
    fake: Any, make_item: Any, text: str, told: bool
) -> None:
    found = explain(fake, make_item(text), "toxicity", "toxic")
    assert ("text" in found.reliability, "image" in found.reliability) == (told, True)
    assert reliability_words(found)[1].count("words") == told
    assert explain(fake, make_item(text, capture=None), "toxicity", "toxic").reliability == {"text": 1}


@pytest.mark.parametrize("samples", [16, 50, 200])
def test_the_number_of_samples_can_be_given(fake: Any, make_item: Any, samples: int) -> None:
    text = "a b c d e f g glorp i j"
    assert explain(fake, make_item(text, capture=None), "toxicity", "toxic", samples=samples).samples == samples


@pytest.mark.parametrize("given", [{"text": " ".join(f"w{n}" for n in range(20)), "capture": None}, {"text": ""}])
def test_many_samples_make_few_maps(fake: Any, make_item: Any, given: dict[str, Any]) -> None:
    seen: list[Explanation] = []
    fake.text_vectors = lambda texts: torch.tensor([[text.count("w7") / 2 + text.count("w1")] for text in texts])
    explain(fake, make_item(**given), "toxicity", "toxic", samples=3000, emit=seen.append)
    assert seen[-1].samples == 3000
    assert len(seen) < 25
    samples = [one.samples for one in seen]
    usual = [more - some for some, more in itertools.pairwise(samples) if 128 < some < 384]
    assert max(usual) <= 44


def test_too_few_samples_are_refused(fake: Any, make_item: Any) -> None:
    with pytest.raises(InputError, match="at least 16"):
        explain(fake, make_item(), "toxicity", "toxic", samples=15)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_what_is_no_seed_is_refused(fake: Any, make_item: Any, seed: int) -> None:
    with pytest.raises(InputError, match=f"{seed} is no seed. Take a number from 0"):
        explain(fake, make_item(), "toxicity", "toxic", seed=seed)


def test_the_evidence_is_shared_out_among_the_pages_regions(fake: Any, make_item: Any) -> None:
    regions = {"badge": ((20.0, 20.0, 60.0, 40.0),), "media": ((180.0, 130.0, 100.0, 90.0),)}
    found = explain(fake, make_item(regions=regions), "toxicity", "toxic")
    assert sum(found.region_share.values()) == pytest.approx(1)
    assert found.region_share["badge"] > 0.9


def test_a_model_that_answers_by_chance_shows_nothing_clear(fake: Any, make_item: Any) -> None:
    """Answers that hang on every letter at once: a random-looking map must not be taken for evidence."""

    def noise(texts: list[str]) -> torch.Tensor:
        drawn = [np.random.default_rng(list(text.encode())).normal() for text in texts]
        return torch.tensor(drawn, dtype=torch.float32)[:, None] / 10

    fake.text_vectors = noise
    item = make_item(" ".join("abcdefghijklmnop"), capture=None)
    found = [explain(fake, item, "toxicity", "toxic", seed=seed) for seed in range(6)]
    clear = [sum(is_clear(token.weight, token.error) for token in one.tokens) for one in found]
    assert max(clear) <= 3
    assert all("told from chance" in one.note for one, some in zip(found, clear, strict=True) if not some)
    assert abs(np.mean([one.reliability["text"] for one in found])) < 0.4
