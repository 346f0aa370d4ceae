"""Signatures estimate similarity, and what is alike meets in a bucket."""

from __future__ import annotations

import numpy as np
import pytest

from engine.similarity import minhash
from engine.similarity.text import Shingles, jaccard


def overlapping(shared: int, own: int, seed: int) -> tuple[Shingles, Shingles]:
    """Two sets of random values with `shared` in common and `own` more each."""
    values = np.random.default_rng(seed).integers(1 << 63, size=shared + 2 * own, dtype=np.uint64)
    return np.unique(values[: shared + own]), np.unique(np.concatenate([values[:shared], values[shared + own :]]))


@pytest.mark.parametrize(("shared", "own"), [(10, 90), (50, 50), (80, 10), (95, 3)])
def test_the_share_of_equal_places_estimates_the_similarity(shared: int, own: int) -> None:
    pairs = [overlapping(shared, own, seed) for seed in range(40)]
    found = minhash.signatures([one for pair in pairs for one in pair])
    places = np.arange(80).reshape(-1, 2)
    true = jaccard(*pairs[0])
    deviation = np.sqrt(true * (1 - true) / (40 * 128))
    assert minhash.agreement(found, places).mean() == pytest.approx(true, abs=4 * deviation)


def test_every_alike_pair_is_a_candidate_and_unlike_ones_are_rare() -> None:
    alike = [one for seed in range(200) for one in overlapping(80, 10, seed)]
    found = minhash.candidates(minhash.signatures(alike))
    wanted = {(2 * number, 2 * number + 1) for number in range(200)}
    got = {(int(one), int(other)) for one, other in found}
    assert wanted <= got
    assert len(got - wanted) < 20


def test_a_crowd_of_equal_sets_gives_few_pairs_that_hang_together() -> None:
    crowd = [np.arange(1, 50, dtype=np.uint64)] * 500
    pairs = minhash.candidates(minhash.signatures(crowd))
    assert len(pairs) < 1_000
    assert {(place, place + 1) for place in range(499)} <= {(int(one), int(other)) for one, other in pairs}


def test_nothing_at_all_is_no_trouble() -> None:
    assert minhash.candidates(minhash.signatures([])).shape == (0, 2)
