"""Against the `lime` library itself, on the masks that it draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from lime.lime_image import LimeImageExplainer
from lime.lime_text import LimeTextExplainer
from PIL import Image

from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.perturbed import Perturbed
from engine.explain.sampling import asked
from engine.explain.surrogate import (
    IMAGE_KERNEL_WIDTH,
    TEXT_KERNEL_WIDTH,
    Masks,
    Regression,
    Surrogate,
    image_masks,
    text_masks,
)
from engine.explain.text_part import TextPart
from engine.explain.words import words_of
from engine.models.images import resampling

TEXT = "the glorp and the Glorp! of glorp village, Καλημέρα 🎉 @you #tag"


def ours(part: Any, masks: Masks, width: float) -> Surrogate:
    return Regression(masks, width).surrogate(asked(part, masks, lambda: None))


@pytest.mark.parametrize(("samples", "seed"), [(64, 0), (200, 3)])
def test_words_weigh_what_lime_text_says(fake: Any, make_item: Any, samples: int, seed: int) -> None:
    content = make_item(TEXT)
    image = fake.image_vectors(torch.from_numpy(fake.pixels(content))[None])

    def classify(texts: list[str]) -> npt.NDArray[np.float64]:
        answer: npt.NDArray[np.float64] = fake.probabilities(
            "toxicity", fake.text_vectors(texts), image.expand(len(texts), -1)
        )
        return answer

    explainer = LimeTextExplainer(
        random_state=seed,
        feature_selection="none",
        split_expression=lambda text: [word.text for word in words_of(text)],
    )
    theirs = explainer.explain_instance(TEXT, classify, labels=(0,), num_samples=samples)
    part = TextPart(Question.ask(fake, content, "toxicity", "toxic"), image)
    surrogate = ours(part, text_masks(samples, part.features, np.random.RandomState(seed)), TEXT_KERNEL_WIDTH)
    expected = dict(theirs.local_exp[0])
    assert surrogate.weights == pytest.approx([expected[feature] for feature in range(part.features)], abs=1e-6)
    assert surrogate.fit == pytest.approx(theirs.score, abs=1e-6)


@pytest.mark.parametrize(("samples", "seed"), [(64, 0), (200, 3)])
def test_superpixels_weigh_what_lime_image_says_of_the_whole_screenshot(
    make_fake: Any, make_item: Any, tmp_path: Path, samples: int, seed: int
) -> None:
    """The library hides superpixels of the full-size screenshot and has every hidden version resized."""
    model = make_fake(image=40.0)
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((250, 220), Image.Resampling.BICUBIC).save(tmp_path / "noise.png")
    content = make_item(capture=str(tmp_path / "noise.png"))
    pixels = model.pixels(content)
    text = model.text_vectors([content.text])
    question = Question.ask(model, content, "toxicity", "toxic")
    part = ImagePart(question, Perturbed(question, pixels, paint_plain=False), text)
    down, across = resampling(220, pixels.shape[-1]), resampling(250, pixels.shape[-1])

    def classify(images: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        squares = np.einsum("yh,nhwc,xw->ncyx", down, images, across, optimize=True)
        vectors = model.image_vectors(torch.from_numpy(squares))
        answer: npt.NDArray[np.float64] = model.probabilities("toxicity", text.expand(len(images), -1), vectors)
        return answer

    with Image.open(tmp_path / "noise.png") as image:
        screenshot = np.asarray(image) / 255
    explainer = LimeImageExplainer(random_state=seed, feature_selection="none")
    theirs = explainer.explain_instance(
        screenshot,
        classify,
        labels=(0,),
        top_labels=None,
        num_samples=samples,
        segmentation_fn=lambda _image: part.superpixels.over(250, 220),
        random_seed=0,
    )
    surrogate = ours(part, image_masks(samples, part.features, np.random.RandomState(seed)), IMAGE_KERNEL_WIDTH)
    expected = [weight for _, weight in sorted(theirs.local_exp[0])]
    assert part.features == part.superpixels.count == len(expected) > 20
    assert max(expected) > 0.005
    assert surrogate.weights == pytest.approx(expected, abs=1e-4)


def test_designs_keep_everything_first_and_hide_at_least_one_word() -> None:
    random = np.random.RandomState(1)
    for masks in (image_masks(50, 7, random), text_masks(50, 7, random)):
        assert masks.shape == (50, 7)
        assert masks[0].all()
    assert not text_masks(50, 7, random)[1:].all(axis=1).any()


def test_one_feature_weighs_the_difference_that_it_makes() -> None:
    masks = text_masks(64, 1, np.random.RandomState(0))
    assert masks.tolist() == [[True], [False]]
    assert Regression(masks, TEXT_KERNEL_WIDTH).surrogate(np.array([0.9, 0.2])).weights == pytest.approx((0.7,))
