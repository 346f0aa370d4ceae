"""Which versions of an item to ask about: designs that tell more about each feature than independent coin flips.

A fold-over design comes in pairs, a row and its complement: what two features (or four …) do only together cancels out
of the pair's difference (Box and Hunter 1961, "The 2^(k-p) fractional factorial designs, part I"). Pairs are what is
independent. Any number of pairs keeps every feature in half of the rows.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.linalg import hadamard

from engine.errors import InputError
from engine.explain.hadamard import Signs, smallest
from engine.explain.surrogate import Groups, Masks

LEAST_ORDER = 16
LEAST_HIDDEN = 0.3
"""Of the half that a row would hide, at least this share stays hidden in a row that hides less."""
MOST_LISTED = 6
"""So many features have at most 64 versions: all of them are asked about and nothing is left to chance."""
MOST_SEED = 2**32 - 1


def check_seed(seed: int) -> None:
    """Raise `InputError` for a seed that nothing can be drawn from."""
    if not 0 <= seed <= MOST_SEED:
        raise InputError(f"{seed} is no seed.", f"Take a number from 0 to {MOST_SEED:,}.")


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to ask about in their order, (samples, features), so that the first ones alone are a design as well.

    Rows with one number in `groups`, (samples,), were drawn together. `complete` says that these are all versions there
    are.
    """

    masks: Masks
    groups: Groups
    complete: bool = False


def coin_flips(masks: Masks) -> Design:
    """`masks` that were drawn one by one, such as the library's."""
    return Design(masks=masks, groups=np.arange(len(masks)))


def folded(samples: int, features: int, random: np.random.RandomState) -> Design:
    """Hide each feature in half of the rows: columns of Hadamard matrices and their complements (fold-over).

    Each block is a Hadamard matrix of an order that is not below `features`, with randomly chosen columns and signs
    and its rows in random order: within a block every feature's column is orthogonal to every other's, and no row is
    more likely than another, so that the weights are those of coin flips with fewer samples. A partial block is
    balanced, only not quite orthogonal.
    """
    matrix = hadamard(1 << (max(LEAST_ORDER, features) - 1).bit_length())
    blocks = [_block(matrix, features, random) for _ in range(-(-samples // (2 * len(matrix))))]
    return _paired(np.concatenate(blocks)[:samples])


def thinned(samples: int, features: int, random: np.random.RandomState) -> Design:
    """Pairs as in `folded`; past the first block one of a pair hides fewer, the other one more.

    Blocks are of the smallest matrix at hand, not only of a power of two, so that a whole one may be there much sooner.

    What the first block hides in half of the rows says most about each feature alone. How that changes where little or
    nearly everything is hidden, as in most of LIME's versions of a text, only other numbers of features can tell.
    """
    matrix = smallest(max(LEAST_ORDER, features))
    blocks = [_block(matrix, features, random) for _ in range(-(-samples // (2 * len(matrix))))]
    for block in blocks[1:]:
        pairs = len(matrix)
        share = (random.permutation(pairs) + random.random_sample(pairs)) / pairs * (1 - LEAST_HIDDEN) + LEAST_HIDDEN
        shown = random.random_sample((pairs, features)) >= share[:, None]
        block[::2] |= shown
        block[1::2] = ~block[::2]
    return _paired(np.concatenate(blocks)[:samples])


def first(design: Design, samples: int) -> Design:
    """Its first rows."""
    return msgspec.structs.replace(
        design,
        masks=design.masks[:samples],
        groups=design.groups[:samples],
        complete=design.complete and samples >= len(design.masks),
    )


def listed(features: int) -> Design:
    """Every version of at most `MOST_LISTED` features once; nothing is left to chance."""
    masks = (np.arange(2**features)[:, None] >> np.arange(features) & 1).astype(bool)
    return msgspec.structs.replace(coin_flips(masks), complete=True)


def _block(matrix: Signs, features: int, random: np.random.RandomState) -> Masks:
    order = len(matrix)
    signs = random.choice([-1, 1], features)
    half = matrix[random.permutation(order)][:, random.permutation(order)[:features]] * signs > 0
    return np.stack([half, ~half], axis=1).reshape(2 * order, features)


def _paired(masks: Masks) -> Design:
    return msgspec.structs.replace(coin_flips(masks), groups=np.arange(len(masks)) // 2)
