"""A screenshot's superpixels as features of an explanation."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np
import numpy.typing as npt
from torch import Tensor

from engine.explain.designs import MOST_LISTED, Design, folded, listed
from engine.explain.model import Question, Values
from engine.explain.perturbed import Perturbed
from engine.explain.sampling import Answer, in_batches
from engine.explain.surrogate import Masks
from engine.models.bulk.resnet import AT_ONCE
from engine.types import Segment, SegmentMap

CPU_BATCH, GPU_BATCH = 8, 64
"""How many inputs of 224 pixels a ResNet-18 sees before the next look at whether somebody else waits: 100 ms or so."""
MOST_CPU_BATCH = 16
PACKED_BATCH = AT_ONCE
"""As many, but for each core, where each looks at so many at a time: always whole runs of its graph."""
COSTS = {"resnet34": 2.0, "resnet50": 2.3, "resnet101": 4.3}
"""Multiplications beside a ResNet-18's (He et al. 2016, table 1)."""


FIRST = 64
"""Samples before the first map: a whole block of the design where a screenshot has at most 32 superpixels."""


class ImagePart:
    """The superpixels of one screenshot. Those that look the same when hidden are no features: they weigh nothing.

    `visible` are the numbers of those that are features.
    """

    first = FIRST

    def __init__(self, question: Question, perturbed: Perturbed, text_vector: Tensor) -> None:
        self._question, self.perturbed, self._text_vector = question, perturbed, text_vector
        self.superpixels, self.visible = perturbed.superpixels, perturbed.visible
        self.features = len(self.visible)

    def design(self, samples: int, seed: int) -> Design:
        """Which superpixels to hide together, at most `samples` times."""
        if self.features <= MOST_LISTED:
            return listed(self.features)
        return folded(samples, self.features, np.random.RandomState(seed))

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in small batches."""
        step = _batch_size(self._question, self.perturbed.size)
        return (np.arange(start, min(start + step, len(masks))) for start in range(0, len(masks), step))

    def answers(self, masks: Masks, stops: Sequence[int]) -> Generator[Answer, None, None]:
        """The vectors of the rows before the first stop; of those before the last one where each core looks at its own
        screenshots: then some of the next rows are under way whenever this is asked.
        """
        if not self._question.model.packs_images:
            yield from in_batches(self, masks[: stops[0]])
            return
        numbers = list(self.batches(masks[: stops[-1]]))
        made = (partial(self.perturbed.squares, masks[rows]) for rows in numbers)
        with closing(self._question.model.square_vectors_in_turn(made)) as in_turn:
            rest = iter(numbers)
            for found in in_turn:
                yield None if found is None else (next(rest), found)

    def vectors(self, masks: Masks) -> Tensor:
        """What the image backbone gives of every row, (n, Di)."""
        return self._question.model.image_vectors(self.perturbed.inputs(masks))

    def answer(self, vectors: Tensor) -> Values:
        """The explained label's probability, (n,), for (n, Di) vectors, the text being as it is."""
        return self._question.answer(self._text_vector, vectors)

    def segments(self, weights: Sequence[float], errors: Sequence[float]) -> tuple[Segment, ...]:
        """Every superpixel with its weight and error; those given are the features'."""
        every = np.zeros((2, self.superpixels.count))
        every[:, list(self.visible)] = weights, errors
        return self.superpixels.segments(*every)

    def segment_map(self) -> SegmentMap:
        """Where the superpixels are."""
        return self.superpixels.segment_map()


def _batch_size(question: Question, size: int) -> int:
    if question.model.device_name.startswith("CUDA"):
        return GPU_BATCH
    cost = COSTS.get(question.model.card.network.get("image", {}).get("backbone", ""), 1.0) * (size / 224) ** 2
    if question.model.packs_images:
        return min(MOST_CPU_BATCH, PACKED_BATCH * max(1, round(1 / cost)))
    return min(MOST_CPU_BATCH, max(1, round(CPU_BATCH / cost)))
