from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from captum.attr import Saliency

from engine.explain.methods import explain_by
from engine.explain.methods.gradients import averaged


def runs(whole: Any, samples: int | None, seed: int) -> list[Any]:
    return list(averaged(whole, samples, seed))


def test_one_sample_is_captums_gradient_times_change(
    make_predictor: Any, parts_of: Any, masked: Any, item: Any
) -> None:
    item = msgspec.structs.replace(item, text="")
    predictor = make_predictor()
    parts, network = parts_of(predictor, item), predictor.loaded.network
    count = parts.image_features
    seen = parts.image.perturbed.inputs(np.ones((1, count), dtype=bool))

    def probability(pixels: torch.Tensor) -> torch.Tensor:
        logits = network.fuse(network.missing_text.expand(len(pixels), -1), network.encode_image(pixels))
        answers: torch.Tensor = (logits["toxicity"] / 1.7).softmax(1)[:, 0]
        return answers

    slopes = Saliency(probability).attribute(seen.requires_grad_(), abs=False)
    changes = seen - parts.image.perturbed.inputs(~np.eye(count, dtype=bool))
    expected = (changes * slopes).sum(dim=(1, 2, 3)).detach().numpy()
    (found,) = runs(masked(predictor, item), 1, 0)
    np.testing.assert_allclose(found.image, expected, atol=1e-5)
    assert found.errors == {}
    assert found.samples == 1


def test_the_mean_of_many_masks_is_the_mean_of_their_gradients(make_predictor: Any, masked: Any, item: Any) -> None:
    whole = masked(make_predictor("bert-tiny"), item)
    asked: list[torch.Tensor] = []
    gradients = whole.gradients

    def noted(shown: torch.Tensor) -> Any:
        asked.append(shown)
        return gradients(shown)

    whole.gradients = noted
    found = runs(whole, 12, 3)[-1]
    masks = torch.cat(asked)
    assert len(masks) == found.samples == 12
    torch.testing.assert_close(masks[::2] + masks[1::2], torch.ones(6, whole.features))
    each = np.concatenate([gradients(row[None]).numpy() for row in masks]).astype(np.float64)
    pairs = (each[::2] + each[1::2]) / 2
    mine = np.concatenate([found.image, found.text])
    errors = np.concatenate([found.errors["image"], found.errors["text"]])
    np.testing.assert_allclose(mine, pairs.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(errors, np.sqrt(((pairs - pairs.mean(axis=0)) ** 2).sum(axis=0) / 5 / 6), atol=1e-6)
    halves = pairs[::2].mean(axis=0), pairs[1::2].mean(axis=0)
    words = found.text.size
    assert found.reliability["text"] == pytest.approx(np.corrcoef(*(half[-words:] for half in halves))[0, 1], abs=1e-3)


@pytest.mark.parametrize(("text", "told"), [("cheap silver watches", set()), ("cheap silver watches now", {"text"})])
def test_the_agreement_of_few_words_is_not_told(
    make_predictor: Any, masked: Any, item: Any, text: str, told: set[str]
) -> None:
    whole = masked(make_predictor(), msgspec.structs.replace(item, text=text, capture=None))
    assert all(run.reliability.keys() == told for run in runs(whole, None, 1))


def test_standard_errors_are_the_spread_over_seeds(make_predictor: Any, masked: Any, item: Any) -> None:
    whole = masked(make_predictor(), msgspec.structs.replace(item, capture=None))
    found = [runs(whole, 16, seed)[-1] for seed in range(24)]
    spread = np.std([run.text for run in found], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([run.errors["text"] ** 2 for run in found], axis=0))
    moving = spread > 1e-4
    assert moving.any()
    ratio = claimed[moving] / spread[moving]
    assert 0.6 < np.median(ratio) < 1.6


def test_it_stops_when_stable_and_shows_previews(make_predictor: Any, item: Any) -> None:
    seen: list[Any] = []
    found = explain_by("gradient", make_predictor(), item, "toxicity", "toxic", emit=seen.append)
    assert seen[-1] == found
    assert found.final
    assert not any(one.final for one in seen[:-1])
    assert [one.samples for one in seen] == [16, 32, 64, 128][: len(seen)]
    every: list[Any] = [*found.tokens, *found.segments]
    largest = max(abs(one.weight) for one in every)
    worst = max(one.error for one in every)
    assert worst <= 0.1 * largest or found.samples == 128


def test_one_seed_gives_one_answer(make_predictor: Any, item: Any) -> None:
    first, again, other = (
        explain_by("gradient", make_predictor(), item, "toxicity", "toxic", seed=seed, samples=8) for seed in (5, 5, 6)
    )
    assert msgspec.structs.replace(first, seconds=0) == msgspec.structs.replace(again, seconds=0)
    assert first.tokens != other.tokens
