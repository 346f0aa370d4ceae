"""The verdict as a smooth function of how much of each superpixel and word is shown, with gradients.

A superpixel is hidden by its change of the model's input (`engine.explain.hiding`), a word by the embedding of a token
that says nothing in the place of each of its tokens. Both are linear in how much is shown. So the gradient with respect
to that is gradient × input summed over the pixels of a superpixel, or over the tokens and numbers of a word, and its
integral from nothing to everything is integrated gradients summed in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.explain.halves import UNMOVED
from engine.explain.methods.parts import Parts, Values
from engine.explain.methods.pieces import token_shares
from engine.models.differentiable import Differentiable
from engine.models.located import Located

CPU_PIXELS, CPU_TOKENS = 4 * 224**2, 512
"""So much passes through the backbones at a time. Between two of their layers, 50 ms at most with a ResNet-18 and
MiniLM on two cores, one looks whether somebody asked to stop. Four times as much takes a tenth less time in all, and
140 ms for a layer.
"""
MOST_ROWS, GPU_ROWS = 32, 64

Change = tuple[slice, slice, Tensor]


class MaskedItem:
    """P(label), (n,), for (n, features) shares in [0, 1] of what is shown: superpixels first, then words.

    Words without tokens (beyond what the model reads) and parts that the network does not read make no difference.

    Raises:
        ModelUnavailableError: the network's gradients cannot be had.
    """

    def __init__(self, parts: Parts, network: Differentiable) -> None:
        self._parts, self._network = parts, network
        self._images, self._words = parts.image_features, parts.text_features
        self.features = self._images + self._words
        self._image = _Screenshot(parts, network) if self._images and network.image is not None else None
        located = network.locate(parts.question.model.text_of(parts.question.content))
        self._text = _Text(located, parts, network) if located is not None else None
        self._text_vector, self._image_vector = self._still()
        self._lowest, self._highest = np.inf, -np.inf

    @property
    def moved(self) -> bool:
        """Whether the probability was not the same wherever it was asked for."""
        return self._highest - self._lowest >= UNMOVED

    @property
    def note(self) -> str:
        """A sentence where the network reads only the beginning of the text, else nothing."""
        unread = self._text.unread if self._text is not None else 0
        if not unread or self._text is None:
            return ""
        return f"The model reads {self._text.limit} tokens, so the last {unread} words weigh nothing."

    @property
    def rows(self) -> int:
        """How many rows to ask about at a time."""
        if self._network.device.type != "cpu":
            return GPU_ROWS
        most = MOST_ROWS
        if self._image is not None:
            most = min(most, CPU_PIXELS // self._network.network.spec.image.size**2)
        if self._text is not None:
            most = min(most, CPU_TOKENS // len(self._text.ids))
        return max(1, most)

    def __call__(self, shown: Tensor) -> Tensor:
        """(n, features) to (n,), with gradients. Raises `CancelledError` where somebody asked to stop."""
        self._parts.check()
        network, question = self._network, self._parts.question
        shown = shown.to(network.device)
        text, image = self._text_vector, self._image_vector
        if self._image is not None:
            image = network.image_vectors(self._image.inputs(shown[:, : self._images]))
        if self._text is not None:
            embedded = self._text.embedded(shown[:, self._images :])
            text = network.text_vectors(self._text.ids, embedded, question.task)
        text, image = text.expand(len(shown), -1), image.expand(len(shown), -1)
        answers = network.probabilities(question.task, text, image)[:, question.column]
        self._lowest = min(self._lowest, answers.min().item())
        self._highest = max(self._highest, answers.max().item())
        return answers + 0 * shown.sum(dim=1)  # so that there is a gradient, zero, of what the network does not read

    def gradients(self, shown: Tensor) -> Tensor:
        """(n, features) gradients of the probability at (n, features) shares."""
        with torch.enable_grad():
            shown = shown.detach().clone().requires_grad_()
            (found,) = torch.autograd.grad(self(shown).sum(), shown)
        return found

    def split(self, weights: Values) -> tuple[Values, Values]:
        """(…, features) into those of superpixels and those of words."""
        return weights[..., : self._images], weights[..., self._images :]

    def _still(self) -> tuple[Tensor, Tensor]:
        """The vectors that stay where a part has nothing to be hidden."""
        network, pixels = self._network, self._parts.pixels
        text, image = (
            missing[None].detach() for missing in (network.network.missing_text, network.network.missing_image)
        )
        if pixels is not None and self._image is None:
            with torch.no_grad():
                image = network.image_vectors(torch.from_numpy(pixels)[None].to(network.device))
        return text, image


class _Screenshot:
    def __init__(self, parts: Parts, network: Differentiable) -> None:
        assert parts.image is not None
        seen, changes = parts.image.perturbed.hiding
        device = network.device
        self._seen = seen.to(device)
        self._changes: list[Change] = [(rows, columns, values.to(device)) for rows, columns, values in changes]

    def inputs(self, shown: Tensor) -> Tensor:
        """(n, superpixels) to (n, 3, S, S)."""
        inputs: Tensor = _Hidden.apply(shown, self._seen, self._changes)  # type: ignore[no-untyped-call]
        return inputs


class _Text:
    """Embeddings as a function of how much of each word is shown."""

    def __init__(self, located: Located, parts: Parts, network: Differentiable) -> None:
        self.ids, self.limit = torch.tensor(located.ids), located.limit
        places = parts.places()
        shares = token_shares(located, places, parts.text_features)
        last = max(end for _, end in located.spans)
        self.unread = sum(start >= last for _, start, _ in places) if located.full else 0
        self._shares = shares.to(network.device)
        self._seen = network.embeddings(self.ids)
        self._difference = self._seen - network.embeddings(torch.tensor([located.blank]))

    def embedded(self, shown: Tensor) -> Tensor:
        """(n, words) to (n, T, width)."""
        hidden = (1 - shown) @ self._shares.T
        return self._seen - hidden.unsqueeze(2) * self._difference


class _Hidden(torch.autograd.Function):
    """Takes changes away from an input in place. Its gradient is the sum of gradient × change over a change's pixels.

    Left to autograd, each of dozens of changes in place would copy the whole gradient.
    """

    @staticmethod
    def forward(ctx: Any, shown: Tensor, seen: Tensor, changes: Sequence[Change]) -> Tensor:
        """(n, superpixels) shares, (3, S, S) input."""
        ctx.changes = changes
        inputs = seen.repeat(len(shown), 1, 1, 1)
        for feature, (rows, columns, values) in enumerate(changes):
            inputs[:, :, rows, columns] -= (1 - shown[:, feature])[:, None, None, None] * values
        return inputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """(n, 3, S, S) to (n, superpixels)."""
        found = [
            (gradients[0][:, :, rows, columns] * values).sum(dim=(1, 2, 3)) for rows, columns, values in ctx.changes
        ]
        return torch.stack(found, dim=1), None, None
