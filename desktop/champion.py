"""The model that gives the verdicts: in the engine's memory, scoring and explaining, and replaced by a better one."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal

from desktop.children.engine_client import EngineClient
from desktop.children.explaining import Explaining
from desktop.children.jobs import CountFlips, Promote, RollBack, SpreadItems
from desktop.children.refitting import Learned
from desktop.children.scoring import BulkScoring
from desktop.children.writer import JobFailure, Writer
from engine.errors import EngineError
from engine.types import ItemContent
from engine.workspace import Workspace
from engine.workspace.flips import FlipCounts

SETTLING_ITEMS = 256
"""So many items tell the engine in which arithmetic to run a model; fewer than 200 tell it how to explain, no more."""


class Champion(QObject):
    """The champion of an open workspace; `model` is its id, "" while there is none.

    `scoring` gives items their verdicts, `explaining` says why.

    `changed(model id)` when another model is the champion; `ready()` when the engine has it in memory, and items that
    lack a verdict get one; `scored()` once every item has one; `countsChanged()` and `flipped(text)` as the desk's
    for what a new champion changed; `notice(text, kind)` as the desk's.
    """

    changed = Signal(str)
    ready = Signal()
    scored = Signal()
    countsChanged = Signal()
    flipped = Signal(str)
    notice = Signal(str, str)

    def __init__(
        self, workspace: Workspace, engine: EngineClient, writer: Writer, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._engine, self._writer = workspace, engine, writer
        found = workspace.models.champion()
        self.model = found.card.id if found is not None else ""
        self._previous = ""
        self._settling, self._settled_by = 0, ("", 0)
        self._refused: set[str] = set()
        self._learned: Learned | None = None
        self._closed = False
        self.scoring = BulkScoring(engine, writer, self)
        self.explaining = Explaining(workspace, engine, writer, self)
        engine.loaded.connect(self._on_loaded)
        engine.loadFailed.connect(self._say_error)
        engine.failed.connect(self._on_failed)
        engine.ended.connect(self._on_ended)
        self.scoring.finished.connect(self._on_scored)
        self.scoring.failed.connect(self._say_error)

    def load(self) -> None:
        """Let the engine read it."""
        folder = None
        try:
            folder = self._workspace.models.folder(self.model) if self.model else None
        except EngineError as error:
            self._say_error(str(error))
        self._engine.load(folder)

    def close(self) -> None:
        """Stop scoring; from now on no model takes its place."""
        self._closed = True
        self.scoring.cancel()

    def score_missing(self, *, more: bool = False) -> None:
        """Score every item without a verdict of it; `more`: what came in while that goes on, after it."""
        if self._engine.ready and self._engine.state.model == self.model:
            (self.scoring.more if more else self.scoring.start)(self.model)

    # --- what takes its place ---------------------------------------------------------------------------------

    def change(self, model: str) -> None:
        """Put another model in its place, which is the workspace's champion already."""
        if self._closed or model == self.model:
            return
        self.scoring.cancel()
        self.explaining.cancel_all()
        self._engine.cancel(self._settling)
        self._previous, self.model, self._learned = self.model, model, None
        self.load()
        self.changed.emit(model)

    def take_refit(self, learned: Learned) -> None:
        """Put a refit in its place; what is said of the verdicts that it changes begins with what it learned."""
        self.change(learned.outcome.model)
        self._learned = learned

    def promote(self, model: str, reason: str) -> None:
        """Make a model the champion."""
        self._writer.submit(Promote(model, reason), self.change, self._on_job_failed)

    def roll_back(self) -> None:
        """Make the champion before this one the champion again."""
        self._writer.submit(RollBack(), self._on_rolled_back, self._on_job_failed)

    def _on_rolled_back(self, model: str) -> None:
        """Take the champion before back; its verdicts are those from before, so there is nothing to say of them."""
        self.change(model)
        self._previous = ""
        self.countsChanged.emit()

    # --- what the engine reports ------------------------------------------------------------------------------

    def _on_loaded(self, model: str) -> None:
        if model == self.model:
            self._settled_by = ("", 0)
            self.score_missing()
            self.ready.emit()

    def _on_scored(self) -> None:
        """Say what a new champion changed, once every item has its verdict."""
        self.scored.emit()
        self._settle()
        before, learned = self._previous, self._learned
        self._previous, self._learned = "", None
        if before or learned is not None:
            job = CountFlips(self.model)
            self._writer.submit(job, lambda counts: self._say_flips(counts, learned), self._on_job_failed)

    def _settle(self) -> None:
        """Let the engine choose its arithmetic by items that have their verdicts, unless scoring them told enough.

        Again where there are more items than before. Never again where it failed: where the processor cannot do what it
        says that it can, the engine ends with it.
        """
        if self._engine.ready and not self._engine.settled and self.model not in self._refused:
            job = SpreadItems(self.model, SETTLING_ITEMS)
            self._writer.submit(job, partial(self._on_spread, self.model), self._on_job_failed)

    def _on_spread(self, model: str, items: tuple[ItemContent, ...]) -> None:
        by = model, len(items)
        if model == self.model == self._engine.state.model and not self._settling and by != self._settled_by:
            self._settled_by, self._settling = by, self._engine.settle(items)

    def _on_failed(self, request: int, message: str) -> None:
        """Say nothing of it: the model goes on as it was."""
        if request == self._settling:
            self._refused.add(self.model)

    def _on_ended(self, request: int) -> None:
        if request == self._settling:
            self._settling = 0

    def _say_flips(self, counts: FlipCounts, learned: Learned | None) -> None:
        self.countsChanged.emit()
        words = counts.words if learned is None else f"{learned.text}; {counts.words[0].lower()}{counts.words[1:]}"
        if counts.waiting:
            self.flipped.emit(words)
        else:
            self.notice.emit(words, "info" if learned is None else "success")

    def _say_error(self, message: str) -> None:
        self.notice.emit(message, "error")

    def _on_job_failed(self, failure: JobFailure) -> None:
        self.notice.emit(failure.message, failure.kind)
