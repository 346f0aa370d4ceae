"""Authors instead of items: an author is positive if at least one item is, and screenshots of profiles are classified.

After Perifanos and Goutsos 2021, "Multimodal hate speech detection in Greek social media".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from engine.errors import InputError, TrainingError, did_you_mean
from engine.models.decoding import Unread
from engine.models.predictor import Predictor
from engine.similarity import author_key
from engine.taxonomy import PROFILE, Task, Taxonomy
from engine.training.evaluate import Answers, metrics_of
from engine.training.splits import SPLITS, TRAIN
from engine.types import ItemContent, TaskMetrics, TrainingItem

AUTHOR_GROUP = "author:"


@dataclass(frozen=True)
class Author:
    """An account: its labelled items (a labelled profile too), its latest profile, and the side of the split it is on.

    `split` is "" where it has none yet.
    """

    group: str
    items: tuple[TrainingItem, ...]
    profile: TrainingItem | None
    split: str


def authors_of(items: Iterable[TrainingItem]) -> list[Author]:
    """Return the authors that have at least one labelled item, in the order of their names."""
    by_author: dict[str, list[TrainingItem]] = {}
    for item in items:
        if item.group.startswith(AUTHOR_GROUP):
            by_author.setdefault(author_key(item.group), []).append(item)
    found = [_author(group, by_author[group]) for group in sorted(by_author)]
    return [author for author in found if author.items]


def positives_of(task: Task, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return which labels make an author positive: the wanted ones, else all with a severity above 0."""
    if wanted:
        return tuple(label for label in wanted if label in task.label_names)
    return tuple(label.name for label in task.labels if label.severity > 0)


def author_label(task: Task, items: Sequence[TrainingItem], positive: Sequence[str]) -> tuple[str, ...] | None:
    """Return what an author is taken to be from what the items are; None where no item has an answer.

    Multi-label: every label that an item has. Single-label: the first of `positive` that an item has, else the label
    that most items have (the first of the taxonomy among several).
    """
    given = Counter(label for item in items for label in item.labels.get(task.name, ()))
    if not any(task.name in item.labels for item in items):
        return None
    if task.multi:
        return tuple(label for label in task.label_names if given[label])
    worst = next((label for label in positive if given[label]), None)
    return (worst or max(task.label_names, key=lambda label: given[label]),)


def author_items(
    items: Sequence[TrainingItem], taxonomy: Taxonomy, tasks: Sequence[str] = (), positive: Sequence[str] = ()
) -> tuple[tuple[TrainingItem, ...], Taxonomy]:
    """Return one training item for each author who has a profile, labelled by what the author's items are.

    The taxonomy that comes with them asks its tasks of profiles only. `tasks` empty: all that apply to profiles.

    Raises:
        InputError: a task does not apply to profiles, or `positive` names no label of theirs.
        TrainingError: no author has both a profile and a labelled item.
    """
    chosen = _tasks(taxonomy, tasks, positive)
    found = [_as_item(author, chosen, positive) for author in authors_of(items) if author.profile is not None]
    labelled = tuple(item for item in found if item.labels)
    if not labelled:
        raise TrainingError(
            "No author has both a profile and a labelled item.",
            f'Import screenshots of profiles as items of the kind "{PROFILE}", with their author.',
        )
    asked = tuple(msgspec.structs.replace(task, applies_to=(PROFILE,), when={}) for task in chosen)
    return labelled, msgspec.structs.replace(taxonomy, tasks=asked)


def evaluate_authors(
    predictor: Predictor,
    authors: Sequence[Author],
    taxonomy: Taxonomy,
    positive: Sequence[str] = (),
    *,
    cancelled: Callable[[], bool] | None = None,
    unread: Unread | None = None,
) -> dict[str, TaskMetrics]:
    """Return a model's scores on authors: an author's probability of a label is the largest that any item has.

    Items are the labelled ones, or the profile where the model judges none of those. For a single-label task the
    probability is that of its positive labels together, and an author is positive from 0.5 on; the truth is as
    `author_label` says. `unread` as in `decode_ahead`.

    Raises:
        CancelledError: `cancelled` said so.
    """
    contents = {one.id: one for author in authors for one in _contents(author)}
    chances: dict[tuple[str, str], Mapping[str, float]] = {
        (verdict.task, verdict.item): verdict.probabilities
        for verdict in predictor.predict(list(contents.values()), cancelled=cancelled, unread=unread)
    }
    found: dict[str, TaskMetrics] = {}
    for name in predictor.card.tasks:
        task = next((one for one in taxonomy.tasks if one.name == name), None)
        answers = None if task is None else _answers(task, authors, chances, positives_of(task, positive))
        if answers is not None:
            majority = answers.labels[int(answers.truth.sum(axis=0).argmax())]
            found[name] = metrics_of(answers, majority)
    return found


def _author(group: str, members: Sequence[TrainingItem]) -> Author:
    profiles = [item for item in members if item.content.kind == PROFILE]
    sides = {item.split for item in members} & set(SPLITS)
    own = profiles[-1].split if profiles else ""
    return Author(
        group=group,
        items=tuple(item for item in members if item.labels),
        profile=profiles[-1] if profiles else None,
        split=own or (TRAIN if len(sides) > 1 else next(iter(sides), "")),
    )


def _tasks(taxonomy: Taxonomy, names: Sequence[str], positive: Sequence[str]) -> list[Task]:
    tasks = [taxonomy.task(name) for name in names] or [task for task in taxonomy.tasks if PROFILE in task.applies_to]
    strange = [task.name for task in tasks if PROFILE not in task.applies_to]
    if strange or not tasks:
        raise InputError(
            f"The task '{strange[0]}' does not apply to profiles." if strange else "No task applies to profiles.",
            f'Add "{PROFILE}" to its applies_to in taxonomy.toml.',
        )
    known = [label for task in tasks for label in task.label_names]
    for label in positive:
        if label not in known:
            raise InputError(f"data.positive names '{label}', no label of these tasks.", did_you_mean(label, known))
    for task in tasks:
        if not task.multi and not positives_of(task, positive):
            raise InputError(
                f"No label of '{task.name}' makes an author positive.",
                f'Name some in data.positive, such as ["{task.label_names[0]}"].',
            )
    return tasks


def _as_item(author: Author, tasks: Sequence[Task], positive: Sequence[str]) -> TrainingItem:
    assert author.profile is not None
    labels = {task.name: author_label(task, author.items, positives_of(task, positive)) for task in tasks}
    return TrainingItem(
        content=author.profile.content,
        labels={task: given for task, given in labels.items() if given is not None},
        group=author.group,
        split=author.split,
        decisions=tuple(sorted({number for item in author.items for number in item.decisions})),
    )


def _contents(author: Author) -> list[ItemContent]:
    contents = [item.content for item in author.items]
    if author.profile is not None and author.profile.content not in contents:
        contents.append(author.profile.content)
    return contents


def _answers(
    task: Task,
    authors: Sequence[Author],
    chances: Mapping[tuple[str, str], Mapping[str, float]],
    positive: Sequence[str],
) -> Answers | None:
    """Return truth and scores of the authors with an answer and a verdict: (positive, other), or all labels (multi)."""
    if not (task.multi or positive):
        return None
    rows: list[tuple[str, list[bool], list[float]]] = []
    for author in authors:
        truth = author_label(task, author.items, positive)
        judged = _judged(task, author, chances)
        if truth is None or not judged:
            continue
        if task.multi:
            flags = [label in truth for label in task.label_names]
            scores = [max(found.get(label, 0.0) for found in judged) for label in task.label_names]
        else:
            yes = truth[0] in positive
            most = min(max(sum(found.get(label, 0.0) for label in positive) for found in judged), 1.0)
            flags, scores = [yes, not yes], [most, 1 - most]
        rows.append((author.group, flags, scores))
    if not rows:
        return None
    return Answers(
        labels=task.label_names if task.multi else _two(task, positive),
        ids=tuple(group for group, _, _ in rows),
        truth=np.array([flags for _, flags, _ in rows], dtype=np.bool_),
        probabilities=np.array([scores for _, _, scores in rows], dtype=np.float64),
        multi=task.multi,
    )


def _judged(
    task: Task, author: Author, chances: Mapping[tuple[str, str], Mapping[str, float]]
) -> list[Mapping[str, float]]:
    """Return the model's probabilities for the author's labelled items, else for the profile; empty for neither."""
    found = [chances[task.name, item.content.id] for item in author.items if (task.name, item.content.id) in chances]
    if found or author.profile is None:
        return found
    profile = chances.get((task.name, author.profile.content.id))
    return [] if profile is None else [profile]


def _two(task: Task, positive: Sequence[str]) -> tuple[str, str]:
    """Return names for an author's two sides: the labels' own where there is one on each."""
    others = [label for label in task.label_names if label not in positive]
    return " or ".join(positive), others[0] if len(others) == 1 else f"not {' or '.join(positive)}"
