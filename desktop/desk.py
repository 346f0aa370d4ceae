"""The session object of one open workspace: its database, its child processes, its worker threads, as one `QObject`.

Widgets talk to a `Desk` and to nothing behind it. It never blocks: what may take long answers by a signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.champion import Champion
from desktop.children.capturing import Capturing
from desktop.children.desk_lock import DeskLock
from desktop.children.engine_client import EngineClient
from desktop.children.jobs import PickBatch, is_large
from desktop.children.log_file import LogFile
from desktop.children.process import engine_command
from desktop.children.recipes import next_recipe, with_masked
from desktop.children.refitting import Learned
from desktop.children.retraining import Retraining
from desktop.children.states import EngineState, TrainingState
from desktop.children.writer import JobFailure, Writer
from desktop.elsewhere import Elsewhere
from desktop.importing import Importing
from desktop.learning import Learning
from desktop.settings import RETRAIN_AFTER, Settings
from desktop.upkeep import Upkeep
from engine.errors import EngineError
from engine.service.protocol import Priority
from engine.types import Action, Decision, Outcome
from engine.workspace import Workspace
from engine.workspace.teaching import Batch

if TYPE_CHECKING:
    from engine.intake import ImportReport


class DeskCommands(msgspec.Struct, frozen=True):
    """How the children are started; tests put small scripts here."""

    engine: tuple[str, ...] = engine_command("serve")
    trainer: tuple[str, ...] = engine_command("train")
    capture: tuple[str, ...] = engine_command("capture")


class Desk(QObject):
    """One open workspace and everything that works on it.

    Open it with the workspace's folder; `EngineError` says why it cannot be opened (missing, damaged, newer, or open
    in another window). Call `start()` once the window is up: it starts the engine service, goes on with unfinished
    runs and scores what lacks a verdict. Call `close()` before the application ends.

    Signals:
        verdictsChanged(list[str]): ids of items whose champion's verdicts can be read anew from the workspace.
        explanationArrived(Explanation): a stored one, a preview (`final` is False) or a final one.
        explanationFailed(item, task, label, sentence): there will be none, and why.
        engineStateChanged(EngineState), trainingStateChanged(TrainingState): see `desktop.children.states`.
        championChanged(model id): another model is the champion; its verdicts arrive by `verdictsChanged`.
        modelsChanged(): the list of models, or which of them is the champion, is another.
        countsChanged(): items were imported or decisions recorded; `workspace.queues.counts()` may be another.
        correctionsChanged(): the corrections since the last retrain, or after how many one starts, are others.
        importProgressed(done, total), importEnded(ImportReport): the import under way.
        decidedElsewhere(list[Decision]): a command beside this window recorded them.
        flipped(text): a new champion changed verdicts that are to be looked at: the queue "flips"; and how many.
        picked(Batch): other items are the queue "teach".
        notice(text, kind): one sentence for the notice line; kind is "info", "success", "warning" or "error".
        closed(): children and threads have ended.
    """

    verdictsChanged = Signal(list)
    explanationArrived = Signal(object)
    explanationFailed = Signal(str, str, str, str)
    engineStateChanged = Signal(object)
    trainingStateChanged = Signal(object)
    championChanged = Signal(str)
    modelsChanged = Signal()
    countsChanged = Signal()
    correctionsChanged = Signal()
    decidedElsewhere = Signal(list)
    importProgressed = Signal(int, int)
    importEnded = Signal(object)
    flipped = Signal(str)
    picked = Signal(object)
    notice = Signal(str, str)
    closed = Signal()

    def __init__(
        self,
        path: Path | str,
        *,
        settings: Settings | None = None,
        commands: DeskCommands | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.path = Path(path)
        self.settings = settings if settings is not None else Settings(parent=self)
        self._lock = DeskLock(self.path)
        self._large = is_large(self.path)
        try:
            self.workspace = Workspace.open(self.path, check=not self._large)
        except EngineError:
            self._lock.release()
            raise
        self._commands = commands or DeskCommands()
        self._learned_up_to: int | None = None
        self._closed = False
        self._build()
        self._connect()

    def _build(self) -> None:
        """Make the children and what works with them; nothing is started yet."""
        self._writer = Writer(self.path, "writer", self)
        self._long_jobs = Writer(self.path, "long jobs", self)
        self._engine = EngineClient((*self._commands.engine, str(self.path)), LogFile(self.engine_log), self)
        self._champion = Champion(self.workspace, self._engine, self._writer, self)
        self._learning = Learning(self.workspace, self.settings, self._engine, self._writer, self)
        trainer, capture = self._commands.trainer, self._commands.capture
        log = LogFile(self.path / "logs" / "capture.log")
        self._retraining = Retraining(lambda run: (*trainer, str(run)), LogFile(self.trainer_log), self._writer, self)
        self.capturing = Capturing(lambda job: (*capture, str(job)), log, self._writer, self)
        self._importing = Importing(self._long_jobs, self)
        self._upkeep = Upkeep(self._long_jobs, self)
        self._elsewhere = Elsewhere(self.workspace, self)

    def _connect(self) -> None:
        champion, learning = self._champion, self._learning
        champion.scored.connect(self._announce_engine)
        self._engine.stateChanged.connect(self._announce_engine)
        for child in (self._engine, self._retraining):
            child.died.connect(lambda sentence: self.notice.emit(sentence, "warning"))
        learning.stateChanged.connect(self._announce_engine)
        champion.scoring.progressed.connect(self._announce_engine)
        champion.scoring.verdictsStored.connect(self.verdictsChanged)
        champion.explaining.arrived.connect(self.explanationArrived)
        champion.explaining.failed.connect(self.explanationFailed)
        champion.ready.connect(learning.if_enough)
        champion.changed.connect(self._on_champion)
        champion.flipped.connect(self.flipped)
        learning.adopted.connect(self._on_refit_adopted)
        self._retraining.stateChanged.connect(self.trainingStateChanged)
        self._retraining.adopted.connect(self._on_adopted)
        self._retraining.failed.connect(self._on_retrain_failed)
        self.capturing.taken.connect(self._on_captured)
        self._importing.progressed.connect(self.importProgressed)
        self._importing.ended.connect(self._on_import_ended)
        champion.countsChanged.connect(self.countsChanged)
        self._upkeep.countsChanged.connect(self.countsChanged)
        for notice in (champion.notice, learning.notice, self._importing.notice, self._upkeep.notice):
            notice.connect(self.notice)
        self.settings.changed.connect(self._on_setting)
        self._elsewhere.decided.connect(self._on_decided_elsewhere)
        self._elsewhere.itemsChanged.connect(self._on_items_elsewhere)

    # --- the life of a session --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine service and the worker threads, and go on with what was under way."""
        self._writer.start()
        self._long_jobs.start()
        self._champion.load()
        self._engine.start()
        self._retraining.resume()
        self.capturing.look()
        for warning in self.workspace.warnings:
            self.notice.emit(warning, "warning")
        self._upkeep.start(check=self._large)
        self._elsewhere.start()

    def close(self) -> None:
        """End everything: queued writes are finished, an import and a retrain stop where they are and can go on."""
        if self._closed:
            return
        self._closed = True
        self._elsewhere.stop()
        self._upkeep.stop()
        self._retraining.suspend()
        self.capturing.close()
        self._champion.close()
        self._engine.close()
        self._long_jobs.cancel_all()
        self._long_jobs.close()
        self._writer.close()
        self.workspace.close()
        self._lock.release()
        self.closed.emit()

    # --- what is going on -------------------------------------------------------------------------------------

    @property
    def champion(self) -> str:
        """The id of the champion model, "" while there is none."""
        return self._champion.model

    @property
    def engine_state(self) -> EngineState:
        """The engine service right now, with the bulk scoring under way in `done` and `total`."""
        state, scoring = self._engine.state, self._champion.scoring
        if state.ready and self._learning.text:
            return msgspec.structs.replace(state, text=self._learning.text, busy=True)
        if not (state.ready and scoring.running and scoring.total):
            return state
        done, total = scoring.done, scoring.total
        return msgspec.structs.replace(state, text=f"Scoring {done:,} of {total:,}", busy=True, done=done, total=total)

    @property
    def training_state(self) -> TrainingState:
        """The running or last retrain."""
        return self._retraining.state

    @property
    def engine_log(self) -> Path:
        """The engine service's standard error."""
        return self.path / "logs" / "engine.log"

    @property
    def trainer_log(self) -> Path:
        """The trainer's standard error."""
        return self.path / "logs" / "trainer.log"

    # --- explaining and scoring -------------------------------------------------------------------------------

    def explain(self, item_id: str, task: str, label: str, priority: Priority = Priority.LOOKING) -> bool:
        """Ask why the champion gives `label` its probability; `explanationArrived` brings the answers.

        A stored explanation is emitted before this returns. Asking again while an answer is on its way costs nothing,
        and with a more urgent priority moves it forward. True while an answer is on its way; False where it was
        stored, or where there is no champion.
        """
        return self._champion.explaining.explain(self.champion, (item_id, task, label), priority)

    def cancel_explain(self, item_id: str, task: str, label: str) -> None:
        """Stop asking for one explanation."""
        self._champion.explaining.cancel((item_id, task, label))

    def cancel_explains(self, keep: Sequence[str] = ()) -> None:
        """Stop asking for explanations, but for those of the items in `keep` (on screen or about to be)."""
        self._champion.explaining.cancel_all(keep=frozenset(keep))

    def score_missing(self) -> None:
        """Score every item without a verdict of the champion."""
        self._champion.score_missing()

    def cancel_scoring(self) -> None:
        """Stop the bulk scoring; `score_missing` goes on where it ended."""
        self._champion.scoring.cancel()
        self._announce_engine()

    # --- decisions and retraining -----------------------------------------------------------------------------

    def corrections(self) -> int:
        """Return how many standing corrections no retrain has learned from."""
        if self._learned_up_to is None:
            cards = (row.card for row in self.workspace.models.list() if not row.card.base)
            self._learned_up_to = max((max(card.decisions, default=0) for card in cards), default=0)
        return self.workspace.decisions.corrections_since(self._learned_up_to)

    def decisions_recorded(self, decisions: Sequence[Decision]) -> None:
        """Tell the desk what was just committed (decisions or an undo); enough corrections start a retrain."""
        if self._closed:
            return
        self._elsewhere.own(decisions)
        self.countsChanged.emit()
        if not any(decision.action in (Action.CORRECT, Action.UNDO) for decision in decisions):
            return
        self.correctionsChanged.emit()
        self._learning.if_enough()
        self._retrain_if_enough()

    def start_refit(self) -> None:
        """Fit the champion's heads anew in the background; a notice says how it ended, or why it cannot be done now."""
        self._learning.now()

    def _retrain_if_enough(self) -> None:
        limit = self.settings.retrain_after
        if limit and not self._retraining.busy and self.corrections() >= limit:
            self.start_retrain()

    def start_retrain(self, recipe: str | None = None, overrides: Sequence[str] = (), *, masked: str = "") -> None:
        """Start a retrain in the background; a notice says why where it cannot.

        `recipe` is TOML text; None means `recipe.toml` in the workspace's folder, else the champion's recipe, else
        the default one.
        `overrides` are such as "training.epochs=3"; `masked` is a region of the page that the new model shall not see.
        """
        if self._retraining.running:
            self.notice.emit("A retrain is under way already.", "info")
            return
        try:
            text = next_recipe(self.workspace, recipe, overrides)
            text = with_masked(text, masked) if masked else text
        except EngineError as error:
            self.notice.emit(str(error), "error")
            return
        if self._retraining.start(text):
            self._learned_up_to = self.workspace.decisions.head()[0]
            self.correctionsChanged.emit()

    def cancel_retrain(self) -> None:
        """End the retrain under way for good."""
        self._retraining.cancel()

    def promote(self, model: str, reason: str = "Promoted by hand.") -> None:
        """Make a model the champion; `championChanged` says when it is."""
        self._champion.promote(model, reason)

    def roll_back(self) -> None:
        """Make the champion before this one the champion again."""
        self._champion.roll_back()

    def pick_batch(self) -> None:
        """Pick the items to teach the model with next."""
        job = PickBatch(seed=self.workspace.decisions.head()[0])
        self._long_jobs.submit(job, self._on_picked, self._on_job_failed)

    # --- imports and backups ----------------------------------------------------------------------------------

    @property
    def importing(self) -> bool:
        """Whether an import is under way."""
        return self._importing.running

    def import_paths(self, paths: Sequence[Path | str], *, strict: bool = False) -> None:
        """Import files and folders in the background; `importProgressed` and `importEnded` tell how it goes."""
        self._importing.start(paths, strict=strict)

    def cancel_import(self) -> None:
        """Stop the import; what is in of a large file stays, and importing it again goes on there."""
        self._importing.cancel()

    def back_up(self) -> None:
        """Make a verified backup in the background if one is due."""
        self._upkeep.back_up()

    # --- what children report ---------------------------------------------------------------------------------

    def _announce_engine(self, *_: object) -> None:
        self.engineStateChanged.emit(self.engine_state)

    def _on_picked(self, batch: Batch) -> None:
        self.countsChanged.emit()
        self.picked.emit(batch)

    def _on_adopted(self, outcome: Outcome) -> None:
        self.modelsChanged.emit()
        self.notice.emit(self._retraining.state.text, "success" if outcome.better else "info")
        if outcome.better:
            self._learning.retrained(self._learned_up_to)
            self._champion.change(outcome.model)
        self.correctionsChanged.emit()
        self._retrain_if_enough()

    def _on_refit_adopted(self, learned: Learned) -> None:
        self.modelsChanged.emit()
        if learned.outcome.better:
            self._champion.take_refit(learned)

    def _on_champion(self, model: str) -> None:
        self.modelsChanged.emit()
        self.championChanged.emit(model)

    def _on_retrain_failed(self, message: str, cancelled: bool) -> None:
        self.notice.emit(message, "info" if cancelled else "error")
        self.correctionsChanged.emit()

    def _on_captured(self, _items: Sequence[str]) -> None:
        self.countsChanged.emit()
        self._champion.score_missing(more=True)

    def _on_import_ended(self, report: ImportReport | None) -> None:
        self.countsChanged.emit()
        self.importEnded.emit(report)
        if report is not None:
            self._champion.score_missing()

    def _on_decided_elsewhere(self, decisions: list[Decision]) -> None:
        self.decidedElsewhere.emit(decisions)
        self.countsChanged.emit()
        self.correctionsChanged.emit()

    def _on_items_elsewhere(self) -> None:
        """Ask for verdicts of what came in; an import of this window does so at its end."""
        self.countsChanged.emit()
        if not self.importing:
            self._champion.score_missing(more=True)

    def _on_setting(self, name: str) -> None:
        if name == RETRAIN_AFTER:
            self.correctionsChanged.emit()

    def _on_job_failed(self, failure: JobFailure) -> None:
        self.notice.emit(failure.message, failure.kind)
