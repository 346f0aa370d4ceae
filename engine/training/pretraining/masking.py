"""Which tokens are hidden, and what is put in their place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

HIDE, REPLACE = 0.8, 0.1
"""Shares of the chosen tokens that become the mask token and a random token; the rest stays as it is."""


@dataclass(frozen=True)
class Vocabulary:
    """Token numbers: `regular` (V,) are all but the special ones, `special` (S,) those, `mask` the mask token's."""

    size: int
    regular: Tensor
    special: Tensor
    mask: int

    @classmethod
    def of(cls, size: int, special: Iterable[int], mask: int) -> Vocabulary:
        """Return a vocabulary of `size` tokens."""
        odd = torch.tensor(sorted(set(special)))
        every = torch.arange(size)
        return cls(size, every[~torch.isin(every, odd)], odd, mask)


@dataclass(frozen=True)
class Masked:
    """A batch with hidden tokens: `ids` (B, T), `attention` (B, T) bool, `chosen` (B, T) bool with M true cells.

    `targets` (M,) are the true tokens at the chosen places, in row-major order.
    """

    ids: Tensor
    attention: Tensor
    chosen: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> Masked:
        """Return the same on another device."""
        parts = (self.ids, self.attention, self.chosen, self.targets)
        return Masked(*(part.to(device, non_blocking=True) for part in parts))


def hide(ids: Tensor, attention: Tensor, words: Vocabulary, share: float, generator: torch.Generator) -> Masked:
    """Choose tokens to be predicted and hide them; special tokens and padding are never chosen, one token always is.

    Of the chosen ones 80 % become the mask token, 10 % a random token, 10 % stay (Devlin et al. 2019, section 3.1). To
    be called anew whenever a text is seen: masking is dynamic (Liu et al. 2019, section 4.1).
    """
    usable = attention & ~torch.isin(ids, words.special)
    chosen = usable & (torch.rand(ids.shape, generator=generator) < share)
    if not chosen.any() and usable.any():
        places = usable.nonzero()
        row, column = places[int(torch.randint(len(places), (), generator=generator))]
        chosen[row, column] = True
    targets = ids[chosen]
    fate = torch.rand(len(targets), generator=generator)
    strangers = words.regular[torch.randint(len(words.regular), (len(targets),), generator=generator)]
    shown = torch.where(fate < HIDE, words.mask, torch.where(fate < HIDE + REPLACE, strangers, targets))
    return Masked(ids.masked_scatter(chosen, shown), attention, chosen, targets)
