"""Labels as other tools hold them: one flat list of names. Which task a name belongs to follows from the taxonomy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine.errors import InputError, did_you_mean
from engine.taxonomy import Taxonomy
from engine.types import Action, Decision, Item
from engine.workspace import GivenDecision
from engine.workspace.resolution import standing

Labels = dict[str, tuple[str, ...]]
OURS = "secondlook"
"""The key under which our own writers put what the other tool has no field for."""

_TOLD = (
    "act",
    "action",
    "note",
    "shown_model",
    "shown_labels",
    "shown_probability",
    "at",
    "seconds",
    "task",
    "labels",
)
_ITEM = ("kind", "title", "author", "url", "captured_at", "subsets", "exposure", "split", "regions", "meta", "capture")


class Names:
    """Finds labels by name, by `task:label`, or by the title that people see; spells them so that they are found."""

    def __init__(self, taxonomy: Taxonomy, kind: str = "") -> None:
        tasks = taxonomy.tasks_for(kind) if kind else taxonomy.tasks
        self.tasks = {task.name: task for task in tasks}
        self._found: dict[str, set[tuple[str, str]]] = {}
        self._titles: dict[str, set[tuple[str, str]]] = {}
        for task in tasks:
            for label in task.labels:
                place = (task.name, label.name)
                self._found.setdefault(label.name, set()).add(place)
                self._found[f"{task.name}:{label.name}"] = {place}
                self._titles.setdefault(label.title.casefold(), set()).add(place)
                self._titles.setdefault(label.name.casefold(), set()).add(place)

    def find(self, name: str, task: str = "") -> tuple[str, str]:
        """Return (task, label), of the named task where one is given; raises `InputError` for none or several."""
        folded = name.strip().casefold()
        places = self._found.get(name.strip()) or self._titles.get(folded) or set()
        if task in self.tasks:
            places = {place for place in places if place[0] == task}
        if len(places) == 1:
            return next(iter(places))
        if places:
            raise InputError(f"The label '{name}' is one of several tasks.", f"Write {_either(places)}.")
        known = [name for name in self._found if ":" not in name]
        raise InputError(f"There is no label '{_short(name)}' in this workspace.", did_you_mean(name[:64], known))

    def sorted(self, names: Iterable[str], task: str = "") -> Labels:
        """Return labels by task, in the taxonomy's order; raises as `find`, and for two where a task takes one."""
        found: dict[str, set[str]] = {}
        for name in names:
            owner, label = self.find(name, task)
            found.setdefault(owner, set()).add(label)
        for owner, labels in found.items():
            if not self.tasks[owner].multi and len(labels) > 1:
                raise InputError(
                    f"The task '{owner}' takes exactly one label, not {len(labels)}.", "Leave one of them."
                )
        return {owner: self.ordered(owner, labels) for owner, labels in found.items()}

    def ordered(self, task: str, labels: Iterable[str]) -> tuple[str, ...]:
        """Return a task's labels in the taxonomy's order."""
        given = set(labels)
        return tuple(name for name in self.tasks[task].label_names if name in given)

    def spell(self, task: str, label: str) -> str:
        """Return the label's name, with its task's where the name alone would not do."""
        return label if len(self._found.get(label, ())) == 1 else f"{task}:{label}"

    def listed(self, labels: Mapping[str, Iterable[str]]) -> list[str]:
        """Return labels by task as one flat list of names."""
        return [self.spell(task, label) for task, given in labels.items() for label in given]


def _either(places: Iterable[tuple[str, str]]) -> str:
    return " or ".join(sorted(f"'{task}:{label}'" for task, label in places))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


# --- what the other tool has no field for -------------------------------------------------------------------------


def extras_of(item: Item) -> dict[str, Any]:
    """Return the fields of an item that are not empty, but its id and text; `labels` are its truths."""
    found = {name: getattr(item, name) for name in _ITEM}
    return {name: value for name, value in (found | {"labels": item.truths}).items() if value or value == 0}


def fields_of(extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record's fields that `extras_of` wrote down, without the capture."""
    return {name: value for name, value in extras.items() if name in (*_ITEM, "labels", "text") and name != "capture"}


def standing_rows(decisions: list[Decision]) -> list[Decision]:
    """Return the rows that stand, oldest first: other tools do not know of an act that was taken back."""
    return standing(decisions)


def told(decision: Decision | GivenDecision) -> dict[str, Any]:
    """Return everything about a decision that other tools have no field for, to be read back by `retold`."""
    kept = (
        "act",
        "action",
        "note",
        "shown_model",
        "shown_labels",
        "shown_probability",
        "at",
        "seconds",
        "task",
        "labels",
    )
    return {name: getattr(decision, name) for name in kept}


def retold(value: object, reviewer: str) -> GivenDecision | None:
    """Return the decision that `told` wrote down; None for anything else."""
    if not isinstance(value, dict):
        return None
    try:
        return msgspec.convert({**value, "reviewer": reviewer, "item": ""}, GivenDecision)
    except msgspec.ValidationError:
        return None


def action_of(labels: tuple[str, ...], shown: tuple[str, ...] | None) -> Action:
    """Return whether an answer confirms what was shown; one to which nothing was shown corrects."""
    return Action.CONFIRM if shown is not None and set(shown) == set(labels) else Action.CORRECT
