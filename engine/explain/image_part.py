"""A screenshot's superpixels as features of an explanation: one is hidden by a plain colour, its mean as in LIME.

Resizing is linear, so a perturbed input is made where it is small, in the model's square: `hidden + z * difference`,
where `z` says for every pixel whether its superpixel is kept. No full-size screenshot is ever copied or resized again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from engine.errors import InputError
from engine.explain.model import Question, Values
from engine.explain.superpixels import FLAT, Superpixels, grid_size, superpixels
from engine.explain.surrogate import Masks, image_masks
from engine.types import ItemContent, Segment, SegmentMap

CPU_BATCH, GPU_BATCH = 8, 64
"""How many inputs of 224 pixels a ResNet-18 sees before the next look at whether somebody else waits: 100 ms or so."""
MOST_CPU_BATCH = 16
COSTS = {"resnet34": 2.0, "resnet50": 2.3, "resnet101": 4.3}
"""Multiplications beside a ResNet-18's (He et al. 2016, table 1)."""
INVISIBLE = 1.5 / 255
"""A superpixel that differs from its mean colour by less than this looks the same when it is hidden."""


class ImagePart:
    """The superpixels of one screenshot. Those that look the same when hidden are no features: they weigh nothing."""

    def __init__(self, question: Question, pixels: npt.NDArray[np.float32], text_vector: Tensor) -> None:
        self._question = question
        self._text_vector = text_vector
        self.superpixels = cut(question.content)
        size = pixels.shape[-1]
        crop_top = int(question.model.card.network.get("image", {}).get("crop_top", 0))
        places = self.superpixels.at_model_size(size, crop_top)
        hidden = _fills(pixels, places, self.superpixels)[:, places]
        differs = np.zeros(self.superpixels.count)
        np.maximum.at(differs, places, np.abs(pixels - hidden).max(axis=0))
        self._active = np.flatnonzero(differs > INVISIBLE)
        self._places = torch.from_numpy(places.astype(np.int64))
        self._hidden = torch.from_numpy(hidden)
        self._difference = torch.from_numpy(pixels - hidden)
        self.features = len(self._active)

    def masks(self, samples: int, seed: int) -> Masks:
        """The design, (samples, features)."""
        return image_masks(samples, self.features, np.random.RandomState(seed))

    def perturbed(self, masks: Masks) -> Tensor:
        """The model's inputs, (n, 3, S, S), for n rows."""
        kept = torch.zeros((len(masks), self.superpixels.count))
        kept[:, self._active] = torch.from_numpy(masks.astype(np.float32))
        return self._hidden + kept[:, self._places][:, None] * self._difference

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        """Row numbers in small batches."""
        step = _batch_size(self._question, self._places.shape[-1])
        return (np.arange(start, min(start + step, len(masks))) for start in range(0, len(masks), step))

    def probabilities(self, masks: Masks) -> Values:
        """The explained label's probability for every row, the text being as it is."""
        return self._question.answer(self._text_vector, self._question.model.image_vectors(self.perturbed(masks)))

    def segments(self, weights: Sequence[float]) -> tuple[Segment, ...]:
        """Every superpixel with its weight; `weights` are those of the features."""
        every = np.zeros(self.superpixels.count)
        every[self._active] = weights
        return self.superpixels.segments(every)

    def segment_map(self) -> SegmentMap:
        """Where the superpixels are."""
        return self.superpixels.segment_map()


def cut(content: ItemContent) -> Superpixels:
    """The superpixels of an item's screenshot.

    Raises:
        InputError: the screenshot cannot be read any more.
    """
    assert content.capture is not None
    try:
        with Image.open(Path(content.capture), formats=["PNG"]) as image:
            width, height = image.size
            small = image.convert("RGB").resize(grid_size(width, height), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"The screenshot of item '{content.id}' cannot be read: {error}.", "Capture or import the item again."
        ) from error
    return superpixels(np.asarray(small, dtype=np.float64) / 255, width, height, content.regions)


def _batch_size(question: Question, size: int) -> int:
    if question.model.device_name.startswith("CUDA"):
        return GPU_BATCH
    cost = COSTS.get(question.model.card.network.get("image", {}).get("backbone", ""), 1.0)
    return min(MOST_CPU_BATCH, max(1, round(CPU_BATCH / cost * (224 / size) ** 2)))


def _fills(
    pixels: npt.NDArray[np.float32], places: npt.NDArray[np.int64], found: Superpixels
) -> npt.NDArray[np.float32]:
    """The colour that hides each superpixel, (3, superpixels): its mean.

    One that is mostly a single colour (a badge, a button, a coloured panel) cannot be hidden by its mean. The page's
    background is painted over it, where the page has one.
    """
    flat = places.ravel()
    sizes = np.maximum(np.bincount(flat, minlength=found.count), 1)
    fills = np.stack([np.bincount(flat, channel.ravel(), found.count) / sizes for channel in pixels])
    if found.background is not None and (places == found.background).any():
        page = fills[:, found.background].copy()
        for number in set(flat.tolist()) - {found.background}:
            own = pixels[:, places == number]
            colour = np.median(own, axis=1)
            plain = np.abs(own - colour[:, None]).max(axis=0) <= FLAT
            if plain.mean() > 0.5 and np.abs(colour - page).max() > FLAT:
                fills[:, number] = page
    return fills.astype(np.float32)
