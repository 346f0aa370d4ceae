"""What happens around the loop: progress, checkpoints, the best epoch, early stop, cancelling."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import CancelledError
from engine.service.protocol import EpochEnded, RunProgress, RunStarted, TrainerEvent
from engine.training.loop import Callback
from engine.training.state import save_state

Emit = Callable[[TrainerEvent], None]
Clock = Callable[[], float]

PROGRESS_SECONDS = 0.2


class Cancel(Callback):
    """Ends the run as soon as `cancelled` says so."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled

    def check(self) -> None:
        """Raise `CancelledError` if the run is to end."""
        if self._cancelled():
            raise CancelledError("Training was cancelled; it goes on from here when it is started again.")

    def working(self) -> None:
        """See `Callback`."""
        self.check()

    def step_ended(self) -> None:
        """See `Callback`."""
        self.check()


class BestWeights(Callback):
    """Keeps the weights of the best epoch: highest mean macro-F1 (then lowest loss), or lowest validation loss."""

    def __init__(self, best_by: str) -> None:
        self._best_by = best_by

    def epoch_ended(self) -> None:
        """See `Callback`."""
        loop, scores = self.loop, self.loop.scores
        position = loop.position
        score = (scores.macro_f1, -scores.loss) if self._best_by == "macro-f1" else (-scores.loss,)
        if position.best and score <= position.best:
            position.waited += 1
            return
        position.best, position.best_epoch, position.waited = score, position.epoch, 0
        loop.best = {name: value.detach().cpu().clone() for name, value in loop.network.state_dict().items()}


class EarlyStop(Callback):
    """Stops after `patience` epochs without a better one; 0 never stops. Comes after `BestWeights`."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def epoch_ended(self) -> None:
        """See `Callback`."""
        if self._patience and self.loop.position.waited >= self._patience:
            self.loop.position.stopped = True


class Progress(Callback):
    """Emits the run's events, steps at most five times a second."""

    def __init__(
        self, emit: Emit, run: str, items: dict[str, int], *, after: int, clock: Clock = time.monotonic
    ) -> None:
        self._emit = emit
        self._run = run
        self._items = items
        self._after = after
        self._clock = clock
        self._last = -PROGRESS_SECONDS

    def started(self) -> None:
        """See `Callback`."""
        loop = self.loop
        self._emit(
            RunStarted(
                run=self._run,
                device=loop.device.words,
                epochs=loop.settings.epochs,
                epoch=loop.position.epoch,
                items=self._items,
            )
        )

    def step_ended(self) -> None:
        """See `Callback`."""
        loop, now = self.loop, self._clock()
        if now - self._last >= PROGRESS_SECONDS or loop.position.step == loop.steps_per_epoch:
            self._last = now
            loss = loop.position.loss / loop.position.seen
            total = loop.steps + self._after
            self._emit(RunProgress(run=self._run, stage="train", done=loop.steps_done, total=total, loss=loss))

    def epoch_ended(self) -> None:
        """See `Callback`."""
        loop, scores = self.loop, self.loop.scores
        epoch = loop.position.epoch
        self._emit(EpochEnded(run=self._run, epoch=epoch, loss=loop.loss, val_loss=scores.loss, metrics=scores.metrics))


class Checkpoint(Callback):
    """Saves the run's state after an epoch or step when `seconds` have passed since the last time, and at every end.

    Comes last, so that it saves what the others decided.
    """

    def __init__(self, path: Path, seconds: float, *, clock: Clock = time.monotonic) -> None:
        self._path = path
        self._seconds = seconds
        self._clock = clock
        self._last = clock()

    def step_ended(self) -> None:
        """See `Callback`."""
        if self._clock() - self._last >= self._seconds:
            self._save()

    def epoch_ended(self) -> None:
        """See `Callback`."""
        self.step_ended()

    def interrupted(self) -> None:
        """See `Callback`."""
        self._save()

    def ended(self) -> None:
        """See `Callback`."""
        self._save()

    def _save(self) -> None:
        save_state(self._path, self.loop.state())
        self._last = self._clock()
