"""The checks behind `parse_taxonomy`: each notes what is wrong and carries on, so that one read names every mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import did_you_mean
from engine.taxonomy.model import ITEM_KINDS, POSTS, Label, Task

DESK_KEYS = frozenset("usenhtgb0")
"""Single keys that the review desk uses itself; a label cannot have them."""

PALETTE = ("#009e73", "#d55e00", "#0072b2", "#e69f00", "#cc79a7", "#56b4e9", "#b8a800", "#7f7f7f")
"""For labels without a colour: Okabe and Ito's set (2008), its yellow darkened to be seen on white, and a grey."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_MOST_TASKS, _MOST_LABELS, _LONGEST_NAME = 32, 200, 64
_FILE_FIELDS = ("name", "tasks")
_TASK_FIELDS = ("name", "title", "kind", "applies_to", "when", "labels")
_LABEL_FIELDS = ("name", "title", "key", "colour", "severity", "guideline")


class Mistakes:
    """Collects mistakes in the order in which they are found."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, where: str, what: str, hint: str = "") -> None:
        """Note one mistake: where it is, what it is, what to do."""
        self.found.append(f"{where}: {what} {hint}".rstrip())

    def unknown_fields(self, where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
        """Note every field that nobody reads."""
        for field in given:
            if field not in known:
                self.add(where, f"unknown field '{field}'.", did_you_mean(field, known))

    def text(self, where: str, given: Mapping[str, Any], field: str, default: str) -> str:
        """Return a text field, or the default after noting that it is no text."""
        value = given.get(field, default)
        if isinstance(value, str):
            return value
        self.add(where, f"`{field}` must be text, not {value!r}.")
        return default

    def name(self, where: str, given: Mapping[str, Any]) -> str:
        """Return the machine name, noted as wrong where it is missing or badly made."""
        name = self.text(where, given, "name", "")
        if not name:
            self.add(where, "it needs a `name`.")
        elif not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            hint = "Use lower-case letters a to z, digits and single hyphens, at most 64 characters."
            self.add(where, f"'{name[:_LONGEST_NAME]}' is no machine name.", hint)
        return name

    def twice(self, where: str, what: str, names: Sequence[str]) -> None:
        """Note every name that comes more than once."""
        for name in dict.fromkeys(name for name in names if name and names.count(name) > 1):
            self.add(where, f"{what} '{name}' comes {names.count(name)} times.", "Keep one of them.")


def check_file(document: Mapping[str, Any], mistakes: Mistakes) -> str:
    """Check the top of the file and return the taxonomy's name."""
    mistakes.unknown_fields("the file", document, _FILE_FIELDS)
    return mistakes.text("the file", document, "name", "") or "taxonomy"


def read_tasks(given: object, mistakes: Mistakes) -> list[Task]:
    """Return the tasks that could be read."""
    if not isinstance(given, list) or not given:
        mistakes.add("the file", "it has no tasks.", "Add a [[tasks]] table with [[tasks.labels]] tables.")
        return []
    if len(given) > _MOST_TASKS:
        mistakes.add("the file", f"{len(given)} tasks are too many; {_MOST_TASKS} are allowed.")
        return []
    tasks = [_read_task(f"task {number}", table, mistakes) for number, table in enumerate(given, 1)]
    read = [task for task in tasks if task is not None]
    mistakes.twice("the file", "the task", [task.name for task in read])
    return read


def _read_task(where: str, given: object, mistakes: Mistakes) -> Task | None:
    if not isinstance(given, dict):
        mistakes.add(where, "it must be a table.", "Write [[tasks]].")
        return None
    where = f"task '{given['name']}'" if isinstance(given.get("name"), str) and given["name"] else where
    mistakes.unknown_fields(where, given, _TASK_FIELDS)
    name = mistakes.name(where, given)
    kind = mistakes.text(where, given, "kind", "single")
    if kind not in {"single", "multi"}:
        mistakes.add(where, f"kind '{kind}' is neither 'single' nor 'multi'.")
    return Task(
        name=name,
        title=mistakes.text(where, given, "title", "") or _title(name),
        kind=kind,
        applies_to=_applies_to(where, given, mistakes),
        when=_when(where, given.get("when", {}), mistakes),
        labels=_labels(where, given.get("labels"), 1 if kind == "multi" else 2, mistakes),
    )


def _applies_to(where: str, given: Mapping[str, Any], mistakes: Mistakes) -> tuple[str, ...]:
    kinds = _names(given.get("applies_to", list(POSTS)))
    if not kinds:
        mistakes.add(where, "`applies_to` must be a list of item kinds.", did_you_mean("", ITEM_KINDS))
    for kind in kinds:
        if kind not in ITEM_KINDS:
            mistakes.add(where, f"there is no item kind '{kind}'.", did_you_mean(kind, ITEM_KINDS))
    return tuple(dict.fromkeys(kinds))


def _when(where: str, given: object, mistakes: Mistakes) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict):
        mistakes.add(where, "`when` must be a table.", 'Write when = { other-task = ["label"] }.')
        return {}
    conditions = {}
    for task, labels in given.items():
        conditions[task] = _names(labels)
        if not conditions[task]:
            mistakes.add(where, f"`when` must list labels of the task '{task}'.")
    return conditions


def _names(given: object) -> tuple[str, ...]:
    """Return a text or a list of texts as a tuple; empty for anything else."""
    if isinstance(given, str):
        return (given,)
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return tuple(given)
    return ()


def _labels(where: str, given: object, fewest: int, mistakes: Mistakes) -> tuple[Label, ...]:
    if not isinstance(given, list) or len(given) < fewest:
        need = "at least two labels" if fewest > 1 else "at least one label"
        mistakes.add(where, f"it needs {need}.", "Add [[tasks.labels]] tables.")
    tables = given if isinstance(given, list) else []
    if len(tables) > _MOST_LABELS:
        mistakes.add(where, f"{len(tables)} labels are too many; {_MOST_LABELS} are allowed.")
        return ()
    taken = [table["key"] for table in tables if isinstance(table, dict) and isinstance(table.get("key"), str)]
    free = (digit for digit in "123456789" if digit not in taken)
    labels: list[Label] = []
    for number, table in enumerate(tables):
        label = f"{where}, label {number + 1}"
        if not isinstance(table, dict):
            mistakes.add(label, "it must be a table.", "Write [[tasks.labels]].")
            continue
        key = "" if "key" in table else next(free, "")
        labels.append(_label(where, label, {"key": key, "colour": PALETTE[number % len(PALETTE)], **table}, mistakes))
    mistakes.twice(where, "the label", [label.name for label in labels])
    mistakes.twice(where, "the key", [label.key for label in labels])
    return tuple(labels)


def _label(task: str, where: str, given: Mapping[str, Any], mistakes: Mistakes) -> Label:
    where = f"{task}, label '{given['name']}'" if isinstance(given.get("name"), str) and given["name"] else where
    mistakes.unknown_fields(where, given, _LABEL_FIELDS)
    name = mistakes.name(where, given)
    key = mistakes.text(where, given, "key", "").lower()
    if key and (len(key) > 1 or not key.isascii() or not key.isalnum() or key in DESK_KEYS):
        hint = "Use 1 to 9 or one of the letters a c d f i j k l m o p q r v w x y z."
        mistakes.add(where, f"the key '{key[:20]}' cannot be a label's key.", hint)
    colour = mistakes.text(where, given, "colour", "#56b4e9").lower()
    if not _COLOUR.fullmatch(colour):
        mistakes.add(where, f"'{colour[:20]}' is no colour.", "Write it like '#0072b2'.")
    severity = given.get("severity", 0)
    if type(severity) is not int or not 0 <= severity <= 4:
        mistakes.add(where, f"severity {severity!r} is not a whole number from 0 to 4.")
        severity = 0
    title = mistakes.text(where, given, "title", "") or _title(name)
    guideline = mistakes.text(where, given, "guideline", "").strip()
    return Label(name=name, title=title, key=key, colour=colour, severity=severity, guideline=guideline)


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


def check_conditions(tasks: Sequence[Task], mistakes: Mistakes) -> None:
    """Check that every `when` names a task and labels that exist, can come up, and never leads back to itself."""
    known = {task.name: task for task in tasks}
    for task in tasks:
        where = f"task '{task.name}'"
        for name, labels in task.when.items():
            if name not in known:
                mistakes.add(where, f"`when` names the unknown task '{name}'.", did_you_mean(name, known))
                continue
            _check_condition(where, task, known[name], labels, mistakes)
    cycle = _cycle(known)
    if cycle:
        mistakes.add(
            f"task '{cycle[0]}'", f"its `when` leads back to itself ({' → '.join(cycle)}).", "Break the cycle."
        )


def _check_condition(where: str, task: Task, parent: Task, labels: Sequence[str], mistakes: Mistakes) -> None:
    for label in labels:
        if label not in parent.label_names:
            hint = did_you_mean(label, parent.label_names)
            mistakes.add(where, f"`when` names '{label}', no label of the task '{parent.name}'.", hint)
    for kind in task.applies_to:
        if kind in ITEM_KINDS and kind not in parent.applies_to:
            hint = f"Leave '{kind}' out of `applies_to`."
            mistakes.add(where, f"it can never come up for a {kind}: '{parent.name}' does not apply to one.", hint)


def _cycle(tasks: Mapping[str, Task]) -> list[str]:
    """Return the tasks of one `when` cycle, the first repeated at the end; empty where there is none."""
    finished: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished or name not in tasks:
            return []
        for parent in tasks[name].when:
            found = walk(parent, [*path, name])
            if found:
                return found
        finished.add(name)
        return []

    return next((found for name in tasks if (found := walk(name, []))), [])
