"""What a run trains: which tasks have enough answers for a head, and what is left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from engine.counting import counted
from engine.errors import InputError, TrainingError, did_you_mean
from engine.models.spec import NONE, HeadSpec, NetworkSpec
from engine.models.text import model_text
from engine.taxonomy import Task, Taxonomy
from engine.training.splits import SPLITS, TRAIN, VAL, Splits
from engine.types import Struct, TrainingItem

FEWEST = 2
"""A label with fewer training items than this teaches nothing."""


class Plan(Struct, frozen=True, kw_only=True):
    """Heads to train, each task's most frequent training label, and sentences on what is left out.

    `counts` has the items of each split ("train") and the training items of each label ("train/toxicity/toxic").
    """

    heads: tuple[HeadSpec, ...]
    majority: dict[str, str]
    counts: dict[str, int]
    left_out: tuple[str, ...] = ()


def make_plan(items: Sequence[TrainingItem], splits: Splits, taxonomy: Taxonomy, wanted: Sequence[str] = ()) -> Plan:
    """Return what these items can train; `wanted` names tasks (empty: all of the taxonomy).

    A task without enough answers is left out, so that no untrained head ever gives a verdict.

    Raises:
        InputError: a wanted task is not in the taxonomy.
        TrainingError: no task can be trained, or nothing is left for validation; names the task, its label counts and
            the way out.
    """
    tasks = [taxonomy.task(name) for name in wanted] or list(taxonomy.tasks)
    train, val = splits.pick(items, TRAIN), splits.pick(items, VAL)
    if not items:
        raise TrainingError("Nothing is labelled yet.", "Label items, or import some with labels.")
    tallies = {task.name: tally(train, task.name, task.label_names) for task in tasks}
    trainable = [task for task in tasks if _enough(task, tallies[task.name])]
    left_out = tuple(_why_not(task, tallies[task.name]) for task in tasks if task not in trainable)
    if not trainable:
        raise TrainingError(
            " ".join(left_out), f"Label more items by different authors: at least {FEWEST} of each of two labels."
        )
    if not any(item.labels.keys() & {task.name for task in trainable} for item in val):
        raise TrainingError(
            f"None of the {counted(len(items), 'labelled item')} can be set aside for validation:"
            " they share too few authors.",
            "Label items by more authors.",
        )
    return Plan(
        heads=tuple(_head(task) for task in trainable),
        majority={task.name: tallies[task.name].most_common(1)[0][0] for task in trainable},
        counts=_counts(splits, tallies, trainable),
        left_out=left_out,
    )


def check_task_weights(weights: Mapping[str, float], taxonomy: Taxonomy) -> None:
    """Raise `InputError` naming every task of a recipe's section [tasks] that the taxonomy lacks."""
    known = [task.name for task in taxonomy.tasks]
    unknown = [f"{task!r} ({did_you_mean(task, known)})" for task in weights if task not in known]
    if unknown:
        raise InputError(
            f"The recipe's section [tasks] weighs tasks that the taxonomy lacks: {', '.join(unknown)}.",
            "Correct the recipe and start again.",
        )


def tally(items: Iterable[TrainingItem], task: str, labels: Sequence[str]) -> Counter[str]:
    """Return how many items have each label of the task, in the taxonomy's order, labels without an item left out."""
    found = Counter(label for item in items for label in item.labels.get(task, ()))
    return Counter({label: found[label] for label in labels if found[label]})


def check_labels(items: Iterable[TrainingItem], taxonomy: Taxonomy) -> None:
    """Raise `InputError` if an item has a task or label that the taxonomy lacks, or two answers to a single one."""
    known = {task.name: task for task in taxonomy.tasks}
    for item in items:
        given = [(task, answer.labels) for task, answers in item.answers.items() for answer in answers]
        for name, labels in [*item.labels.items(), *given]:
            task = known.get(name)
            if task is None or not set(labels) <= set(task.label_names) or (not task.multi and len(labels) != 1):
                raise InputError(
                    f"Item {item.content.id!r} of the snapshot answers {', '.join(labels) or 'nothing'!r} to task "
                    f"{name!r}, which the taxonomy does not allow.",
                    "Start a new run: its snapshot will follow the taxonomy.",
                )


def check_inputs(items: Sequence[TrainingItem], spec: NetworkSpec) -> None:
    """Raise `TrainingError` if none of the items that train has anything that the network looks at."""
    reads, sees = spec.text.backbone != NONE, spec.image.backbone != NONE
    contents = [item.content for item in items]
    if reads and any(model_text(content).strip() for content in contents):
        return
    if sees and any(content.capture is not None for content in contents):
        return
    wanted = " or ".join(["a text"] * reads + ["a screenshot"] * sees)
    raise TrainingError(
        f"None of the {counted(len(items), 'item')} that train has {wanted}, and the recipe looks at nothing else.",
        "Label items that have, or choose another text.backbone or image.backbone.",
    )


def _enough(task: Task, counts: Counter[str]) -> bool:
    usable = sum(count >= FEWEST for count in counts.values())
    return usable >= (1 if task.multi else 2)


def _why_not(task: Task, counts: Counter[str]) -> str:
    if not counts:
        return f"Task {task.name!r} is left out: no training item has an answer to it."
    if len(counts) == 1 and not task.multi:
        label, count = counts.most_common(1)[0]
        return f"Task {task.name!r} is left out: all of its training items ({count}) are {label!r}."
    each = ", ".join(f"{label} {count}" for label, count in counts.items())
    return f"Task {task.name!r} is left out: too few training items for its labels ({each})."


def _head(task: Task) -> HeadSpec:
    return HeadSpec(task=task.name, labels=task.label_names, multi=task.multi, applies_to=task.applies_to)


def _counts(splits: Splits, tallies: dict[str, Counter[str]], trainable: Sequence[Task]) -> dict[str, int]:
    sides = splits.counts()
    labels = {
        f"{TRAIN}/{task.name}/{label}": tallies[task.name][label] for task in trainable for label in task.label_names
    }
    return {split: sides[split] for split in SPLITS} | labels
