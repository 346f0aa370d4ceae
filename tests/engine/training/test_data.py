"""Items as tensors: screenshots decoded once, targets, gentle changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from engine.models.spec import HeadSpec, ImageSpec
from engine.training import data
from engine.training.data import Captures, augment, targets_of
from engine.types import ItemContent

if TYPE_CHECKING:
    from tests.engine.training.conftest import RunMaker

SPEC = ImageSpec(size=32)
SQUARE = 3 * 32 * 32


def nothing() -> None:
    """A check that never stops."""


@pytest.fixture
def contents(make_run: RunMaker) -> list[ItemContent]:
    return [item.content for item in make_run.items(12, captures=True)]


def test_captures_are_decoded_once(contents: list[ItemContent], monkeypatch: pytest.MonkeyPatch) -> None:
    captures = Captures(contents, SPEC, 100 * SQUARE)
    captures.decode(nothing)
    monkeypatch.setattr(data, "prepare_capture", lambda *_: pytest.fail("decoded again"))
    squares = captures.take(range(12))
    assert [square is None for square in squares] == [number % 5 == 0 for number in range(12)]


def test_beyond_the_limit_they_are_decoded_anew_and_are_the_same(contents: list[ItemContent]) -> None:
    kept, small = Captures(contents, SPEC, 100 * SQUARE), Captures(contents, SPEC, 4 * SQUARE + 5)
    kept.decode(nothing)
    small.decode(nothing)
    assert len(small._kept) == 4
    for one, other in zip(kept.take(range(12)), small.take(range(12)), strict=True):
        if one is None or other is None:
            assert one is other
        else:
            assert np.array_equal(one, other)


def test_decoding_can_be_stopped(contents: list[ItemContent]) -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Captures(contents, SPEC, 100 * SQUARE).decode(stop)


@pytest.mark.parametrize("room", [100 * SQUARE, 0])
def test_a_capture_that_is_gone_counts_as_none_and_is_told(contents: list[ItemContent], room: int) -> None:
    gone = ItemContent(id="x", kind="tweet", capture="/nowhere.png")
    captures = Captures([contents[0], gone, contents[1]], SPEC, room)
    captures.decode(nothing)
    first, lost, last = captures.take([0, 1, 2])
    assert (first, lost) == (None, None)
    assert last is not None
    assert captures.unread == {"x"}


def test_targets_tell_no_answer_from_no_label(make_run: RunMaker) -> None:
    head = HeadSpec(task="why", labels=("fire", "sun"), multi=True)
    target = targets_of(make_run.items(3), head)
    assert target[0].tolist() == [1.0, 0.0]
    assert target[1].isnan().all()
    assert target[2].tolist() == [0.0, 1.0]


def test_changes_to_screenshots_are_small_seeded_and_never_mirror() -> None:
    ramp = torch.linspace(0, 0.5, 40).expand(4, 3, 40, 40).contiguous()

    def changed(seed: int) -> torch.Tensor:
        return augment(ramp, shift=0.05, brightness=0.1, generator=torch.Generator().manual_seed(seed))

    once = changed(1)
    assert torch.equal(once, changed(1))
    assert not torch.equal(once, changed(2))
    assert bool((once.diff(dim=3) >= -1e-6).all())  # still rising from left to right
    assert float((once - ramp).abs().max()) <= 0.5 * 0.1 + 2 / 39 * 0.5 * 1.1 + 1e-6
    assert torch.equal(augment(ramp, shift=0, brightness=0, generator=torch.Generator()), ramp)
