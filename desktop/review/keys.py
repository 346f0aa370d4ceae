"""Ties the page to the table of actions: what each key does here, and what the label keys are called now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from desktop.actions import LABEL_KEYS, ActionRegistry
from desktop.review.held_keys import HeldKeys, keys_of
from engine.taxonomy import Task, Taxonomy

Run = Callable[[], object]


class Keys:
    """Binds the review page's actions; `release` unbinds them again."""

    def __init__(self, actions: ActionRegistry, runs: Mapping[str, Run], press: Callable[[str], None]) -> None:
        self._actions = actions
        self._bound = [f"review.{name}" for name in runs]
        for name, run in runs.items():
            actions.bind(f"review.{name}", run)
        for key in LABEL_KEYS:
            actions.bind(f"review.label-{key}", partial(press, key))
            self._bound.append(f"review.label-{key}")
        self._titles: dict[str, str] = {}

    def add_missing(self, taxonomy: Taxonomy, page: QWidget, press: Callable[[str], None]) -> None:
        """Give label keys that are not in the table a shortcut of the page; like the others they never repeat."""
        used = {label.key.lower() for task in taxonomy.tasks for label in task.labels if label.key}
        deciding = [spec for spec in self._actions.specs.values() if spec.page == "review" and not spec.repeats]
        self.held = HeldKeys(keys_of(deciding, used), page)
        for key in sorted(used - set(LABEL_KEYS)):
            shortcut = QShortcut(QKeySequence(key.upper()), page)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(partial(press, key))

    def title(self, task: Task | None) -> None:
        """Call the label keys what they mean for this task; keys without a meaning disappear from the palette."""
        titles = {label.key.lower(): label.title for label in task.labels if label.key} if task is not None else {}
        for key in LABEL_KEYS:
            title = titles.get(key, "")
            if self._titles.get(key) != title:
                self._titles[key] = title
                self._actions.retitle(f"review.label-{key}", title)

    def release(self) -> None:
        """Leave the actions to another page."""
        for name in self._bound:
            self._actions.unbind(name)
