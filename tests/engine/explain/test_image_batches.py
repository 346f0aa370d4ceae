"""Screenshots are asked about in batches that a CPU gets through soon, however large they and the network are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.types import ItemContent


@pytest.mark.parametrize(
    ("device", "packs", "backbone", "size", "threads", "batch"),
    [
        ("CPU, 1 thread", False, "resnet18", 224, 1, 8),
        ("CPU, 1 thread", False, "resnet101", 224, 1, 2),
        ("CPU, 1 thread", False, "resnet18", 96, 1, 16),
        ("CPU, 1 thread", True, "resnet18", 224, 1, 4),
        ("CPU, 2 threads", True, "resnet18", 224, 2, 8),
        ("CPU, 2 threads", True, "resnet101", 224, 2, 2),
        ("CPU, 2 threads", True, "resnet18", 96, 2, 32),
        ("CUDA, some card", False, "resnet18", 224, 1, 64),
    ],
)
def test_batches_hold_every_row_once_and_as_many_as_they_may(
    make_fake: Callable[..., Any],
    make_item: Callable[..., ItemContent],
    device: str,
    packs: bool,
    backbone: str,
    size: int,
    threads: int,
    batch: int,
) -> None:
    model = make_fake()
    model.card = msgspec.structs.replace(model.card, network={"image": {"backbone": backbone}})
    model.device_name, model.packs_images = device, packs
    question = Question.ask(model, make_item(""), "toxicity", "toxic")
    part = ImagePart(question, np.zeros((3, size, size), np.float32), torch.zeros(1, 1))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = list(part.batches(np.zeros((100, part.features), bool)))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(np.concatenate(parts), np.arange(100))
    assert [len(rows) for rows in parts[:-1]] == [batch] * (99 // batch)
