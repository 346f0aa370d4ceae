"""A screenshot's superpixels as features of an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from engine.explain.designs import MOST_LISTED, Design, folded, listed
from engine.explain.hiding import changes
from engine.explain.model import Question, Values
from engine.explain.sampling import Answer, in_batches
from engine.explain.screenshot import screenshot
from engine.explain.superpixels import Superpixels, grid_size, superpixels
from engine.explain.surrogate import Masks
from engine.models.spec import ImageSpec
from engine.models.workers import one_core
from engine.types import ItemContent, Segment, SegmentMap

CPU_BATCH, GPU_BATCH = 8, 64
"""How many inputs of 224 pixels a ResNet-18 sees before the next look at whether somebody else waits: 100 ms or so."""
MOST_CPU_BATCH = 16
PACKED_BATCH = 4
"""As many, but for each core, where each looks at a few at a time: with 16 a step took 0.2 s, and no less in all."""
COSTS = {"resnet34": 2.0, "resnet50": 2.3, "resnet101": 4.3}
"""Multiplications beside a ResNet-18's (He et al. 2016, table 1)."""


FIRST = 64
"""Samples before the first map: a whole block of the design where a screenshot has at most 32 superpixels."""


class ImagePart:
    """The superpixels of one screenshot. Those that look the same when hidden are no features: they weigh nothing.

    `visible` are the numbers of the segments that are features. For `paint_plain` see `engine.explain.hiding`;
    `superpixels` may come from elsewhere.

    Raises:
        InputError: the screenshot cannot be read any more.
    """

    first = FIRST

    def __init__(
        self,
        question: Question,
        pixels: npt.NDArray[np.float32],
        text_vector: Tensor,
        *,
        paint_plain: bool = True,
        superpixels: Superpixels | None = None,
    ) -> None:
        self._question = question
        self._text_vector = text_vector
        self._seen = torch.from_numpy(pixels)
        spec = msgspec.convert(question.model.card.network.get("image", {}), ImageSpec)
        spec = msgspec.structs.replace(spec, size=pixels.shape[-1])
        self.superpixels = superpixels or cut(question.content)
        found = changes(question.content, self.superpixels, spec, paint_plain=paint_plain)
        self._changes = [(change.rows, change.columns, torch.from_numpy(change.values)) for change in found]
        self.visible = tuple(change.segment for change in found)
        self.features = len(found)

    def design(self, samples: int, seed: int) -> Design:
        """Which superpixels to hide together, at most `samples` times."""
        if self.features <= MOST_LISTED:
            return listed(self.features)
        return folded(samples, self.features, np.random.RandomState(seed))

    def perturbed(self, masks: Masks) -> Tensor:
        """The model's inputs, (n, 3, S, S), for n rows."""
        inputs = self._seen.repeat(len(masks), 1, 1, 1)
        hidden = torch.from_numpy(~masks).to(inputs.dtype)[:, :, None, None, None]
        for feature, (rows, columns, values) in enumerate(self._changes):
            inputs[:, :, rows, columns].addcmul_(hidden[:, feature], values, value=-1)  # no gathering of rows
        return inputs

    @property
    def hiding(self) -> tuple[Tensor, list[tuple[slice, slice, Tensor]]]:
        """The unperturbed input, (3, S, S), and per feature the rows, columns and values that hiding it takes away."""
        return self._seen, self._changes

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in small batches."""
        step = _batch_size(self._question, self._seen.shape[-1])
        return (np.arange(start, min(start + step, len(masks))) for start in range(0, len(masks), step))

    def answers(self, masks: Masks, stops: Sequence[int]) -> Iterator[Answer]:
        """The vectors of the rows before the first stop."""
        return in_batches(self, masks[: stops[0]])

    def vectors(self, masks: Masks) -> Tensor:
        """What the image backbone gives of every row, (n, Di)."""
        with one_core():  # threads that are woken here go on looking for work when the network needs the cores
            inputs = self.perturbed(masks)
        return self._question.model.image_vectors(inputs)

    def probabilities(self, masks: Masks) -> Values:
        """The explained label's probability for every row, the text being as it is."""
        return self._question.answer(self._text_vector, self.vectors(masks))

    def segments(self, weights: Sequence[float], errors: Sequence[float]) -> tuple[Segment, ...]:
        """Every superpixel with its weight and error; those given are the features'."""
        every = np.zeros((2, self.superpixels.count))
        every[:, list(self.visible)] = weights, errors
        return self.superpixels.segments(*every)

    def segment_map(self) -> SegmentMap:
        """Where the superpixels are."""
        return self.superpixels.segment_map()


def cut(content: ItemContent) -> Superpixels:
    """The superpixels of an item's screenshot; raises `InputError` where it cannot be read."""
    image = screenshot(content)
    small = image.resize(grid_size(image.width, image.height), Image.Resampling.BOX)
    return superpixels(np.asarray(small, dtype=np.float64) / 255, image.width, image.height, content.regions)


def _batch_size(question: Question, size: int) -> int:
    if question.model.device_name.startswith("CUDA"):
        return GPU_BATCH
    cost = COSTS.get(question.model.card.network.get("image", {}).get("backbone", ""), 1.0) * (size / 224) ** 2
    if question.model.packs_images:
        return torch.get_num_threads() * min(MOST_CPU_BATCH, max(1, round(PACKED_BATCH / cost)))
    return min(MOST_CPU_BATCH, max(1, round(CPU_BATCH / cost)))
