"""A retrain from start to end: snapshot, trainer process, adoption; and the count of corrections that starts one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from desktop.children.jobs import AdoptRun, FindUnfinished, MarkRun, PrepareRun
from desktop.children.log_file import LogFile
from desktop.children.states import TrainingState
from desktop.children.trainer import CANCELLED, TrainerProcess
from desktop.children.writer import JobFailure, Writer
from engine.types import Outcome

RESTART_PAUSES_MS = (1000, 5000, 20_000)
"""A trainer that died is started again after these pauses; the run goes on from its last checkpoint."""


class Retraining(QObject):
    """One retrain at a time, and none lost: what was under way when the desktop ended goes on at the next start.

    `stateChanged(TrainingState)` all along; `adopted(Outcome)` when a candidate became a model of the workspace;
    `failed(sentence, cancelled)` when there will be none; `died(sentence)` when the trainer did, but is started again.
    """

    stateChanged = Signal(object)
    adopted = Signal(object)
    failed = Signal(str, bool)
    died = Signal(str)

    def __init__(
        self,
        command: Callable[[Path], Sequence[str]],
        log: LogFile,
        writer: Writer,
        parent: QObject | None = None,
        *,
        pauses_ms: Sequence[int] = RESTART_PAUSES_MS,
    ) -> None:
        super().__init__(parent)
        self._writer = writer
        self._pauses = tuple(pauses_ms)
        self._crashes = 0
        self._folder: Path | None = None
        self._ticket = 0
        self._looking = False
        self._wanted = ""
        self._closing = False
        self.trainer = TrainerProcess(command, log, self)
        self.trainer.stateChanged.connect(self.stateChanged)
        self.trainer.runEnded.connect(self._on_run_ended)
        self.trainer.runFailed.connect(self._on_run_failed)
        self.trainer.crashed.connect(self._on_crashed)
        self._restart = QTimer(self, singleShot=True)
        self._restart.timeout.connect(self._start_trainer)

    @property
    def state(self) -> TrainingState:
        """The newest state."""
        return self.trainer.state

    @property
    def running(self) -> bool:
        """Whether a retrain is under way, from taking its snapshot to adopting its candidate."""
        return self.state.running

    @property
    def busy(self) -> bool:
        """Whether a retrain is under way, or it is not yet known whether one goes on from before."""
        return self.running or self._looking

    def start(self, recipe: str) -> bool:
        """Begin a retrain with this recipe (TOML text); False while another one is under way."""
        if self.running or self._closing:
            return False
        if self._looking:
            self._wanted = recipe
            return True
        self._set(TrainingState(stage="prepare", text="Taking a snapshot of the decisions…"))
        self._ticket = self._writer.submit(PrepareRun(recipe), self._on_prepared, self._on_job_failed)
        return True

    def resume(self) -> None:
        """Go on with the run that a window left behind; a `start` meanwhile waits to hear whether there is one."""
        self._looking = True
        self._writer.submit(FindUnfinished(), self._on_found, self._on_lost)

    def _on_found(self, folder: Path | None) -> None:
        self._looking = False
        wanted, self._wanted = self._wanted, ""
        if folder is not None:
            self._on_prepared(folder)
        elif wanted:
            self.start(wanted)

    def _on_lost(self, failure: JobFailure) -> None:
        self._on_found(None)
        if not self.running:
            self.failed.emit(failure.message, False)

    def cancel(self) -> None:
        """End the retrain under way for good; nothing happens when its candidate is being adopted already."""
        if self.state.stage == "prepare":
            self._writer.cancel(self._ticket)
        elif self.trainer.running:
            self.trainer.cancel()
        elif self._restart.isActive():
            self._restart.stop()
            self._end(CANCELLED, cancelled=True)

    def suspend(self) -> None:
        """At shutdown: stop now; the run goes on when the desktop starts again."""
        self._closing = True
        self._restart.stop()
        self.trainer.suspend()

    def _on_prepared(self, folder: Path) -> None:
        self._folder = folder
        self._crashes = 0
        self._start_trainer()

    def _start_trainer(self) -> None:
        if self._folder is not None and not self._closing:
            self._mark("running")
            self.trainer.start(self._folder)

    def _mark(self, state: str, message: str = "") -> None:
        if self._folder is not None:
            self._writer.submit(MarkRun(self._folder.name, state, message), _nothing, _nothing)

    def _on_run_ended(self, folder: Path) -> None:
        self._set(msgspec.structs.replace(self.state, stage="adopt", text="Taking in the new model…"))
        self._writer.submit(AdoptRun(folder), self._on_adopted, self._on_job_failed)

    def _on_adopted(self, outcome: Outcome) -> None:
        what = "gives the verdicts from now on" if outcome.better else "was kept, and the champion stays"
        text = f"The new model {what}. {outcome.reason}"
        self._folder = None
        self._set(msgspec.structs.replace(self.state, stage="done", text=text, outcome=outcome))
        self.adopted.emit(outcome)

    def _on_run_failed(self, _folder: Path, message: str, cancelled: bool) -> None:
        self._end(message, cancelled=cancelled)

    def _on_crashed(self, _folder: Path, message: str) -> None:
        if self._crashes >= len(self._pauses):
            self._end(f"{message} It was started {self._crashes + 1} times; giving up.", cancelled=False)
            return
        pause = self._pauses[self._crashes]
        self._crashes += 1
        text = f"{message} The retrain goes on from its last checkpoint in {pause / 1000:g} s."
        self._set(msgspec.structs.replace(self.state, text=text))
        self._restart.start(pause)
        self.died.emit(text)

    def _on_job_failed(self, failure: JobFailure) -> None:
        self._end(failure.message, cancelled=failure.cancelled)

    def _end(self, message: str, *, cancelled: bool) -> None:
        stage = "cancelled" if cancelled else "failed"
        self._mark(stage, message)
        self._folder = None
        self._set(msgspec.structs.replace(self.state, stage=stage, text=message))
        self.failed.emit(message, cancelled)

    def _set(self, state: TrainingState) -> None:
        self.trainer.set_state(state)


def _nothing(_result: object) -> None:
    """How a run stands is for the list of runs; the state above already told it."""
