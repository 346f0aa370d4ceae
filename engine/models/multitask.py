"""Text backbones for several tasks at once, trained from nothing: hard sharing, and the cross-stitched model.

Source: Sawhney et al. 2021, "Multitask Learning for Emotionally Analyzing Sexual Abuse Disclosures" (NAACL): one
encoder for all tasks, or a private one per task whose output is mixed with a shared one's. The mixing is that of
Rajamanickam et al. 2020, "Joint Modelling of Emotion and Abusive Language Detection", gated double encoder.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from engine.models.spec import HeadSpec, TextSpec


class BiLstm(nn.Module):
    """Stacked bidirectional LSTMs over texts of different lengths: (B, T, width) to (B, T, 2 × hidden).

    Each direction is a network of its own, and the backward one is given the text turned round, its padding still last.
    So neither ever reads padding before a token, and no packing is needed, which would halve the speed on a CPU. What
    comes out at padding means nothing. Dropout acts on what goes into each layer.
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [width, *[2 * hidden] * (layers - 1)]
        self.ahead = nn.ModuleList(nn.LSTM(each, hidden, batch_first=True) for each in widths)
        self.behind = nn.ModuleList(nn.LSTM(each, hidden, batch_first=True) for each in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, turned: Tensor) -> Tensor:
        """Encode `values`; `turned` (B, T) says for each place which one it swaps with when the text is turned."""
        for ahead, behind in zip(self.ahead, self.behind, strict=True):
            values = self.dropout(values)
            forwards, backwards = ahead(values)[0], behind(_taken(values, turned))[0]
            values = torch.cat([forwards, _taken(backwards, turned)], dim=2)
        return values


class HardSharing(nn.Module):
    """One stack of BiLSTMs for all tasks, its states reduced to their maximum over time (Conneau et al. 2017)."""

    def __init__(self, spec: TextSpec, vocabulary: int, pad: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, spec.width, padding_idx=pad)
        self.encoder = BiLstm(spec.width, spec.hidden, spec.layers, spec.dropout)
        self.features = 2 * spec.hidden

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token numbers and their mask to (B, features); padding never changes the answer."""
        return _maximum(self.encoder(self.embedding(ids), turned_round(mask)), mask)


class CrossStitch(nn.Module):
    """A shared stack of BiLSTMs and a private one per task, mixed by learned shares, then a BiLSTM decoder per task.

    Task k's decoder reads α_k × private states + (1 - α_k) × shared states, α_k in (0, 1) being learned (it starts at
    one half). The vector is the tasks' own vectors side by side, `width` numbers each, in the order of `heads`.
    """

    def __init__(self, spec: TextSpec, heads: Sequence[HeadSpec], vocabulary: int, pad: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, spec.width, padding_idx=pad)
        self.shared = BiLstm(spec.width, spec.hidden, spec.layers, spec.dropout)
        self.private = nn.ModuleList(BiLstm(spec.width, spec.hidden, spec.layers, spec.dropout) for _ in heads)
        self.decoders = nn.ModuleList(BiLstm(2 * spec.hidden, spec.hidden, 1, spec.dropout) for _ in heads)
        self.gates = nn.Parameter(torch.zeros(len(heads)))
        self.tasks = tuple(head.task for head in heads)
        self.width = 2 * spec.hidden
        self.features = self.width * len(heads)

    def norm(self) -> nn.Module:
        """A layer normalisation of each task's slice by itself, over (B, features) vectors."""
        return nn.GroupNorm(len(self.tasks), self.features)

    @property
    def private_shares(self) -> Tensor:
        """(K,) α of each task: how much of what its decoder reads is its own; the rest is shared."""
        return torch.sigmoid(self.gates)

    def forward(self, ids: Tensor, mask: Tensor, tasks: Collection[str] | None = None) -> Tensor:
        """(B, T) token numbers and their mask to (B, features); padding never changes the answer.

        Only the slices of `tasks` are computed (None: all), the others are zero: a batch of one task's items needs no
        other task's encoder.
        """
        embedded, turned = self.embedding(ids), turned_round(mask)
        shared = self.shared(embedded, turned)
        nothing = shared.new_zeros((len(ids), self.width))
        parts = [
            self._slice(place, embedded, shared, turned, mask) if tasks is None or task in tasks else nothing
            for place, task in enumerate(self.tasks)
        ]
        return torch.cat(parts, dim=1)

    def _slice(self, place: int, embedded: Tensor, shared: Tensor, turned: Tensor, mask: Tensor) -> Tensor:
        share = self.private_shares[place]
        mixed = share * self.private[place](embedded, turned) + (1 - share) * shared
        return _maximum(self.decoders[place](mixed, turned), mask)


class SlicedFusion(nn.Module):
    """Early fusion for a cross-stitched network: each task joins its own slice of the text vector to the image's.

    `parts` are the feed-forward networks of the tasks that are answered, `places` which slice each of them reads.
    """

    def __init__(self, parts: Sequence[nn.Module], text: CrossStitch, places: Sequence[int]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self._places = tuple(places)
        self._text, self._width = text.features, text.width

    def forward(self, joint: Tensor) -> Tensor:
        """(B, text + image) joint vectors to (B, tasks, hidden)."""
        slices, image = torch.split(joint[:, : self._text], self._width, dim=1), joint[:, self._text :]
        own = (torch.cat([slices[place], image], dim=1) for place in self._places)
        return torch.stack([part(vector) for part, vector in zip(self.parts, own, strict=True)], dim=1)


def turned_round(mask: Tensor) -> Tensor:
    """(B, T) mask, False for padding at the end, to (B, T) places: each text's tokens turned round, padding in place.

    It is its own inverse.
    """
    places = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    return torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - places, places)


def _taken(values: Tensor, places: Tensor) -> Tensor:
    return values.gather(1, places.unsqueeze(2).expand_as(values))


def _maximum(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask.unsqueeze(2), float("-inf")).amax(dim=1)
