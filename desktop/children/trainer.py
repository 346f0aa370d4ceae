"""The trainer process of the desktop: one run at a time, its events turned into a `TrainingState`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.children import orphans
from desktop.children.log_file import LogFile
from desktop.children.process import Cancelled, ChildProcess, FailedToStart, ProcessOutcome, sudden_end
from desktop.children.states import EpochPoint, TrainingState
from engine.service import protocol

CANCEL_GRACE_MS = 20_000
CANCELLED = "The retrain was cancelled; the model stays as it was."
STAGE_WORDS = {"train": "Training", "evaluate": "Comparing with the champion", "save": "Saving the candidate"}


class TrainerProcess(QObject):
    """Runs `python -m engine train RUN_FOLDER`; `command(run_folder)` gives its command line.

    `stateChanged(TrainingState)` with every event. For each `start` exactly one of these, unless `suspend` came in
    between: `runEnded(folder)` when a candidate lies in the run folder; `runFailed(folder, sentence, cancelled)` when
    the trainer said so; `crashed(folder, sentence)` when it ended without a word.
    """

    stateChanged = Signal(object)
    runEnded = Signal(object)
    runFailed = Signal(object, str, bool)
    crashed = Signal(object, str)

    def __init__(self, command: Callable[[Path], Sequence[str]], log: LogFile, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._command = command
        self._folder = Path()
        self._last: protocol.RunEnded | protocol.RunFailed | None = None
        self._suspended = False
        self.state = TrainingState()
        self.process = ChildProcess(log, self)
        self.process.started.connect(lambda: orphans.note(self._folder, self.process.pid))
        self.process.lineArrived.connect(self._on_line)
        self.process.ended.connect(self._on_process_ended)

    @property
    def running(self) -> bool:
        """Whether the trainer process is up."""
        return self.process.running

    def start(self, folder: Path) -> None:
        """Train (or go on with) the run in `folder`; nothing happens while another run is under way."""
        if self.running:
            return
        self._folder = folder
        self._last = None
        self.set_state(TrainingState(run=folder.name, stage="start", text="Starting the trainer…"))
        self.process.start(self._command(folder))

    def cancel(self) -> None:
        """End the run for good; it says `runFailed` with `cancelled`."""
        if self.running:
            self.set_state(msgspec.structs.replace(self.state, text="Cancelling the retrain…"))
            self.process.stop(grace_ms=CANCEL_GRACE_MS)

    def suspend(self) -> None:
        """At shutdown: kill the process. The run goes on from its last checkpoint when the desktop starts again."""
        self._suspended = True
        self.process.stop_and_wait(grace_ms=0)

    def set_state(self, state: TrainingState) -> None:
        """Make `state` the current one and tell."""
        self.state = state
        self.stateChanged.emit(state)

    def _on_line(self, line: bytes) -> None:
        try:
            event = protocol.decode_trainer_event(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.process.log.note(f"Ignored a line that is no event ({error}): {line[:200]!r}")
            return
        if isinstance(event, protocol.RunEnded | protocol.RunFailed):
            self._last = event
        else:
            self.set_state(after_event(self.state, event))

    def _on_process_ended(self, outcome: ProcessOutcome) -> None:
        if self._suspended:
            return
        match self._last, outcome:
            case protocol.RunEnded(), _:
                self.runEnded.emit(self._folder)
            case (protocol.RunFailed(cancelled=True), _) | (_, Cancelled()):  # here for good, other than for a command
                self.runFailed.emit(self._folder, CANCELLED, True)
            case protocol.RunFailed(message=message), _:
                self.runFailed.emit(self._folder, message, False)
            case _, FailedToStart(reason=reason):
                self.runFailed.emit(self._folder, f"The trainer could not be started ({reason}).", False)
            case _:
                self.crashed.emit(self._folder, f"{sudden_end('The trainer', outcome)}.")


def after_event(
    state: TrainingState, event: protocol.RunStarted | protocol.RunProgress | protocol.EpochEnded
) -> TrainingState:
    """Return the state after an event of the run under way."""
    replace = msgspec.structs.replace
    if isinstance(event, protocol.RunStarted):
        resumed = f"Going on after epoch {event.epoch}" if event.epoch else "Training"
        return replace(
            state,
            stage="train",
            epoch=event.epoch,
            epochs=event.epochs,
            items=event.items,
            device=event.device,
            text=f"{resumed} on {event.device}",
        )
    if isinstance(event, protocol.RunProgress):
        loss = state.loss if event.loss is None else event.loss
        moved = replace(state, stage=event.stage, done=event.done, total=event.total, loss=loss)
        return replace(moved, text=progress_words(moved))
    scores = {task: metrics.macro_f1 for task, metrics in event.metrics.items()}
    point = EpochPoint(epoch=event.epoch, loss=event.loss, val_loss=event.val_loss, macro_f1=scores)
    history = (*(p for p in state.history if p.epoch < event.epoch), point)
    moved = replace(state, epoch=event.epoch, loss=event.loss, metrics=event.metrics, history=history)
    return replace(moved, text=progress_words(moved))


def progress_words(state: TrainingState) -> str:
    """Return one line such as "Training 40 % · epoch 2 of 6 · validation macro-F1 0.81"."""
    parts = [STAGE_WORDS.get(state.stage, state.stage.capitalize())]
    if state.total:
        parts[0] += f" {100 * state.done // state.total} %"
    if state.stage == "train" and state.epochs:
        parts.append(f"epoch {min(state.epoch + 1, state.epochs)} of {state.epochs}")
    if state.metrics:
        mean = sum(m.macro_f1 for m in state.metrics.values()) / len(state.metrics)
        parts.append(f"validation macro-F1 {mean:.2f}")
    return " · ".join(parts)
