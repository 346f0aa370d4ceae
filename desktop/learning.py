"""When the champion's heads are fitted anew to the reviewers' answers: on demand, and after enough corrections."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from desktop.children.engine_client import EngineClient
from desktop.children.recipes import next_recipe
from desktop.children.refitting import Learned, Refitting
from desktop.children.writer import Writer
from desktop.settings import Settings
from engine.errors import EngineError
from engine.workspace import Workspace


class Learning(QObject):
    """The instant half of learning; the full retrain goes its own way, and a refit catches up with what it missed.

    `stateChanged()` when `text` is another; `adopted(Learned)` when a refit became a model of the workspace;
    `notice(text, kind)` as the desk's.
    """

    stateChanged = Signal()
    adopted = Signal(object)
    notice = Signal(str, str)

    def __init__(
        self, workspace: Workspace, settings: Settings, engine: EngineClient, writer: Writer, parent: QObject | None
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._settings = settings
        self._engine = engine
        self._up_to: int | None = None
        self._missed = False
        self._refused = ""
        self.refitting = Refitting(engine, writer, self)
        self.refitting.stateChanged.connect(self.stateChanged)
        self.refitting.adopted.connect(self._on_adopted)
        self.refitting.failed.connect(self._on_failed)

    @property
    def text(self) -> str:
        """What the refit under way does, "" while there is none."""
        return self.refitting.text

    def now(self) -> None:
        """Refit in the background; a notice says why where that cannot be."""
        if self.refitting.running:
            self.notice.emit("The model is learning from your answers already.", "info")
        elif self._workspace.models.champion() is None:
            self.notice.emit("There is no model yet: retrain to make the first one.", "info")
        elif not self._engine.ready:
            self.notice.emit("The engine has no model in memory yet; try again when it is ready.", "info")
        else:
            self._begin()

    def if_enough(self) -> None:
        """Refit where the champion does not know as many corrections as the settings say, or missed any in training."""
        limit = self._settings.refit_after
        if not limit or self.refitting.running or not self._engine.ready or self._engine.state.model == self._refused:
            return
        if self._unlearned() >= (1 if self._missed else limit):
            self._begin()
        self._missed = False

    def retrained(self, up_to: int | None) -> None:
        """A full retrain that knows the decisions up to this number became champion: catch up once it is loaded."""
        self._up_to, self._missed = up_to, True

    def _unlearned(self) -> int:
        """Return how many standing corrections the champion has not learned from, nor a refit that was not adopted."""
        if self._up_to is None:
            champion = self._workspace.models.champion()
            self._up_to = max(champion.card.decisions, default=0) if champion is not None else 0
        return self._workspace.decisions.corrections_since(self._up_to)

    def _begin(self) -> None:
        try:
            recipe = next_recipe(self._workspace, None, ())
        except EngineError as error:
            self.notice.emit(str(error), "error")
            return
        self._up_to = self._workspace.decisions.head()[0]
        self.refitting.start(recipe)

    def _on_adopted(self, learned: Learned) -> None:
        if not learned.outcome.better:
            reason = learned.outcome.reason
            self.notice.emit(f"{learned.text}, but the model before stays. {reason}", "info")
        self.adopted.emit(learned)

    def _on_failed(self, message: str, cancelled: bool) -> None:
        """Not tried again by itself with the same model; on demand it is."""
        self._refused = self._refused if cancelled else self._engine.state.model
        self.notice.emit(message, "info")
