"""From the normalised vectors of text and screenshot to logits: the feed-forward part, and late fusion.

Early fusion needs no more than a feed-forward over both vectors side by side. Late fusion is the baseline to compare it
with (decision-level fusion: Baltrušaitis et al. 2019, "Multimodal Machine Learning", section 6.1): each part judges by
itself, and the logits of the parts that an item has are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.models.spec import FusionSpec

ABSENT = -16384.0
"""Every number of the vector of a missing part in late fusion.

A power of two, so that it is the same in 16 and 32 bits, and far below what any backbone gives.
"""


def feed_forward(spec: FusionSpec, width: int) -> nn.Sequential:
    """Hidden layers over a vector of `width` numbers; empty where the spec names none."""
    layers: list[nn.Module] = []
    for hidden in spec.hidden:
        layers += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(spec.dropout)]
        width = hidden
    return nn.Sequential(*layers)


def marked(vectors: Tensor, absent: Tensor) -> Tensor:
    """(B, 1) bool: which of the (B, D) vectors stand for a missing part; all of them where D is 0."""
    return (vectors == absent.to(vectors.dtype)).all(dim=1, keepdim=True)


class LateFusion(nn.Module):
    """A feed-forward part for each modality; `widths` are the lengths of what they give.

    It takes both vectors side by side, zeros for a missing part, and gives what the feed-forward parts make of them,
    then a column for each part that says whether it is there (1) or not (0), for `LateHead`.
    """

    def __init__(self, spec: FusionSpec, features: tuple[int, int]) -> None:
        super().__init__()
        self._features = [width for width in features if width]
        self.parts = nn.ModuleList(feed_forward(spec, width) for width in self._features)
        self.widths = tuple(spec.hidden[-1] if spec.hidden else width for width in self._features)

    def forward(self, features: Tensor) -> Tensor:
        """(B, Dt + Di) to (B, sum of `widths` + number of parts)."""
        vectors = torch.split(features, self._features, dim=1)
        judged = [part(vector) for part, vector in zip(self.parts, vectors, strict=True)]
        there = [vector.ne(0).any(dim=1, keepdim=True).to(features.dtype) for vector in vectors]
        return torch.cat([*judged, *there], dim=1)


class LateHead(nn.Module):
    """A task's head in late fusion: the mean of the logits of those parts that are there; learned ones for neither."""

    def __init__(self, widths: Sequence[int], labels: int) -> None:
        super().__init__()
        self._widths = list(widths)
        self.votes = nn.ModuleList(nn.Linear(width, labels) for width in widths)
        self.neither = nn.Parameter(torch.zeros(labels))

    def forward(self, joint: Tensor) -> Tensor:
        """(B, sum of widths + number of parts) from `LateFusion` to (B, labels) logits."""
        *judged, there = torch.split(joint, [*self._widths, len(self._widths)], dim=1)
        votes = torch.stack([vote(part) for vote, part in zip(self.votes, judged, strict=True)], dim=1)
        count = there.sum(dim=1, keepdim=True)
        mean = (votes * there.unsqueeze(2)).sum(dim=1) / count.clamp(min=1)
        return torch.where(count > 0, mean, self.neither.to(mean.dtype))
