"""How a model does on one task: the score next to the majority's, every label, what is taken for what."""

from __future__ import annotations

import contextlib

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from desktop.models_page.confusion import ConfusionMatrix
from desktop.models_page.scores_table import ScoresTable
from desktop.models_page.summary import calibration_sentence
from desktop.theme import GAP, HALF, PAD, WIDE, ThemeManager
from desktop.widgets import label
from engine.errors import NotFoundError
from engine.looks import percent
from engine.taxonomy import Label, Taxonomy
from engine.types import TaskMetrics


class LabelWords:
    """What a task and its labels are called; machine names where the taxonomy no longer has them."""

    def __init__(self, taxonomy: Taxonomy, task: str) -> None:
        self.title = task
        self._labels: dict[str, Label] = {}
        with contextlib.suppress(NotFoundError):
            found = taxonomy.task(task)
            self.title = found.title
            self._labels = {one.name: one for one in found.labels}

    def label_title(self, name: str) -> str:
        """Return a label's title."""
        return self._labels[name].title if name in self._labels else name

    def colour(self, name: str) -> str:
        """Return a label's "#rrggbb", "" where it is not known."""
        return self._labels[name].colour if name in self._labels else ""


def task_card(
    words: LabelWords, metrics: TaskMetrics, before: TaskMetrics | None, theme: ThemeManager, parent: QWidget
) -> QFrame:
    """Return a card with a task's metrics; `before` are the champion's on the same items at the time."""
    card = QFrame(parent)
    card.setProperty("surface", "card")
    column = QVBoxLayout(card)
    column.setContentsMargins(PAD, PAD, PAD, PAD)
    column.setSpacing(GAP)
    column.addWidget(label(words.title, "strong", card))
    column.addLayout(_figures(metrics, before, card))
    column.addSpacing(GAP)
    table = ScoresTable(theme, card)
    table.show_metrics(metrics, words.label_title, words.colour)
    column.addWidget(table)
    column.addWidget(label(calibration_sentence(metrics), "caption", card, wrap=True))
    if metrics.confusion:
        column.addSpacing(GAP)
        column.addWidget(label("Rows: what items are. Columns: what the model says.", "caption", card))
        matrix = ConfusionMatrix(theme, card)
        matrix.show_counts([words.label_title(name) for name in metrics.labels], metrics.confusion)
        column.addWidget(matrix)
    return card


def _figures(metrics: TaskMetrics, before: TaskMetrics | None, parent: QWidget) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(WIDE)
    grid.setVerticalSpacing(HALF)
    pairs = [
        (f"{metrics.macro_f1:.2f}", "macro-F1"),
        (f"{metrics.majority_macro_f1:.2f}", "majority answer"),
        (percent(metrics.accuracy), f"accuracy (majority {percent(metrics.majority_accuracy)})"),
        (f"{metrics.n:,}", "held-out items"),
    ]
    if before is not None:
        pairs.insert(1, (f"{before.macro_f1:.2f}", "champion before"))
    for number, (figure, word) in enumerate(pairs):
        shown = label(figure, "display" if number == 0 else "heading", parent)
        grid.addWidget(shown, 0, number, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(label(word, "caption", parent), 1, number)
    grid.setColumnStretch(len(pairs), 1)
    return grid
