"""What a refit works with: the labelled items as features and targets, and the champion whose backbones gave them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from engine.errors import TrainingError
from engine.models.network import FusionNetwork
from engine.models.predictor import Predictor
from engine.models.registry import CROSS_STITCH, LATE
from engine.models.spec import HeadSpec
from engine.similarity.text import normalised
from engine.training.answers import age_weights, soft_targets
from engine.training.data import targets_of
from engine.training.job import Job
from engine.training.losses import balanced_weights, class_weights
from engine.training.plan import Plan, make_plan
from engine.training.refit.objective import Objective
from engine.training.refit.parts import Vectors, Versions
from engine.training.splits import SPLITS, TEST, TRAIN, VAL, Splits, assign_splits
from engine.types import TrainingItem

AT_ONCE = 16
"""Items that the backbones look at in one piece of work: about a sixth of a second on two cores."""
FULL = "A full training run learns from these answers."


@dataclass(frozen=True)
class Material:
    """A job's items by split, with their vectors, features (n, D) and targets.

    Features and targets are what heads learn from and are chosen by: with what reviewers crossed out hidden or planted,
    in further rows of the training items and in place of validation items. `hidden` are the vectors of the held-out
    items with parts hidden, of `versions.held_out`.
    """

    job: Job
    champion: Predictor
    splits: Splits
    plan: Plan
    items: dict[str, list[TrainingItem]]
    vectors: dict[str, Vectors]
    features: dict[str, Tensor]
    objectives: dict[str, Objective]
    versions: Versions
    hidden: Vectors


def why_not(network: FusionNetwork) -> str:
    """Why a network's heads cannot be fitted by themselves, in one sentence; "" where they can."""
    if network.spec.text.backbone == CROSS_STITCH:
        return "Its tasks have encoders of their own that learn together, so its heads cannot be fitted by themselves."
    if network.spec.fusion.kind == LATE:
        return "It averages the answers of text and screenshot (late fusion), so there is no joint layer to fit anew."
    return ""


def check_refittable(champion: Predictor) -> None:
    """Raise `TrainingError` where this model's heads cannot be fitted by themselves."""
    reason = why_not(champion.loaded.network)
    if reason:
        raise TrainingError(f"The model {champion.card.id} cannot be refitted. {reason}", FULL)


def planned(job: Job) -> tuple[Splits, Plan]:
    """The items' sides, as the trainer assigns them, and what they can train.

    Looking for near-duplicates takes longer than a refit may: of the items without a side only copies of held-out ones
    are kept from training; the next full training looks at all of them.
    """
    data = job.recipe.data
    items = beside_their_copies(job.items)
    splits = assign_splits(items, val=data.val, test=data.test, seed=job.recipe.training.seed)
    return splits, make_plan(job.items, splits, job.taxonomy, data.tasks)


def beside_their_copies(items: Sequence[TrainingItem]) -> list[TrainingItem]:
    """The items, those without a side in the group of a held-out one with the same words or the same screenshot."""
    groups = {key: item.group for item in items if item.split in {VAL, TEST} for key in _marks(item)}
    return [item if item.split in SPLITS else _joined(item, groups) for item in items]


def _joined(item: TrainingItem, groups: dict[str, str]) -> TrainingItem:
    found = next((groups[key] for key in _marks(item) if key in groups), item.group)
    return item if found == item.group else msgspec.structs.replace(item, group=found)


def _marks(item: TrainingItem) -> list[str]:
    words, capture = normalised(f"{item.content.title} {item.content.text}"), item.content.capture
    return ([f"words:{words}"] if words else []) + ([f"file:{capture}"] if capture is not None else [])


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


def material_of(
    job: Job,
    champion: Predictor,
    splits: Splits,
    plan: Plan,
    vectors: Vectors,
    versions: Versions,
    of_versions: Vectors,
) -> Material:
    """Everything by split. Features are those of the champion's network, on the CPU."""
    rows = {name: [row for row, item in enumerate(job.items) if splits.of[item.content.id] == name] for name in SPLITS}
    by_split = {name: vectors.at(at) for name, at in rows.items()}
    items = {name: [job.items[row] for row in at] for name, at in rows.items()}
    learned = len(versions.learned)
    more, hidden = (of_versions.at(at) for at in (range(learned), range(learned, len(versions.all))))
    seen = {TRAIN: by_split[TRAIN].and_then(more), VAL: _in_place(by_split[VAL], items[VAL], versions, hidden)}
    network = champion.loaded.network
    device = network.scale.device
    with torch.no_grad():  # not inference mode: a hidden layer is fitted on them by gradients
        features = {
            name: network.features(one.text.to(device), one.image.to(device)).cpu() for name, one in seen.items()
        }
    objectives = _objectives(job, plan, items, versions)
    return Material(job, champion, splits, plan, items, by_split, features, objectives, versions, hidden)


def _in_place(plain: Vectors, items: Sequence[TrainingItem], versions: Versions, hidden: Vectors) -> Vectors:
    """Return the vectors of items with those in place that have parts hidden."""
    at = {item.content.id: row for row, item in enumerate(items)}
    pairs = [(at[one.content.id], row) for row, one in enumerate(versions.held_out) if one.content.id in at]
    text, image = plain.text.clone(), plain.image.clone()
    for row, other in pairs:
        text[row], image[row] = hidden.text[other], hidden.image[other]
    return Vectors(text, image)


def _objectives(job: Job, plan: Plan, items: dict[str, list[TrainingItem]], versions: Versions) -> dict[str, Objective]:
    """What the recipe says of answers, items and labels, but smoothing and focal parts: the objective stays convex."""
    settings, heads = job.recipe.training, plan.heads
    hard = {name: {head.task: targets_of(items[name], head) for head in heads} for name in (TRAIN, VAL)}
    learned = [*items[TRAIN], *(one.item for one in versions.learned)]
    targets = {head.task: (soft_targets if settings.soft_labels else targets_of)(learned, head) for head in heads}
    labels = None
    if settings.class_weights:
        labels = class_weights(heads, hard[TRAIN])
    elif settings.class_balance_beta:
        labels = balanced_weights(heads, hard[TRAIN], settings.class_balance_beta)
    weights = age_weights(learned, job.items, settings.half_life_days)
    weights *= torch.tensor([*(versions.shares.get(one.content.id, 1.0) for one in items[TRAIN]), *versions.weights])
    return {
        TRAIN: Objective.of(heads, targets, items=weights, labels=labels),
        VAL: Objective.of(heads, hard[VAL], labels=labels),
    }


def applies(head: HeadSpec, item: TrainingItem) -> bool:
    """Whether the head gives a verdict that can be compared with the item's true answer."""
    return head.task in item.labels and (not head.applies_to or item.content.kind in head.applies_to)
