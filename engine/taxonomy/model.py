"""The questions a desk asks and the answers it takes, as frozen structs.

A `Taxonomy` from `parse_taxonomy` has been checked; one built by hand in a test has not.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.errors import NotFoundError, did_you_mean
from engine.types import Struct

PROFILE = "profile"
"""The page of an account. Its label follows from what the account publishes: an author is positive if an item is."""
POSTS = ("tweet", "product")
"""What an account publishes."""
ITEM_KINDS = (*POSTS, PROFILE)


class Label(Struct, frozen=True, kw_only=True):
    """One answer: `key` is the key press that gives it ("" for none), `colour` "#rrggbb", `severity` 0 (fine) to 4."""

    name: str
    title: str
    key: str = ""
    colour: str = "#56b4e9"
    severity: int = 0
    guideline: str = ""


class Task(Struct, frozen=True, kw_only=True):
    """One question about items of the kinds in `applies_to`; `kind` is "single" or "multi".

    `when` maps other tasks to labels: the question is asked only while each of those tasks is answered with at least
    one of its labels. Profiles are asked about only by tasks that name them.
    """

    name: str
    title: str
    kind: str = "single"
    applies_to: tuple[str, ...] = POSTS
    when: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    labels: tuple[Label, ...]

    @property
    def multi(self) -> bool:
        """Whether an item may have several of the labels, or none."""
        return self.kind == "multi"

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' machine names in the taxonomy's order."""
        return tuple(label.name for label in self.labels)

    def label(self, name: str) -> Label:
        """Return the label of this name; raises `NotFoundError` with the nearest name."""
        for label in self.labels:
            if label.name == name:
                return label
        raise NotFoundError(f"'{name}' is no label of the task '{self.name}'.", did_you_mean(name, self.label_names))


class Taxonomy(Struct, frozen=True, kw_only=True):
    """All tasks of a workspace, in the order in which they are asked."""

    name: str
    tasks: tuple[Task, ...]

    def task(self, name: str) -> Task:
        """Return the task of this name; raises `NotFoundError` with the nearest name."""
        for task in self.tasks:
            if task.name == name:
                return task
        names = [task.name for task in self.tasks]
        raise NotFoundError(f"The taxonomy '{self.name}' has no task '{name}'.", did_you_mean(name, names))

    def tasks_for(self, kind: str) -> tuple[Task, ...]:
        """Return the tasks that can come up for items of this kind: unconditional ones first, each in file order."""
        apply = [task for task in self.tasks if kind in task.applies_to]
        return tuple(sorted(apply, key=lambda task: bool(task.when)))

    def primary(self, kind: str) -> Task | None:
        """Return the task a queue sorts this kind by: its first unconditional one. None where no task applies."""
        return next((task for task in self.tasks_for(kind) if not task.when), None)

    def due(self, kind: str, answers: Mapping[str, tuple[str, ...]]) -> tuple[Task, ...]:
        """Return the tasks to be answered given the answers so far, answered ones included, in `tasks_for` order.

        A conditional task is due only while the tasks it depends on are due themselves, so that an answer left over
        from a branch that no longer holds opens nothing.
        """
        tasks = self.tasks_for(kind)
        due: dict[str, Task] = {}
        while True:
            found = {task.name: task for task in tasks if task.name not in due and _holds(task, due, answers)}
            if not found:
                return tuple(task for task in tasks if task.name in due)
            due |= found


def _holds(task: Task, due: Mapping[str, Task], answers: Mapping[str, tuple[str, ...]]) -> bool:
    return all(
        parent in due and not set(labels).isdisjoint(answers.get(parent, ())) for parent, labels in task.when.items()
    )
