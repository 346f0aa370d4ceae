"""One look at one item: what is shown, what has been answered, which task has the keys. No widget, no database."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from desktop.review.sight import Focus, Sight
from engine.taxonomy import Label, Task, Taxonomy
from engine.types import Action, CrossedOut, Verdict


@dataclass
class Visit:
    """`answers` are this visit's saved answers (and an earlier visit's, where that one ended half-way).

    `toggled` is the set that a multi-label task will be given; it counts only once `touched`, before that Enter stands
    for the suggestion. `newer` is a verdict that arrived meanwhile and is not shown. `crossed_out` is what was saved
    as crossed out with an earlier answer of a visit that is still going on.
    """

    sight: Sight
    task: Task | None
    answers: dict[str, tuple[str, ...]]
    focus: Focus | None
    act: str = field(default_factory=lambda: secrets.token_hex(16))
    toggled: set[str] = field(default_factory=set)
    touched: bool = False
    armed: bool = False
    newer: Sight | None = None
    crossed_out: tuple[CrossedOut, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The verdict shown for the task that has the keys."""
        return self.sight.verdict(self.task)

    @property
    def conditional(self) -> bool:
        """Whether the keys are on a task that an answer of this visit opened."""
        return self.task is not None and bool(self.task.when)

    def suggestion(self) -> tuple[str, ...]:
        """What Enter saves while nothing was toggled: the item's earlier answer to the task, else the model's."""
        if self.task is None:
            return ()
        earlier = self.sight.resolved.get(self.task.name, ())
        return earlier or (self.verdict.labels if self.verdict is not None else ())

    def answer(self) -> tuple[str, ...]:
        """What Enter saves for a multi-label task now, in the taxonomy's order."""
        if self.task is None:
            return ()
        chosen = self.toggled if self.touched else set(self.suggestion())
        return tuple(name for name in self.task.label_names if name in chosen)

    def toggle(self, label: str) -> None:
        """Switch a label of a multi-label task on or off; the first toggle leaves the suggestion behind."""
        self.touched = True
        self.armed = False
        self.toggled ^= {label}

    def action_for(self, labels: tuple[str, ...]) -> Action:
        """Tell a confirmation of the shown verdict from a correction; without a verdict every answer corrects."""
        agrees = self.verdict is not None and set(self.verdict.labels) == set(labels)
        return Action.CONFIRM if agrees else Action.CORRECT

    def go_to(self, task: Task | None) -> None:
        """Give the keys to another task, with nothing toggled."""
        self.task = task
        self.toggled.clear()
        self.touched = self.armed = False

    def step_focus(self, step: int) -> bool:
        """Explain the next (+1) or previous (-1) label of the task that has the keys; False where there is none."""
        if self.task is None or self.verdict is None:
            return False
        names = self.task.label_names
        here = self.focus[1] if self.focus is not None and self.focus[0] == self.task.name else self.verdict.label
        on_task = self.focus is not None and self.focus[0] == self.task.name
        place = (names.index(here) + step) % len(names) if on_task else names.index(here)
        self.focus = (self.task.name, names[place])
        return True

    def label_of_key(self, key: str) -> Label | None:
        """Return the active task's label with this key, or None."""
        labels = self.task.labels if self.task is not None else ()
        return next((label for label in labels if label.key and label.key.lower() == key.lower()), None)


def begin(sight: Sight, taxonomy: Taxonomy) -> Visit:
    """Start a visit: half-answered items go on where they were left, decided ones start over."""
    kind = sight.item.kind
    answers = dict(sight.resolved)
    task = next_task(taxonomy, kind, answers)
    if task is None:
        answers = {}
        task = next_task(taxonomy, kind, answers)
    return Visit(sight=sight, task=task, answers=answers, focus=sight.first_focus(taxonomy))


def next_task(taxonomy: Taxonomy, kind: str, answers: dict[str, tuple[str, ...]]) -> Task | None:
    """Return the first due task without an answer; None when the item is done."""
    return next((task for task in taxonomy.due(kind, answers) if task.name not in answers), None)
