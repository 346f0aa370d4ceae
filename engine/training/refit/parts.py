"""What reviewers crossed out, in a refit: further rows to learn from, and held-out items without it, as vectors.

A training step draws anew what is hidden and planted; a refit has each once and for all, so that its vectors are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.models.predictor import Predictor
from engine.models.spec import NONE
from engine.models.text import model_text
from engine.models.vector_store import parts_of
from engine.training.job import Job
from engine.training.parts_hidden import to_compare
from engine.training.splits import TEST, TRAIN, VAL, Splits
from engine.training.versions import Others, Version, hidden, planted_versions
from engine.types import Mark

AT_ONCE = 16
PLANTED_WEIGHT = 1.0
"""What a version with a planted part weighs; an item as it is weighs 1."""
REGIONS_STAY = (
    "Regions were hidden only in the items they were crossed out of; a full training hides them elsewhere too."
)


@dataclass(frozen=True)
class Vectors:
    """(n, Dt) and (n, Di) vectors of items, before fusion."""

    text: Tensor
    image: Tensor

    def at(self, rows: Sequence[int]) -> Vectors:
        """Return those of some rows."""
        return Vectors(self.text[rows], self.image[rows])

    def and_then(self, other: Vectors) -> Vectors:
        """Return these and then those of further rows."""
        return Vectors(torch.cat([self.text, other.text]), torch.cat([self.image, other.image]))


@dataclass(frozen=True)
class Versions:
    """What a refit looks at beside the items as they are.

    `learned` are further training rows, each weighing `weights`; `shares` says by id what an item itself still weighs
    where a version stands for the rest of it. `held_out` are held-out items with parts hidden.
    """

    learned: tuple[Version, ...] = ()
    weights: tuple[float, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    held_out: tuple[Version, ...] = ()

    @property
    def all(self) -> tuple[Version, ...]:
        """All of them: first those that are learned from."""
        return (*self.learned, *self.held_out)


def versions_of(job: Job, splits: Splits, champion: Predictor) -> Versions:
    """Return what a job's crossed-out parts ask for; empty where there are none.

    Of held-out items the crossed-out parts are hidden, and the same words wherever they stand. To find the same regions
    all screenshots would have to be read; that is left to a full training.
    """
    told = [item for item in job.items if item.crossed_out]
    if not told:
        return Versions()
    settings, train = job.recipe.crossed_out, splits.pick(job.items, TRAIN)
    sources, others = [item for item in train if item.crossed_out], Others(train)
    less = [hidden(item, others) for item in sources] if settings.hide else []
    more = planted_versions(sources, train) if settings.plant else []
    less, more = ([one for one in found if one.seen_by(champion.spec)] for found in (less, more))
    held_out = to_compare(
        job.items,
        [*splits.pick(job.items, VAL), *splits.pick(job.items, TEST)],
        [champion.spec],
        regions_elsewhere=False,
    )
    return Versions(
        learned=(*less, *more),
        weights=(*[settings.hide] * len(less), *[PLANTED_WEIGHT] * len(more)),
        shares={one.item.content.id: 1 - settings.hide for one in less},
        held_out=tuple(held_out.values()),
    )


def regions_stay(job: Job, champion: Predictor) -> bool:
    """Whether regions were crossed out of what this champion sees, so that a full training would do more."""
    marks = (mark for item in job.items for mark in item.crossed_out)
    return champion.spec.image.backbone != NONE and any(mark.kind is Mark.REGION for mark in marks)


def looked_at_versions(
    champion: Predictor, versions: Sequence[Version], rows: Sequence[int], plain: Vectors
) -> Iterator[tuple[int, Vectors | None]]:
    """Get the vectors of all versions; yields how many are done after each part, and the vectors with the last.

    `plain` are the vectors of the items as they are, `rows` says which row is each version's: what a version shares
    with its item is not looked at again. They are kept in the champion's store under names of their own.
    """
    contents = [one.content for one in versions]
    known = champion.known_vectors(contents)
    if known is not None:
        yield len(versions), Vectors(*known)
        return
    found = plain.at([])
    for start in range(0, len(versions), AT_ONCE):
        part = versions[start : start + AT_ONCE]
        vectors = _encoded(champion, part, plain.at(rows[start : start + AT_ONCE]))
        if champion.store is not None:
            seen = (vectors.image != champion.missing_image.cpu()).any(dim=1).tolist()
            flags = parts_of([model_text(one.content) for one in part], seen)
            champion.store.add(contents[start : start + AT_ONCE], flags, vectors.text, vectors.image, keep=True)
        found = found.and_then(vectors)
        yield start + len(part), None
    if champion.store is not None:
        champion.store.flush()
    yield len(versions), found


def _encoded(champion: Predictor, versions: Sequence[Version], plain: Vectors) -> Vectors:
    text, image = plain.text.clone(), plain.image.clone()
    words = [place for place, one in enumerate(versions) if one.has_other_words]
    if words and text.shape[1]:
        text[words] = champion.scorer.text_vectors([model_text(versions[place].content) for place in words]).cpu()
    squares = {place: one.square(champion.spec.image) for place, one in enumerate(versions) if one.place is not None}
    seen = {place: square for place, square in squares.items() if square is not None}
    if seen and image.shape[1]:
        pixels = torch.stack([torch.from_numpy(square).permute(2, 0, 1).float().div(255) for square in seen.values()])
        image[list(seen)] = champion.scorer.image_vectors(pixels).cpu()
    return Vectors(text, image)
