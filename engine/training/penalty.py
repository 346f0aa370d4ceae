"""A penalty on what reviewers crossed out: the verdict is not to change with it.

Ross, Hughes and Doshi-Velez 2017, "Right for the right reasons: training differentiable models by constraining their
explanations", equation 1, second term: the squared gradient of the summed log-probabilities by the input, inside the
mask of what is no reason. A screenshot's input are its pixels in [0, 1], a word's the embeddings of its tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import log_softmax, logsigmoid

from engine.models.backbones import HuggingFaceEncoder
from engine.models.network import FusionNetwork, TextBatch
from engine.models.text import model_text
from engine.models.tokenizer import TextTokenizer
from engine.training.crossed_out import CrossedOutParts
from engine.training.data import Inputs
from engine.types import TrainingItem


@dataclass
class Watched:
    """What a network was shown: pixels as they came, and the (B, T, D) embeddings of the texts, where it had any."""

    inputs: Inputs
    embedded: list[Tensor] = field(default_factory=list)


class Penalty:
    """The penalty for the items of which `parts` are crossed out, in the same order."""

    def __init__(
        self,
        items: Sequence[TrainingItem],
        parts: CrossedOutParts,
        network: FusionNetwork,
        tokenizer: TextTokenizer | None,
        weight: float,
    ) -> None:
        self._parts = parts
        self._network = network
        self._weight = weight
        self._tokens = (
            {} if tokenizer is None else {row: _tokens(items[row], parts, row, tokenizer) for row in parts.words}
        )

    @contextmanager
    def watching(self, inputs: Inputs) -> Iterator[Watched]:
        """Keep what the gradient is to be taken by, while the network looks at these inputs."""
        watched = Watched(inputs)
        inputs.pixels.requires_grad_(bool(len(inputs.pixels)))

        def keep(_: nn.Module, __: object, output: Tensor) -> Tensor:
            watched.embedded.append(output if output.requires_grad else output.requires_grad_())
            return output

        table = _table(self._network.text) if inputs.text is not None else None
        handle = table.register_forward_hook(keep) if table is not None else None
        try:
            # the fused kernels of attention and of recurrent layers have no second gradient
            with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
                yield watched
        finally:
            if handle is not None:
                handle.remove()

    def of(self, rows: Sequence[int], watched: Watched, logits: Mapping[str, Tensor]) -> Tensor | float:
        """Return the weighted penalty summed over these rows; 0 where nothing of them is crossed out."""
        pixels, words = self._pixel_mask(rows, watched.inputs), self._word_mask(rows, watched.inputs.text)
        pairs = [(watched.inputs.pixels, pixels)] if pixels is not None else []
        pairs += [(embedded, words) for embedded in watched.embedded[:1] if words is not None]
        if not pairs:
            return 0.0
        marked = [place for place, row in enumerate(rows) if row in self._parts.cells or row in self._tokens]
        summed = torch.stack([self._sureness(task, logits[task][marked]) for task in logits]).sum()
        given = [one for one, _ in pairs]
        gradients = torch.autograd.grad(summed, given, create_graph=True, allow_unused=True, materialize_grads=True)
        found = [(gradient.float() * mask).square().sum() for gradient, (_, mask) in zip(gradients, pairs, strict=True)]
        return self._weight * torch.stack(found).sum()

    def _sureness(self, task: str, logits: Tensor) -> Tensor:
        """Return the log-probabilities of all answers, summed over items and labels."""
        head = next(one for one in self._network.spec.heads if one.task == task)
        logits = logits.float()
        return (logsigmoid(logits) + logsigmoid(-logits)).sum() if head.multi else log_softmax(logits, dim=1).sum()

    def _pixel_mask(self, rows: Sequence[int], inputs: Inputs) -> Tensor | None:
        """Return (n, 1, S, S) ones where the screenshots' pixels are crossed out; None where none is."""
        numbers = inputs.with_image.nonzero().squeeze(1).tolist()
        mask = torch.zeros((len(inputs.pixels), 1, *inputs.pixels.shape[2:]))
        for number, place in enumerate(numbers):
            for left, top, right, bottom in self._parts.cells.get(rows[place], ()):
                mask[number, :, top:bottom, left:right] = 1
        return mask.to(inputs.pixels.device) if mask.any() else None

    def _word_mask(self, rows: Sequence[int], text: TextBatch | None) -> Tensor | None:
        """Return (B, T, 1) ones where tokens are crossed out; texts that were changed have none. None where none is."""
        if text is None:
            return None
        mask = torch.zeros((*text.ids.shape, 1))
        for place, row in enumerate(rows):
            ids, crossed = self._tokens.get(row, ((), ()))
            if ids and text.ids[place, : len(ids)].tolist() == list(ids):
                mask[place, list(crossed)] = 1
        return mask.to(text.ids.device) if mask.any() else None


def _tokens(
    item: TrainingItem, parts: CrossedOutParts, row: int, tokenizer: TextTokenizer
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the item's token numbers, and which of them stand for crossed-out characters."""
    located = tokenizer.locate(model_text(item.content))
    crossed = [
        number
        for number, (start, end) in enumerate(located.spans)
        if any(start < last and first < end for first, last in parts.words[row])
    ]
    return located.ids, tuple(crossed)


def _table(text: nn.Module | None) -> nn.Module | None:
    """Return the layer that turns token numbers into embeddings."""
    if isinstance(text, HuggingFaceEncoder):
        table: nn.Module = text.encoder.get_input_embeddings()
        return table
    return text.get_submodule("embedding") if text is not None else None
