"""What the engine and the trainer are doing right now, as the status bar and the models page show it."""

from __future__ import annotations

import msgspec

from engine.types import Outcome, TaskMetrics


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """The engine service in one sentence. `done` of `total` is the bulk scoring under way (0 of 0 when none).

    `ok` is False while the service is down or cannot do its work; `ready` is True while a model is in memory.
    `device` is in words, such as "CPU, 2 threads"; `model` is the id of the loaded model.
    """

    text: str
    busy: bool = False
    done: int = 0
    total: int = 0
    ok: bool = True
    ready: bool = False
    device: str = ""
    model: str = ""


class EpochPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One epoch of a running retrain: losses, and the validation macro-F1 of every task in [0, 1]."""

    epoch: int
    loss: float
    val_loss: float | None
    macro_f1: dict[str, float]


class TrainingState(msgspec.Struct, frozen=True, kw_only=True):
    """The running (or last) retrain. `stage` is one of the `STAGES`; "idle" means that nothing was started yet.

    `done` of `total` are steps of the whole run. `metrics` are the newest validation scores per task. `history` has a
    point for each epoch that ended. `outcome` is there once a candidate was compared with the champion.
    """

    run: str = ""
    stage: str = "idle"
    done: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    metrics: dict[str, TaskMetrics] = {}
    history: tuple[EpochPoint, ...] = ()
    items: dict[str, int] = {}
    device: str = ""
    text: str = ""
    outcome: Outcome | None = None

    @property
    def running(self) -> bool:
        """Whether a retrain is under way, from taking its snapshot to adopting its candidate."""
        return self.stage in RUNNING


RUNNING = ("prepare", "start", "train", "evaluate", "save", "adopt")
ENDED = ("done", "failed", "cancelled")
STAGES = ("idle", *RUNNING, *ENDED)
