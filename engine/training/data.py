"""A run's items as tensors: token numbers, screenshots decoded once, targets."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models.batches import image_batch, text_batch
from engine.models.decoding import decode_ahead
from engine.models.images import prepare_capture
from engine.models.network import FusionNetwork, TextBatch
from engine.models.spec import NONE, HeadSpec, ImageSpec, NetworkSpec
from engine.models.text import model_text
from engine.models.tokenizer import TextTokenizer
from engine.training.answers import soft_targets
from engine.types import ItemContent, TrainingItem

_PART = 32


@dataclass(frozen=True)
class Inputs:
    """What the network sees of B items; `pixels` are those of the items with a screenshot only, in their order.

    `text` is None for a network without text. `with_image` (B,) says which items have a screenshot.
    """

    text: TextBatch | None
    pixels: Tensor
    with_image: Tensor

    def to(self, device: torch.device) -> Inputs:
        """Return the same on another device."""
        text = self.text
        if text is not None:
            text = TextBatch(ids=text.ids.to(device), mask=text.mask.to(device), present=text.present.to(device))
        return Inputs(text, self.pixels.to(device), self.with_image.to(device))


def logits_of(network: FusionNetwork, inputs: Inputs, tasks: Collection[str] | None = None) -> dict[str, Tensor]:
    """Return (B, L) logits per task. Only real screenshots pass the image backbone.

    A black stand-in for missing ones would cost time and shift the statistics of its batch normalisation. `tasks` names
    those whose logits matter (None: all): a cross-stitched network saves the others' work, and theirs mean nothing.
    """
    size = len(inputs.with_image)
    text = network.missing_text.expand(size, -1) if inputs.text is None else network.encode_text(inputs.text, tasks)
    image = network.missing_image.expand(size, -1)
    if len(inputs.pixels):
        vectors = _encode(network, inputs.pixels)
        image = image.to(vectors.dtype).index_put((inputs.with_image.nonzero().squeeze(1),), vectors)
    return network.fuse(text, image)


def _encode(network: FusionNetwork, pixels: Tensor) -> Tensor:
    if len(pixels) > 1 or not network.training:
        return network.encode_image(pixels)
    return network.encode_image(pixels.expand(2, -1, -1, -1))[:1]  # batch statistics of one value are undefined


class Captures:
    """Prepared screenshots by row: kept as bytes up to a limit, decoded anew beyond it.

    `unread` are the ids of items whose screenshot could not be used so far.
    """

    def __init__(self, contents: Sequence[ItemContent], spec: ImageSpec, limit: int) -> None:
        self._contents = contents
        self._spec = spec
        self._kept: dict[int, NDArray[np.uint8] | None] = {}
        self.unread: set[str] = set()
        self._room = limit // (3 * spec.size * spec.size)

    def decode(self, check: Callable[[], None]) -> None:
        """Decode what fits, in threads; `check` is called between parts and may raise to stop."""
        rows = [row for row, content in enumerate(self._contents) if content.capture is not None][: self._room]
        contents = [self._contents[row] for row in rows]
        numbers = iter(rows)
        for part in decode_ahead(contents, self._spec, _PART, unread=self._lose):
            check()
            self._kept.update({next(numbers): square for _, square in part})

    def take(self, rows: Sequence[int]) -> list[NDArray[np.uint8] | None]:
        """Return (S, S, 3) bytes for each row; None where there is no usable screenshot."""
        missing = [row for row in rows if row not in self._kept and self._contents[row].capture is not None]
        if not missing:
            return [self._kept.get(row) for row in rows]
        with ThreadPoolExecutor(len(missing[:8])) as pool:
            fresh = dict(
                zip(
                    missing,
                    pool.map(lambda row: prepare_capture(self._contents[row], self._spec), missing),
                    strict=True,
                )
            )
        for row, square in fresh.items():
            if square is None:
                self._lose(self._contents[row])
        return [fresh[row] if row in fresh else self._kept.get(row) for row in rows]

    def _lose(self, content: ItemContent) -> None:
        self.unread.add(content.id)


class Examples:
    """Items ready to be batched.

    `targets` holds per task (N, L) floats as `losses.Targets` says, with `soft` the shares of reviewers that
    `soft_targets` gives. `weights` (N,) says how much each row counts; all alike where it is left out.
    """

    def __init__(
        self,
        items: Sequence[TrainingItem],
        spec: NetworkSpec,
        tokenizer: TextTokenizer | None,
        *,
        cache_bytes: int,
        check: Callable[[], None],
        soft: bool = False,
        weights: Tensor | None = None,
    ) -> None:
        self._spec = spec
        self._weights = torch.ones(len(items)) if weights is None else weights
        self._pad = tokenizer.pad if tokenizer is not None else 0
        texts = [model_text(item.content) for item in items]
        self._ids = [array("i", ids) for ids in tokenizer.encode(texts)] if tokenizer is not None else []
        self._with_text = [bool(text.strip()) for text in texts]
        self._captures = Captures([item.content for item in items], spec.image, cache_bytes)
        if spec.image.backbone != NONE:
            self._captures.decode(check)
        make = soft_targets if soft else targets_of
        self.targets = {head.task: make(items, head) for head in spec.heads}
        self.count = len(items)

    @property
    def unread(self) -> set[str]:
        """The ids of items whose screenshot could not be used so far."""
        return self._captures.unread

    @property
    def lengths(self) -> list[int]:
        """How many tokens each row has; 0 for a network without text."""
        return [len(ids) for ids in self._ids] if self._ids else [0] * self.count

    def inputs(self, rows: Sequence[int], others: Mapping[int, Sequence[int]] = MappingProxyType({})) -> Inputs:
        """Return what the network sees of these rows.

        `others` are token numbers in place of a row's own, by its place among `rows`.
        """
        text = None
        if self._ids:
            ids = [others.get(place, self._ids[row]) for place, row in enumerate(rows)]
            text = text_batch(ids, [self._with_text[row] for row in rows], self._pad)
        squares: Sequence[NDArray[np.uint8] | None] = [None] * len(rows)
        if self._spec.image.backbone != NONE:
            squares = self._captures.take(rows)
        present = [square for square in squares if square is not None]
        images = image_batch(present, self._spec.image.size)
        return Inputs(text, images.pixels, torch.tensor([square is not None for square in squares]))

    def square(self, row: int) -> NDArray[np.uint8] | None:
        """Return a row's screenshot as (S, S, 3) bytes; None where there is no usable one."""
        return self._captures.take([row])[0] if self._spec.image.backbone != NONE else None

    def targets_at(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return the targets of these rows."""
        return {task: target[list(rows)] for task, target in self.targets.items()}

    def weights_at(self, rows: Sequence[int]) -> Tensor:
        """Return how much each of these rows counts, (B,)."""
        return self._weights[list(rows)]


def answered(targets: Mapping[str, Tensor]) -> set[str]:
    """Return the tasks to which at least one row has an answer."""
    return {task for task, target in targets.items() if not target.isnan().any(dim=1).all()}


def targets_of(items: Sequence[TrainingItem], head: HeadSpec) -> Tensor:
    """Return (N, L) floats: 1 for an item's labels, 0 for the others, NaN rows for items without an answer."""
    place = {label: column for column, label in enumerate(head.labels)}
    target = torch.full((len(items), len(head.labels)), float("nan"))
    for row, item in enumerate(items):
        answer = item.labels.get(head.task)
        if answer is not None:
            target[row] = 0
            target[row, [place[label] for label in answer]] = 1
    return target


def augment(pixels: Tensor, *, shift: float, brightness: float, generator: torch.Generator) -> Tensor:
    """Return (B, 3, S, S) pixels in [0, 1], each moved by up to `shift` of its side and made lighter or darker.

    The rim is repeated where a move uncovers something. Never mirrored: writing and layout have a direction.
    `brightness` is the largest change as a share of the value.
    """
    size = pixels.shape[-1]
    margin = round(shift * size)
    if margin and len(pixels):
        padded = torch.nn.functional.pad(pixels, (margin,) * 4, mode="replicate")
        moves = torch.randint(0, 2 * margin + 1, (len(pixels), 2), generator=generator).tolist()
        moved = [padded[row, :, y : y + size, x : x + size] for row, (y, x) in enumerate(moves)]
        pixels = torch.stack(moved).contiguous(memory_format=torch.channels_last)
    if brightness and len(pixels):
        factors = 1 + brightness * (2 * torch.rand(len(pixels), generator=generator) - 1)
        pixels = (pixels * factors.view(-1, 1, 1, 1).to(pixels.device)).clamp(0, 1)
    return pixels
