"""Where the evidence is: which share of it words and screenshot have, and each region of the page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from engine.evidence import is_clear
from engine.explain.image_part import ImagePart
from engine.explain.regions import region_share
from engine.types import ItemContent, Segment

Weighed = tuple[Sequence[float], Sequence[float] | None]
"""The weights of a part's features and their standard errors, None where they are exact or have none."""


def modality_share(superpixels: Weighed, words: Weighed) -> dict[str, float]:
    """The shares of "image" and "text" in the sum of absolute clear weights; empty where none is clear."""
    clear = {"image": _clear(*superpixels), "text": _clear(*words)}
    total = sum(clear.values())
    return {name: weight / total for name, weight in clear.items()} if total else {}


def region_shares(content: ItemContent, image: ImagePart | None, segments: Sequence[Segment]) -> dict[str, float]:
    """`engine.explain.regions.region_share` of an item's own regions; empty where it has no screenshot."""
    if image is None:
        return {}
    found = image.superpixels
    return region_share(segments, image.segment_map(), content.regions, found.width, found.height)


def _clear(weights: Sequence[float], errors: Sequence[float] | None) -> float:
    pairs = zip(weights, itertools.repeat(None) if errors is None else errors, strict=errors is not None)
    return sum(abs(weight) for weight, error in pairs if is_clear(weight, error))
