"""What a refit works with: the labelled items as features and targets, and the champion whose backbones gave them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import TrainingError
from engine.models.network import FusionNetwork
from engine.models.predictor import Predictor
from engine.models.spec import HeadSpec
from engine.training.data import targets_of
from engine.training.job import Job
from engine.training.plan import Plan, make_plan
from engine.training.refit.objective import Objective
from engine.training.splits import SPLITS, TRAIN, VAL, Splits, assign_splits
from engine.types import TrainingItem

AT_ONCE = 16
"""Items that the backbones look at in one piece of work: about a sixth of a second on two cores."""
FULL = "A full training run learns from these answers."


@dataclass(frozen=True)
class Vectors:
    """(n, Dt) and (n, Di) vectors of items, before fusion."""

    text: Tensor
    image: Tensor


@dataclass(frozen=True)
class Material:
    """A job's items by split, with their vectors, features (n, D) and targets."""

    job: Job
    champion: Predictor
    splits: Splits
    plan: Plan
    items: dict[str, list[TrainingItem]]
    vectors: dict[str, Vectors]
    features: dict[str, Tensor]
    objectives: dict[str, Objective]


def why_not(network: FusionNetwork) -> str:
    """Why a network's heads cannot be fitted by themselves, in one sentence; "" where they can."""
    if network.spec.text.backbone == "cross-stitch":
        return "Its tasks have encoders of their own that learn together, so its heads cannot be fitted by themselves."
    if getattr(network.spec.fusion, "kind", "early") != "early":
        return "It averages the answers of text and screenshot (late fusion), so there is no joint layer to fit anew."
    return ""


def check_refittable(champion: Predictor) -> None:
    """Raise `TrainingError` where this model's heads cannot be fitted by themselves."""
    reason = why_not(champion.loaded.network)
    if reason:
        raise TrainingError(f"The model {champion.card.id} cannot be refitted. {reason}", FULL)


def planned(job: Job) -> tuple[Splits, Plan]:
    """The items' sides, as the trainer assigns them, and what they can train."""
    data = job.recipe.data
    splits = assign_splits(job.items, val=data.val, test=data.test, seed=job.recipe.training.seed)
    return splits, make_plan(job.items, splits, job.taxonomy, data.tasks)


def looked_at(champion: Predictor, items: Sequence[TrainingItem]) -> Iterator[tuple[int, Vectors | None]]:
    """Get all items' vectors; yields how many are done after each part, and the vectors with the last."""
    contents = [item.content for item in items]
    known = champion.known_vectors(contents)
    if known is not None:
        yield len(items), Vectors(*known)
        return
    parts: list[tuple[Tensor, Tensor]] = []
    for part, text, image in champion.vectors_stream(contents, batch=AT_ONCE, keep=True):
        parts.append((text.cpu(), image.cpu()))
        yield AT_ONCE * (len(parts) - 1) + len(part), None
    if champion.store is not None:
        champion.store.flush()
    yield len(items), Vectors(torch.cat([text for text, _ in parts]), torch.cat([image for _, image in parts]))


def material_of(job: Job, champion: Predictor, splits: Splits, plan: Plan, vectors: Vectors) -> Material:
    """Everything by split. Features are those of the champion's network, on the CPU."""
    rows = {name: [row for row, item in enumerate(job.items) if splits.of[item.content.id] == name] for name in SPLITS}
    by_split = {name: Vectors(vectors.text[at], vectors.image[at]) for name, at in rows.items()}
    network = champion.loaded.network
    device = network.scale.device
    with torch.no_grad():  # not inference mode: a hidden layer is fitted on them by gradients
        features = {
            name: network.features(one.text.to(device), one.image.to(device)).cpu() for name, one in by_split.items()
        }
    items = {name: [job.items[row] for row in at] for name, at in rows.items()}
    objectives = {name: _objective(plan, items[name]) for name in (TRAIN, VAL)}
    return Material(job, champion, splits, plan, items, by_split, features, objectives)


def _objective(plan: Plan, items: Sequence[TrainingItem]) -> Objective:
    return Objective.of(plan.heads, {head.task: targets_of(items, head) for head in plan.heads})


def applies(head: HeadSpec, item: TrainingItem) -> bool:
    """Whether the head gives a verdict that can be compared with the item's true answer."""
    return head.task in item.labels and (not head.applies_to or item.content.kind in head.applies_to)
