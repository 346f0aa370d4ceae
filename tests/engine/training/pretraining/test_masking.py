"""Hiding tokens: the shares of Devlin et al. 2019, and what may never be hidden."""

from __future__ import annotations

import pytest
import torch

from engine.training.pretraining.masking import Vocabulary, hide

WORDS = Vocabulary.of(1000, (0, 1, 2, 3, 4), mask=4)


def _batch(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random words between 0 and 2, the last third of every other row padding (1)."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 1000, (rows, columns), generator=generator)
    ids[:, 0] = 0
    attention = torch.ones_like(ids, dtype=torch.bool)
    attention[::2, 2 * columns // 3 :] = False
    ids[~attention] = 1
    return ids, attention


def test_shares_are_those_of_the_paper() -> None:
    ids, attention = _batch(400, 60)
    masked = hide(ids, attention, WORDS, 0.15, torch.Generator().manual_seed(1))
    shown = masked.ids[masked.chosen]
    usable = int((attention & (ids > 4)).sum())
    n = len(masked.targets)
    assert n / usable == pytest.approx(0.15, abs=0.01)
    hidden, same = (shown == 4).double().mean().item(), (shown == masked.targets).double().mean().item()
    assert hidden == pytest.approx(0.8, abs=0.03)
    assert same == pytest.approx(0.1, abs=0.03)
    strangers = shown[(shown != 4) & (shown != masked.targets)]
    assert strangers.min() > 4
    assert len(set(strangers.tolist())) > 50


def test_only_words_are_hidden_and_the_rest_is_untouched() -> None:
    ids, attention = _batch(40, 30)
    masked = hide(ids, attention, WORDS, 0.5, torch.Generator().manual_seed(1))
    assert not masked.chosen[~attention].any()
    assert not masked.chosen[ids <= 4].any()
    assert torch.equal(masked.ids[~masked.chosen], ids[~masked.chosen])
    assert torch.equal(masked.targets, ids[masked.chosen])


def test_masking_is_dynamic_and_repeatable() -> None:
    ids, attention = _batch(8, 30)
    first, again, other = (hide(ids, attention, WORDS, 0.15, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.ids, again.ids)
    assert not torch.equal(first.chosen, other.chosen)


def test_one_token_is_always_hidden() -> None:
    ids, attention = torch.tensor([[0, 7, 2]]), torch.ones(1, 3, dtype=torch.bool)
    for seed in range(20):
        masked = hide(ids, attention, WORDS, 0.01, torch.Generator().manual_seed(seed))
        assert masked.chosen.tolist() == [[False, True, False]]
