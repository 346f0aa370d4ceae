"""The line at the bottom: how the session goes, the last action with its undo, what engine and training are doing."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.children.states import EngineState, TrainingState
from desktop.review.pace import Pace
from desktop.theme import GAP, PAD, ThemeManager
from desktop.widgets import ElidedLabel, IconButton, KeyCap, StatusChip, label

HEIGHT = 40
_TALLY = 26 * GAP


class SessionBar(QFrame):
    """Every part of it says what it is to a screen reader."""

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "bottom")
        self.setFixedHeight(HEIGHT)
        self._tally = label("", "quiet", self)
        self._last = ElidedLabel("", "", self)
        self._last.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._undo = IconButton("undo", "review.undo", theme, actions, self)
        self._cap = KeyCap(("U",), theme, self)
        self.engine = StatusChip(theme, self)
        self.training = StatusChip(theme, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(PAD, 0, PAD, 0)
        row.setSpacing(GAP)
        row.addWidget(self._tally)
        row.addWidget(self._last, 1)
        row.addWidget(self._undo)
        row.addWidget(self._cap)
        row.addSpacing(PAD)
        row.addWidget(self.engine)
        row.addWidget(self.training)
        self.show_last("")

    @property
    def last(self) -> str:
        """The last action in words; "" where there is none."""
        return self._last.whole()

    @property
    def tally(self) -> str:
        """How the session goes in words."""
        return self._tally.text()

    def show_progress(self, pace: Pace, left: int) -> None:
        """Show how many items were decided, skipped and escalated in this session, how many are left, and the pace."""
        speed = pace.per_minute()
        words = [*pace.words, f"{left:,} left"]
        if speed is not None:
            words.append(f"{speed:.0f} a minute" if speed >= 10 else f"{speed:.1f} a minute")
        self._tally.setText(" · ".join(words))
        self._tally.setMinimumWidth(max(_TALLY, self._tally.sizeHint().width()))
        self._tally.setAccessibleName("This session: " + ", ".join(words))

    def show_last(self, text: str) -> None:
        """Show what was just done; "" where there is nothing to take back."""
        self._last.setText(text)
        self._undo.setVisible(bool(text))
        self._cap.setVisible(bool(text))

    def show_engine(self, state: EngineState) -> None:
        """Show the engine's state; a bar while it scores."""
        kind = "danger" if not state.ok else "busy" if state.busy else "good" if state.ready else "idle"
        self.engine.show_state(state.text, kind, state.done / state.total if state.total else None)
        self.engine.setToolTip(state.device)

    def show_training(self, state: TrainingState) -> None:
        """Show the retrain that runs or ran last; nothing where there was none."""
        kind = {"failed": "danger", "done": "good", "cancelled": "idle"}.get(state.stage, "busy")
        share = state.done / state.total if state.running and state.total else None
        self.training.setVisible(state.stage != "idle")
        self.training.show_state(state.text, kind, share)
