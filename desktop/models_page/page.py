"""The models page itself: the list on the left, the retrain and the chosen model on the right."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QItemSelection, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QShortcut, QShowEvent
from PySide6.QtWidgets import QAbstractSlider, QHBoxLayout, QListView, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.children.states import TrainingState
from desktop.desk import Desk
from desktop.models_page.confirm_bar import ConfirmBar
from desktop.models_page.details import ModelDetails
from desktop.models_page.looks_panel import MASK, mask_title
from desktop.models_page.model_list import ModelDelegate, ModelList
from desktop.models_page.retrain_panel import RetrainPanel
from desktop.models_page.summary import headline
from desktop.theme import GAP, PAD, WIDE, ThemeManager
from desktop.widgets import EmptyState, button, frame, label
from engine.counting import counted
from engine.looks import looks
from engine.workspace import ModelRow

_STEP = QAbstractSlider.SliderAction
_HERE = Qt.ShortcutContext.WidgetWithChildrenShortcut
LIST_WIDTH = 45 * GAP
WIDEST = 128 * GAP
"""Lines of figures and words stay near each other on a wide screen."""


class ModelsPage(QWidget):
    """Lists the models of the open workspace and shows the chosen one; binds the table's actions of the page."""

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._actions = theme, actions
        self._desk: Desk | None = None
        self._looks = looks(())
        self.models = ModelList(self)
        self.list = self._make_list()
        self.panel = RetrainPanel(theme, actions, self)
        self.panel.open_log.clicked.connect(self.open_log)
        self.details = ModelDetails(theme, actions, self)
        self.confirm = ConfirmBar(self)
        self.heading = label("", "heading", self)
        self.promote_button = button("Promote", "", self)
        self.rollback_button = button("Roll back", "", self)
        self.promote_button.clicked.connect(self.ask_promote)
        self.rollback_button.clicked.connect(self.ask_roll_back)
        self.empty = EmptyState("model", theme, actions, self)
        self._lower = QStackedLayout()
        self._lay_out()
        for key, step in ((Qt.Key.Key_PageDown, _STEP.SliderPageStepAdd), (Qt.Key.Key_PageUp, _STEP.SliderPageStepSub)):
            QShortcut(key, self, partial(self._scroll, step), context=_HERE)
        actions.bind("models.promote", self.ask_promote)
        actions.bind("models.rollback", self.ask_roll_back)
        actions.bind(MASK, self.retrain_masked)

    def show_desk(self, desk: Desk | None) -> None:
        """Show the models of another workspace, or of none."""
        if self._desk is not None:
            self._desk.trainingStateChanged.disconnect(self._show_training)
            self._desk.modelsChanged.disconnect(self.refresh)
            self._desk.correctionsChanged.disconnect(self._show_hint)
        self._desk = desk
        if desk is not None:
            desk.trainingStateChanged.connect(self._show_training)
            desk.modelsChanged.connect(self.refresh)
            desk.correctionsChanged.connect(self._show_hint)
            self._show_training(desk.training_state)
        self.refresh()

    def refresh(self) -> None:
        """Read the list of models anew; the chosen one stays chosen."""
        chosen = self.chosen()
        self.confirm.hide()
        self.models.show_models(self._desk.workspace.models.list() if self._desk is not None else [])
        number = self.models.row_of(chosen.card.id) if chosen is not None else -1
        if number < 0:
            number = max(0, self.models.champion_row())
        self.list.setCurrentIndex(self.models.index(number))
        self._show_chosen()

    def showEvent(self, event: QShowEvent) -> None:
        """More may have been explained since the page was seen last."""
        super().showEvent(event)
        if self._desk is not None:
            self._show_chosen()
        self.list.setFocus()

    def chosen(self) -> ModelRow | None:
        """Return the model that is shown, or None."""
        return self.models.model_row(self.list.currentIndex().row())

    def ask_promote(self) -> None:
        """Ask whether the chosen model shall be the champion."""
        row, desk = self.chosen(), self._desk
        if row is None or desk is None or row.champion:
            return
        parts = (f"Make {row.card.id} the champion?", self._comparison(row), "Its verdicts replace the old ones.")
        question = " ".join(part for part in parts if part)
        self.confirm.ask(question, "Promote", lambda: desk.promote(row.card.id))

    def ask_roll_back(self) -> None:
        """Ask whether the champion before shall be the champion again."""
        desk = self._desk
        if desk is not None and desk.champion:
            question = f"Return to the champion before {desk.champion}? Its verdicts are shown again."
            self.confirm.ask(question, "Roll back", desk.roll_back)

    def retrain_masked(self) -> None:
        """Start a retrain by the chosen model's recipe that cannot see the region the model takes a shortcut by."""
        row, desk = self.chosen(), self._desk
        shortcut = self._looks.shortcut
        if row is None or desk is None or shortcut is None:
            return
        desk.start_retrain(None if row.champion else row.card.recipe, masked=shortcut.region)

    def open_log(self) -> None:
        """Open the trainer's log, or the folder of the logs where there is none yet."""
        if self._desk is not None:
            log = self._desk.trainer_log
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(log if log.exists() else log.parent)))

    def _scroll(self, step: QAbstractSlider.SliderAction) -> None:
        """Read on in the chosen model, wherever the keys are: it is longer than the list is."""
        self.details.verticalScrollBar().triggerAction(step)

    def _comparison(self, row: ModelRow) -> str:
        champion = self.models.model_row(self.models.champion_row())
        new, old = headline(row.card), headline(champion.card) if champion is not None else None
        if new is None or old is None:
            return ""
        return f"It scored {new.macro_f1:.2f}, the champion {old.macro_f1:.2f}, each on its own held-out items."

    def _show_training(self, state: TrainingState) -> None:
        self.panel.show_state(state, self._hint())
        self._show_panel()

    def _show_hint(self) -> None:
        if self._desk is not None:
            self._show_training(self._desk.training_state)

    def _hint(self) -> str:
        if self._desk is None:
            return ""
        limit, count = self._desk.settings.retrain_after, self._desk.corrections()
        corrections = f"{counted(count, 'correction')} since the last retrain."
        if not limit:
            return f"{corrections} A retrain starts only when you ask for it."
        return f"{corrections} The next one starts by itself after {limit:,}."

    def _show_chosen(self, *_: QItemSelection) -> None:
        row, desk = self.chosen(), self._desk
        if row is None or desk is None:
            self._say_empty()
            return
        self._lower.setCurrentIndex(1)
        self._show_panel()
        self.confirm.hide()
        self.heading.setText(row.card.id)
        self.promote_button.setEnabled(not row.champion)
        self.promote_button.setToolTip("It is the champion already." if row.champion else "")
        self.rollback_button.setVisible(row.champion)
        self.rollback_button.setEnabled(self._can_roll_back())
        self.rollback_button.setToolTip("" if self._can_roll_back() else "There is no champion before this one.")
        self._actions.set_enabled("models.promote", not row.champion)
        self._actions.set_enabled("models.rollback", self._can_roll_back())
        self._looks = looks(desk.workspace.explanations.looks(row.card.id))
        self._actions.retitle(MASK, mask_title(self._looks))
        self._actions.set_enabled(MASK, self._looks.shortcut is not None)
        self.details.show_model(row, desk.workspace.taxonomy, self._looks, desk.workspace.path)

    def _can_roll_back(self) -> bool:
        rows = (self.models.model_row(number) for number in range(self.models.rowCount()))
        return any(row.promoted_at and not row.champion for row in rows if row is not None)

    def _show_panel(self) -> None:
        """The empty state says how to begin; the panel comes with the first retrain."""
        begun = self._desk is not None and self._desk.training_state.stage != "idle"
        self.panel.setVisible(begun or self._lower.currentIndex() == 1)

    def _say_empty(self) -> None:
        self._lower.setCurrentIndex(0)
        self._show_panel()
        self._actions.set_enabled("models.promote", False)
        self._actions.set_enabled("models.rollback", False)
        self._actions.set_enabled(MASK, False)
        if self._desk is None:
            self.empty.say("No workspace is open", "Open one to see its models.", "app.open")
            return
        self.empty.say(
            "No model yet",
            "Decide on some dozens of items, or import items that have labels; then retrain.",
            "app.retrain",
            "app.import",
        )

    def _make_list(self) -> QListView:
        view = QListView(self)
        view.setModel(self.models)
        view.setItemDelegate(ModelDelegate(self._theme, view))
        view.setUniformItemSizes(True)
        view.setMouseTracking(True)
        view.setAccessibleName("Models")
        view.selectionModel().selectionChanged.connect(self._show_chosen)
        self._theme.changed.connect(view.viewport().update)
        return view

    def _lay_out(self) -> None:
        right = frame("window", self)
        beside = QHBoxLayout(right)
        beside.setContentsMargins(0, 0, 0, 0)
        inner = QWidget(right)
        inner.setMaximumWidth(WIDEST)
        beside.addWidget(inner, 100)
        beside.addStretch(1)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        top = QVBoxLayout()
        top.setContentsMargins(WIDE, WIDE, WIDE + self.details.room_for_bar, GAP)
        top.setSpacing(PAD)
        top.addWidget(self.panel)
        column.addLayout(top)
        column.addLayout(self._lower, 1)
        self._lower.addWidget(self.empty)
        self._lower.addWidget(self._chosen_view(inner))
        splitter = QSplitter(self)
        splitter.addWidget(self._list_view())
        splitter.addWidget(right)
        splitter.setSizes([LIST_WIDTH, 3 * LIST_WIDTH])
        splitter.setStretchFactor(1, 1)
        splitter.setChildrenCollapsible(False)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(splitter)

    def _list_view(self) -> QWidget:
        left = frame("surface", self)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, PAD, 0, GAP)
        column.setSpacing(GAP)
        title = label("Models", "heading", left)
        title.setContentsMargins(PAD, 0, PAD, 0)
        column.addWidget(title)
        column.addWidget(self.list, 1)
        return left

    def _chosen_view(self, parent: QWidget) -> QWidget:
        view = QWidget(parent)
        column = QVBoxLayout(view)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setContentsMargins(WIDE, GAP, WIDE + self.details.room_for_bar, 0)
        row.setSpacing(GAP)
        row.addWidget(self.heading)
        row.addStretch(1)
        row.addWidget(self.rollback_button)
        row.addWidget(self.promote_button)
        column.addLayout(row)
        strip = QVBoxLayout()
        strip.setContentsMargins(WIDE, GAP, WIDE + self.details.room_for_bar, 0)
        strip.addWidget(self.confirm)
        column.addLayout(strip)
        column.addWidget(self.details, 1)
        return view
