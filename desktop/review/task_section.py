"""One task in the verdict panel: its question, its labels with the model's probabilities, and what was answered."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.review.buttons import COMPACT, AnswerButton
from desktop.review.visit import Visit
from desktop.theme import HALF, ThemeManager
from desktop.widgets import ElidedLabel
from engine.taxonomy import Task

_MANY = 9


class TaskSection(QWidget):
    """The buttons are alive while the task has the keys, quiet before, and folded away once it is answered."""

    chosen = Signal(str)

    def __init__(self, task: Task, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(parent)
        self.task = task
        self._title = ElidedLabel(task.title, "section", self)
        self._answers = QWidget(self)
        self.buttons = {
            label.name: AnswerButton(label.title, label.key, label.colour, theme, self._answers)
            for label in task.labels
        }
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(HALF)
        column.addWidget(self._title)
        column.addWidget(self._answers)
        rows = QVBoxLayout(self._answers)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(HALF)
        for name, button in self.buttons.items():
            button.setCheckable(task.multi)
            if len(task.labels) > _MANY:
                button.setFixedHeight(COMPACT)
            button.clicked.connect(partial(self._clicked, name))
            rows.addWidget(button)

    def show_visit(self, visit: Visit) -> None:
        """Show the visit's verdict, answer, toggles and suggestion for this task."""
        active = visit.task is not None and visit.task.name == self.task.name
        answer = visit.answers.get(self.task.name)
        folded = answer is not None and not active
        self._title.setText(self._heading(visit, answer if folded else None))
        verdict = visit.sight.verdict(self.task)
        suggested = set(visit.suggestion()) if active and self.task.multi and not visit.touched else set()
        earlier = visit.sight.resolved.get(self.task.name, ())
        checked = visit.toggled if active and visit.touched else ()
        self._answers.setVisible(not folded)
        for label in self.task.labels:
            button = self.buttons[label.name]
            button.setEnabled(active)
            button.setChecked(label.name in checked)
            button.set_key(label.key if active else "")
            button.set_probability(verdict.probabilities.get(label.name) if verdict is not None else None)
            button.set_verdict(verdict is not None and label.name in verdict.labels)
            button.set_suggested(label.name in suggested)
            button.set_answered(label.name in earlier)
        self.show_focus(visit)

    def show_focus(self, visit: Visit) -> None:
        """Mark the label that is explained."""
        explained = visit.focus[1] if visit.focus is not None and visit.focus[0] == self.task.name else ""
        for name, button in self.buttons.items():
            button.set_explained(name == explained)

    def _heading(self, visit: Visit, answer: tuple[str, ...] | None) -> str:
        if answer is None:
            return f"{self.task.title} · any number" if self.task.multi else self.task.title
        titles = ", ".join(self.task.label(name).title for name in answer) or "none"
        back = ". Esc takes it back" if visit.conditional else ""
        return f"{self.task.title}: {titles}, saved{back}"

    def _clicked(self, name: str) -> None:
        self.chosen.emit(name)
