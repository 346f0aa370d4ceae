"""Screenshots are asked about in batches that a CPU gets through soon, however large they and the network are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from engine.explain import explain_steps
from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.perturbed import Perturbed
from engine.explain.sampling import Sampler
from engine.types import ItemContent


@pytest.fixture
def packing(make_fake: Callable[..., Any]) -> Any:
    """A model that looks at a few screenshots at a time on each core; `begun` counts those that it began with."""

    class Packing(make_fake):  # type: ignore[misc, valid-type]
        begun = 0

        def square_vectors_in_turn(self, parts: Any) -> Generator[torch.Tensor | None, None, None]:
            ahead = deque[torch.Tensor]()
            for part in super().square_vectors_in_turn(parts):
                self.begun += len(part)
                ahead.append(part)
                yield None
                if len(ahead) > 2:
                    yield ahead.popleft()
            yield from ahead

    model = Packing()
    model.packs_images = True
    return model


@pytest.fixture
def part(packing: Any, make_item: Callable[..., ItemContent]) -> ImagePart:
    item = make_item("")
    question = Question.ask(packing, item, "toxicity", "toxic")
    return ImagePart(question, Perturbed(question, packing.pixels(item)), torch.zeros(1, 1))


def test_bytes_say_what_floats_say_to_half_a_step(part: ImagePart) -> None:
    masks = np.random.default_rng(0).random((40, part.features)) < 0.5
    of_bytes = np.stack(part.perturbed.squares(masks)).astype(np.float32)
    of_floats = part.perturbed.inputs(masks).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(of_bytes - of_floats.clip(0, 255)).max() <= 0.5001
    rows, vectors = zip(*(answer for answer in part.answers(masks, [40]) if answer is not None), strict=True)
    assert np.array_equal(np.concatenate(rows), np.arange(40))
    torch.testing.assert_close(torch.cat(vectors), part.vectors(masks), atol=0.003, rtol=0)


def test_the_next_screenshots_are_looked_at_while_a_map_is_made(part: ImagePart, packing: Any) -> None:
    sampler = Sampler(part, part.design(256, 0))
    list(sampler.extend(64))
    assert packing.begun == 64
    list(sampler.extend(96, ahead=256))
    assert 96 < packing.begun < 160
    assert sampler.samples == 96
    list(sampler.extend(128, ahead=256))
    assert 128 < packing.begun < 192
    sampler.close()
    list(sampler.extend(128))
    assert packing.begun < 192


def test_whoever_stops_an_explanation_lets_go_of_what_is_under_way(
    packing: Any, make_item: Callable[..., ItemContent]
) -> None:
    steps = explain_steps(packing, make_item(""), "toxicity", "toxic", samples=256)
    maps = (step for step in steps if step is not None)
    assert [next(maps).samples, next(maps).samples] == [64, 96]
    begun = packing.begun
    steps.close()
    assert packing.begun == begun
    assert next(maps, None) is None


@pytest.mark.parametrize(
    ("device", "packs", "backbone", "size", "batch"),
    [
        ("CPU, 1 thread", False, "resnet18", 224, 8),
        ("CPU, 1 thread", False, "resnet101", 224, 2),
        ("CPU, 1 thread", False, "resnet18", 96, 16),
        ("CPU, 2 threads", True, "resnet18", 224, 4),
        ("CPU, 2 threads", True, "resnet18", 192, 4),
        ("CPU, 2 threads", True, "resnet18", 160, 8),
        ("CPU, 2 threads", True, "resnet101", 224, 4),
        ("CPU, 2 threads", True, "resnet18", 96, 16),
        ("CUDA, some card", False, "resnet18", 224, 64),
    ],
)
def test_batches_hold_every_row_once_and_as_many_as_they_may(
    make_fake: Callable[..., Any],
    make_item: Callable[..., ItemContent],
    device: str,
    packs: bool,
    backbone: str,
    size: int,
    batch: int,
) -> None:
    model = make_fake()
    model.card = msgspec.structs.replace(model.card, network={"image": {"backbone": backbone}})
    model.device_name, model.packs_images = device, packs
    question = Question.ask(model, make_item(""), "toxicity", "toxic")
    part = ImagePart(question, Perturbed(question, np.zeros((3, size, size), np.float32)), torch.zeros(1, 1))
    parts = list(part.batches(np.zeros((100, part.features), bool)))
    assert np.array_equal(np.concatenate(parts), np.arange(100))
    assert [len(rows) for rows in parts[:-1]] == [batch] * (99 // batch)
