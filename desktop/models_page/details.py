"""Everything known of one model: how it scored, what it learned from, why it was promoted or kept."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.models_page.faithfulness_panel import FaithfulnessPanel
from desktop.models_page.looks_panel import LooksPanel
from desktop.models_page.summary import facts, headline, held_out, score_sentence
from desktop.models_page.task_card import LabelWords, task_card
from desktop.theme import GAP, PAD, WIDE, ThemeManager, fixed
from desktop.widgets import label
from engine.looks import Looks
from engine.taxonomy import Taxonomy
from engine.workspace import ModelRow, faithfulness


class ModelDetails(QScrollArea):
    """Shows one model. It is built anew for each, which is once per click."""

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._actions = theme, actions
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setAccessibleName("The chosen model")

    @property
    def room_for_bar(self) -> int:
        """How much its scroll bar takes of the width, in pixels: what stands above ends where its cards end."""
        return self.verticalScrollBar().sizeHint().width()

    def show_model(self, row: ModelRow, taxonomy: Taxonomy, looks: Looks, workspace: Path) -> None:
        """Show what is known of a model, where it looks, and how far a champion's explanations can be trusted."""
        page = QWidget()
        page.setProperty("surface", "window")
        column = QVBoxLayout(page)
        column.setContentsMargins(WIDE, PAD, WIDE, WIDE)
        column.setSpacing(GAP)
        column.addWidget(label(score_sentence(headline(row.card)), "reading", page, wrap=True))
        if row.reason:
            verb = "Why it is the champion" if row.champion else "What came of it"
            column.addWidget(label(f"{verb}: {row.reason}", "quiet", page, wrap=True))
        column.addSpacing(GAP)
        self._add_tasks(column, row, taxonomy, page)
        column.addWidget(LooksPanel(looks, self._theme, self._actions, page))
        if row.champion:
            found = faithfulness.read(workspace / "models" / row.card.id)
            column.addWidget(FaithfulnessPanel(found, workspace, page))
        column.addSpacing(GAP)
        column.addWidget(label("How it was made", "section", page))
        column.addWidget(self._facts(row, page))
        column.addWidget(label("Recipe", "section", page))
        column.addWidget(self._recipe(row, page))
        column.addStretch(1)
        self.setWidget(page)

    def _add_tasks(self, column: QVBoxLayout, row: ModelRow, taxonomy: Taxonomy, page: QWidget) -> None:
        split, metrics = held_out(row.card)
        before = row.card.champion_metrics.get(split, {})
        for task, scores in metrics.items():
            column.addWidget(task_card(LabelWords(taxonomy, task), scores, before.get(task), self._theme, page))

    def _facts(self, row: ModelRow, page: QWidget) -> QWidget:
        box = QFrame(page)
        box.setProperty("surface", "card")
        grid = QGridLayout(box)
        grid.setContentsMargins(PAD, PAD, PAD, PAD)
        grid.setHorizontalSpacing(WIDE)
        grid.setVerticalSpacing(GAP)
        for number, (word, value) in enumerate(facts(row)):
            grid.addWidget(label(word, "quiet", box), number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label(value, "", box, wrap=True), number, 1)
        grid.setColumnStretch(1, 1)
        return box

    def _recipe(self, row: ModelRow, page: QWidget) -> QWidget:
        view = QPlainTextEdit(row.card.recipe.strip() or "No recipe was kept.", page)
        view.setReadOnly(True)
        view.setFont(fixed())
        view.setAccessibleName("Recipe")
        view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        lines = min(24, view.blockCount())
        view.setFixedHeight(lines * view.fontMetrics().lineSpacing() + 4 * GAP)
        return view
