from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine.training.active.core_set import Vectors, distances_to_nearest, k_centre_greedy


def cloud(count: int, seed: int, width: int = 3) -> Vectors:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def plain(points: Vectors, centres: Vectors, count: int) -> list[int]:
    """Algorithm 1 word for word: argmax over points of the least distance to any centre."""
    chosen: list[int] = []
    for _ in range(count):
        known = [*centres, *points[chosen]]
        left = [place for place in range(len(points)) if place not in chosen]
        chosen.append(max(left, key=lambda place: min(float(np.linalg.norm(points[place] - one)) for one in known)))
    return chosen


def radius(points: Vectors, centres: Vectors) -> float:
    return float(distances_to_nearest(points, centres).max())


def test_distances_agree_with_a_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    points, centres = cloud(40, 0), cloud(17, 1)
    monkeypatch.setattr("engine.training.active.core_set.BLOCK", 5)
    expected = np.linalg.norm(points[:, None] - centres[None], axis=2).min(axis=1)
    np.testing.assert_allclose(distances_to_nearest(points, centres), expected, atol=1e-5)
    assert np.isinf(distances_to_nearest(points, centres[:0])).all()


@pytest.mark.parametrize("seed", range(4))
def test_picks_are_those_of_the_published_algorithm(seed: int) -> None:
    points, centres = cloud(60, seed), cloud(5, 100 + seed)
    picked, reach = k_centre_greedy(points, centres, 12)
    assert picked == plain(points, centres, 12)
    assert reach == sorted(reach, reverse=True)
    assert reach[0] == pytest.approx(radius(points, centres), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_cover_is_at_most_twice_as_wide_as_the_best(seed: int) -> None:
    points, centres = cloud(11, seed, width=2), cloud(1, 50 + seed, width=2)
    picked, _ = k_centre_greedy(points, centres, 3)
    found = radius(points, np.vstack([centres, points[picked]]))
    best = min(
        radius(points, np.vstack([centres, points[list(some)]])) for some in itertools.combinations(range(11), 3)
    )
    assert best <= found <= 2 * best + 1e-6


def test_without_labelled_items_it_begins_in_the_middle() -> None:
    points = np.array([[10, 0], [-10, 0], [0.5, 0], [0, 9]], np.float32)
    picked, reach = k_centre_greedy(points, points[:0], 3)
    assert picked == [2, 1, 0]
    assert reach[0] == np.inf


def test_every_point_is_picked_once_even_if_all_are_alike() -> None:
    points = np.ones((5, 2), np.float32)
    picked, reach = k_centre_greedy(points, points[:1], 9)
    assert sorted(picked) == [0, 1, 2, 3, 4]
    assert reach == [0.0] * 5
    assert k_centre_greedy(points[:0], points, 3) == k_centre_greedy(points, points, 0) == ([], [])
