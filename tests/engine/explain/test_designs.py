from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.explain.designs import LEAST_HIDDEN, first, folded, listed, thinned


@given(samples=st.integers(2, 200), features=st.integers(2, 70), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_every_row_is_followed_by_its_complement(samples: int, features: int, seed: int) -> None:
    design = folded(samples, features, np.random.RandomState(seed))
    assert design.masks.shape == (samples, features)
    whole = samples // 2 * 2
    np.testing.assert_array_equal(design.masks[0:whole:2], ~design.masks[1:whole:2])
    assert design.groups.tolist() == [row // 2 for row in range(samples)]
    assert not design.complete


@pytest.mark.parametrize("pairs", [1, 7, 16, 50])
def test_any_number_of_pairs_hides_every_feature_in_half_of_the_rows(pairs: int) -> None:
    masks = folded(200, 25, np.random.RandomState(1)).masks[: 2 * pairs]
    assert masks.sum(axis=0).tolist() == [pairs] * 25


@pytest.mark.parametrize(("features", "block"), [(7, 32), (16, 32), (17, 64), (32, 64), (33, 128)])
def test_the_columns_of_a_block_are_orthogonal(features: int, block: int) -> None:
    signs = folded(2 * block, features, np.random.RandomState(4)).masks * 2 - 1
    for part in (signs[:block], signs[block:]):
        np.testing.assert_array_equal(part.T @ part, block * np.eye(features))
    assert (signs[:block] != signs[block:]).any()


@pytest.mark.parametrize(("features", "block"), [(7, 32), (17, 40), (37, 80), (41, 88), (64, 128)])
def test_the_first_block_of_a_thinned_design_is_orthogonal_and_no_larger_than_it_must_be(
    features: int, block: int
) -> None:
    masks = thinned(2 * block, features, np.random.RandomState(4)).masks
    np.testing.assert_array_equal(masks[::2], ~masks[1::2])
    signs = masks * 2 - 1
    np.testing.assert_array_equal(signs[:block].T @ signs[:block], block * np.eye(features))
    hidden = features - masks[block::2].sum(axis=1)
    assert (2 * hidden < features).mean() > 0.7  # what comes after it hides fewer words


def test_another_seed_draws_other_rows_and_the_same_seed_the_same() -> None:
    one, again, other = (folded(64, 12, np.random.RandomState(seed)).masks for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_more_samples_begin_with_the_same_rows() -> None:
    few, many = (folded(samples, 12, np.random.RandomState(1)) for samples in (64, 192))
    np.testing.assert_array_equal(first(many, 64).masks, few.masks)
    np.testing.assert_array_equal(first(many, 64).groups, few.groups)


def test_every_version_is_as_likely_as_any_other() -> None:
    """Pooled over seeds, any three columns show all eight patterns equally often."""
    masks = np.concatenate([folded(32, 6, np.random.RandomState(seed)).masks for seed in range(300)])
    patterns = np.bincount(masks[:, :3] @ np.array([1, 2, 4]), minlength=8) / len(masks)
    np.testing.assert_allclose(patterns, 1 / 8, atol=0.012)


@pytest.mark.parametrize("features", [1, 2, 6])
def test_few_features_are_listed_in_full(features: int) -> None:
    design = listed(features)
    assert len({tuple(row) for row in design.masks.tolist()}) == 2**features == len(design.masks)
    assert design.complete
    assert not first(design, len(design.masks) - 1).complete


def test_a_thinned_design_begins_with_a_folded_block_and_goes_on_with_all_numbers_of_features() -> None:
    features, block = 25, 64
    design = thinned(400, features, np.random.RandomState(3))
    first_block = design.masks[:block] * 2 - 1
    np.testing.assert_array_equal(first_block.T @ first_block, block * np.eye(features))
    np.testing.assert_array_equal(design.masks[::2], ~design.masks[1::2])
    assert design.groups.tolist() == [row // 2 for row in range(400)]
    hidden = features - design.masks[block::2].sum(axis=1)
    assert hidden.min() < LEAST_HIDDEN * features
    assert hidden.mean() < 0.4 * features
    signs = design.masks[block:] * 2.0 - 1
    assert np.linalg.cond(signs.T @ signs) < 20
