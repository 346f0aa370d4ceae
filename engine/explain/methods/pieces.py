"""From tokens to the words that people see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.models.located import Located


def token_shares(located: Located, places: Sequence[tuple[int, int, int]], words: int) -> Tensor:
    """(tokens, words) shares in [0, 1]: how much of each token stands for each word, by the characters they share.

    `places` are the feature, start and end of each occurrence of a word in the raw text. A token's shares add up to 1,
    or to 0 for one that stands for no word: a special token, or a comma.
    """
    spans = np.array(located.spans, dtype=np.int64)
    features, starts, ends = np.array(places, dtype=np.int64).reshape(-1, 3).T
    first, last = np.maximum(spans[:, :1], starts), np.minimum(spans[:, 1:], ends)
    shared = np.zeros((len(spans), words))
    np.add.at(shared.T, features, np.clip(last - first, 0, None).T)
    totals = shared.sum(axis=1, keepdims=True)
    return torch.from_numpy((shared / np.maximum(totals, 1)).astype(np.float32))
