from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.batching import batches_of_like_length, mixed_batches, steps_of


@given(count=st.integers(2, 400), size=st.integers(2, 40), epoch=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_every_row_is_dealt_once_and_no_batch_is_larger_than_asked(count: int, size: int, epoch: int) -> None:
    lengths = torch.randint(1, 60, (count,), generator=torch.Generator().manual_seed(count)).tolist()

    for batches in (
        mixed_batches(count, size, seed=3, epoch=epoch),
        batches_of_like_length(lengths, size, seed=3, epoch=epoch),
    ):
        assert sorted(row for batch in batches for row in batch) == list(range(count))
        assert len(batches) == steps_of(count, size)
        assert max(map(len, batches)) <= size
        assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_an_epoch_is_dealt_alike_when_asked_again_and_otherwise_the_next_time() -> None:
    lengths = list(range(200))

    first = batches_of_like_length(lengths, 8, seed=1, epoch=0)

    assert batches_of_like_length(lengths, 8, seed=1, epoch=0) == first
    assert batches_of_like_length(lengths, 8, seed=1, epoch=1) != first
    assert batches_of_like_length(lengths, 8, seed=2, epoch=0) != first


def test_batches_of_like_length_waste_far_less_on_padding() -> None:
    lengths = torch.randint(3, 90, (1000,), generator=torch.Generator().manual_seed(0)).tolist()

    def padded(batches: list[list[int]]) -> int:
        return sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)

    alike = padded(batches_of_like_length(lengths, 16, seed=0, epoch=0))
    mixed = padded(mixed_batches(1000, 16, seed=0, epoch=0))

    assert alike - sum(lengths) < 0.15 * (mixed - sum(lengths))


def test_the_order_of_batches_does_not_follow_their_length() -> None:
    batches = batches_of_like_length(list(range(640)), 10, seed=0, epoch=0)
    longest = [max(batch) for batch in batches]

    assert longest != sorted(longest)
