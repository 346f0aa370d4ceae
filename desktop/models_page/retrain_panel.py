"""The retrain under way, live; or what would start one."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.children.states import TrainingState
from desktop.models_page.curve import Curve, loss_series, score_series
from desktop.theme import GAP, PAD, ThemeManager
from desktop.widgets import Bar, KeyCap, button, frame, label, set_role

TITLES = {
    "idle": "Retrain",
    "done": "The last retrain",
    "failed": "The last retrain did not end well",
    "cancelled": "The last retrain was cancelled",
}


class RetrainPanel(QWidget):
    """Progress, losses and validation scores of the retrain; its buttons are the actions of the table."""

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        card = frame("card", self)
        outer.addWidget(card)
        column = QVBoxLayout(card)
        column.setContentsMargins(PAD, PAD, PAD, PAD)
        column.setSpacing(GAP)
        self.title = label("Retrain", "strong", card)
        self.text = label("", "quiet", card, wrap=True)
        self.retrain = _action_button(actions, "app.retrain", card, "primary")
        self.cancel = _action_button(actions, "app.cancel-retrain", card, "", "Cancel")
        self.open_log = button("Open log", "plain", card)
        self._keys = KeyCap(("Ctrl", "R"), theme, card)
        column.addLayout(self._heading())
        column.addWidget(self.text)
        self.bar = Bar(theme, parent=card)
        column.addWidget(self.bar)
        self.losses, self.scores = Curve(theme, parent=card), Curve(theme, top=1.0, parent=card)
        curves = QHBoxLayout()
        curves.setSpacing(PAD)
        curves.addWidget(self.losses)
        curves.addWidget(self.scores)
        column.addLayout(curves)

    def show_state(self, state: TrainingState, hint: str) -> None:
        """Show how the retrain goes; `hint` says what would start one, while none is under way."""
        running = state.running
        self.title.setText(TITLES.get(state.stage, "Retraining"))
        self.text.setText(" ".join(part for part in (state.text, "" if running else hint) if part))
        set_role(self.text, "danger" if state.stage == "failed" else "quiet")
        self.bar.setVisible(running)
        self.bar.set_share(state.done / state.total if state.total else 0.0)
        for curve in (self.losses, self.scores):
            curve.setVisible(bool(state.history))
        self.losses.show_series(loss_series(state.history), state.epochs)
        self.scores.show_series(score_series(state.history), state.epochs)
        self.retrain.setVisible(not running)
        self._keys.setVisible(not running)
        self.cancel.setVisible(running)
        self.cancel.setEnabled(state.stage != "adopt")

    def _heading(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.title)
        row.addStretch(1)
        for widget in (self.open_log, self._keys, self.retrain, self.cancel):
            row.addWidget(widget)
        return row


def _action_button(actions: ActionRegistry, name: str, parent: QWidget, role: str, text: str = "") -> QPushButton:
    made = button(text or actions.title(name), role, parent)
    made.setToolTip(actions.tooltip(name))
    made.clicked.connect(actions.action(name).trigger)
    return made
