"""A refit from start to end: snapshot, the engine's second of work, adoption. The trainer may be at it meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.children.engine_client import EngineClient
from desktop.children.jobs import AdoptRun, MarkRun, PrepareRefit
from desktop.children.writer import JobFailure, Writer
from engine.counting import counted
from engine.service.protocol import Refitted
from engine.types import Outcome


class Learned(msgspec.Struct, frozen=True):
    """What a refit came to: how it compares, how many answers were new, and the seconds from the asking to here."""

    outcome: Outcome
    answers: int
    seconds: float

    @property
    def text(self) -> str:
        """The result in one calm line, without the verdicts that it changes."""
        return f"Learned from {counted(self.answers, 'new answer')} in {self.seconds:.1f} s"


class Refitting(QObject):
    """One refit at a time. A window that closes meanwhile loses nothing: the next refit learns from the same answers.

    `stateChanged()` when `text` is another; `adopted(Learned)` when the candidate became a model of the workspace;
    `failed(sentence, cancelled)` when there will be none.
    """

    stateChanged = Signal()
    adopted = Signal(object)
    failed = Signal(str, bool)

    def __init__(self, engine: EngineClient, writer: Writer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._writer = writer
        self._folder: Path | None = None
        self._ticket = self._request = 0
        self._result: Refitted | None = None
        self._complaint = ""
        self._began = 0.0
        self.text = ""
        engine.refitting.connect(self._on_progress)
        engine.refitted.connect(self._on_refitted)
        engine.failed.connect(self._on_failed)
        engine.ended.connect(self._on_ended)

    @property
    def running(self) -> bool:
        """Whether a refit is under way, from taking its snapshot to adopting its candidate."""
        return bool(self.text)

    def start(self, recipe: str) -> None:
        """Begin a refit with this recipe (TOML text); nothing happens while one is under way."""
        if self.running:
            return
        self._began = time.monotonic()
        self._folder, self._result, self._complaint = None, None, ""
        self._say("Taking a snapshot of the decisions…")
        self._ticket = self._writer.submit(PrepareRefit(recipe), self._on_prepared, self._on_job_failed)

    def cancel(self) -> None:
        """End the refit under way; nothing happens when its candidate is being adopted already."""
        self._writer.cancel(self._ticket)
        if self._request:
            self._engine.cancel(self._request)

    def _on_prepared(self, folder: Path) -> None:
        self._folder = folder
        self._say("Learning from your answers…")
        self._request = self._engine.refit(folder)

    def _on_progress(self, request: int, text: str) -> None:
        if request == self._request:
            self._say(text)

    def _on_refitted(self, request: int, result: Refitted) -> None:
        if request == self._request:
            self._result = result

    def _on_failed(self, request: int, message: str) -> None:
        if request == self._request:
            self._complaint = message

    def _on_ended(self, request: int) -> None:
        if request != self._request or self._folder is None:
            return
        self._request = 0
        if self._result is None:
            self._end(self._complaint or "Learning from your answers was cancelled.", cancelled=not self._complaint)
            return
        self._ticket = self._writer.submit(AdoptRun(self._folder), self._on_adopted, self._on_job_failed)

    def _on_adopted(self, outcome: Outcome) -> None:
        answers = self._result.answers if self._result is not None else 0
        self._say("")
        self.adopted.emit(Learned(outcome, answers, time.monotonic() - self._began))

    def _on_job_failed(self, failure: JobFailure) -> None:
        self._end(failure.message, cancelled=failure.cancelled)

    def _end(self, message: str, *, cancelled: bool) -> None:
        if self._folder is not None:
            state = "cancelled" if cancelled else "failed"
            self._writer.submit(MarkRun(self._folder.name, state, message), _nothing, _nothing)
        self._say("")
        self.failed.emit(message, cancelled)

    def _say(self, text: str) -> None:
        self.text = text
        self.stateChanged.emit()


def _nothing(_result: object) -> None:
    """How a run stands is for the list of runs; whoever asked for it was told already."""
