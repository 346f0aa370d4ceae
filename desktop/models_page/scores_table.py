"""Precision, recall and F1 of every label of a task, with the number of items each figure rests on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from desktop.theme import GAP, HALF, WIDE, ThemeManager
from desktop.widgets import Bar, label
from engine.types import LabelScores, TaskMetrics

COLUMNS = ("Label", "Precision", "Recall", "F1", "", "Items")
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ScoresTable(QWidget):
    """A plain grid; labels without held-out items show no figures, because there are none."""

    def __init__(self, theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(WIDE)
        self._grid.setVerticalSpacing(GAP)

    def show_metrics(self, metrics: TaskMetrics, title: Callable[[str], str], colour: Callable[[str], str]) -> None:
        """Show a task's scores; `title` and `colour` say what a label is called and drawn in."""
        for column, name in enumerate(COLUMNS):
            head = label(name, "section", self)
            self._grid.addWidget(head, 0, column, _RIGHT if column else Qt.AlignmentFlag.AlignLeft)
        for number, name in enumerate(metrics.labels, start=1):
            scores = metrics.per_class.get(name)
            self._grid.addWidget(label(title(name), "", self), number, 0)
            for column, text in enumerate(_figures(scores), start=1):
                self._grid.addWidget(_figure(text, self), number, column if column < 4 else 5, _RIGHT)
            if scores is not None and scores.support:
                bar = Bar(self._theme, colour(name), self)
                bar.setFixedSize(12 * GAP, GAP + HALF)
                bar.set_share(scores.f1)
                self._grid.addWidget(bar, number, 4, Qt.AlignmentFlag.AlignVCenter)


def _figures(scores: LabelScores | None) -> tuple[str, str, str, str]:
    if scores is None or not scores.support:
        return "–", "–", "–", "0"
    return f"{scores.precision:.2f}", f"{scores.recall:.2f}", f"{scores.f1:.2f}", f"{scores.support:,}"


def _figure(text: str, parent: QWidget) -> QLabel:
    made = label(text, "quiet" if text == "–" else "", parent)
    made.setAlignment(_RIGHT)
    return made
