"""Gives every item without a verdict one, a window at a time, without ever flooding the engine or the database."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from desktop.children.engine_client import EngineClient
from desktop.children.jobs import CountUnscored, NextWindow, StoreVerdicts, Window
from desktop.children.writer import JobFailure, Writer
from engine.service.protocol import Priority
from engine.types import Verdict

WINDOW = 64
IN_FLIGHT = 2
"""Two windows: one that the engine works on, one that is already there when it ends."""


class BulkScoring(QObject):
    """Scores what lacks a verdict of the engine's model, oldest row first.

    `progressed(done, total)` while it goes on; `verdictsStored(list of item ids)` when verdicts can be read from the
    workspace; `finished(scored)` at the end; `failed(sentence)` for what could not be scored or stored.
    """

    progressed = Signal(int, int)
    verdictsStored = Signal(list)
    finished = Signal(int)
    failed = Signal(str)

    def __init__(self, engine: EngineClient, writer: Writer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._writer = writer
        self._round = 0
        self._model = ""
        self._requests: set[int] = set()
        self._finding = False
        self._exhausted = True
        self._storing = 0
        self._after = 0
        self._more = False
        self.done = self.total = 0
        engine.scored.connect(self._on_scored)
        engine.failed.connect(self._on_request_failed)
        engine.ended.connect(self._on_ended)

    @property
    def running(self) -> bool:
        """Whether there is anything left to find, score or store."""
        return bool(self._model)

    def start(self, model: str) -> None:
        """Begin (again) from the first row with the engine's model."""
        self.cancel()
        self._round += 1
        self._model = model
        self.done = self.total = self._after = 0
        self._exhausted, self._finding = False, True
        turn = self._round
        self._writer.submit(CountUnscored(model), lambda total: self._on_counted(turn, total), self._on_job_failed)

    def more(self, model: str) -> None:
        """Begin, or where this model's scoring is under way, look once more after it for items that came in since."""
        if self._model == model:
            self._more = True
        else:
            self.start(model)

    def cancel(self) -> None:
        """Stop asking; verdicts that arrive for what was already asked are dropped."""
        requests, self._requests = self._requests, set()
        self._model = ""
        self._exhausted, self._more = True, False
        self._storing = 0
        for request in requests:
            self._engine.cancel(request)

    def store(self, verdicts: list[Verdict]) -> None:
        """Store verdicts that were asked for outside the bulk scoring."""
        self._writer.submit(StoreVerdicts(tuple(verdicts)), self._announce, self._on_job_failed)

    def _on_counted(self, turn: int, total: int) -> None:
        if turn != self._round or not self.running:
            return
        self.total = total
        self._finding = False
        self.progressed.emit(0, total)
        self._find()

    def _find(self) -> None:
        """Look for the next window where the engine has room for one."""
        if self._finding or self._exhausted or len(self._requests) >= IN_FLIGHT:
            return
        self._finding = True
        turn = self._round
        job = NextWindow(self._model, self._after, WINDOW)
        self._writer.submit(job, lambda window: self._on_window(turn, window), self._on_job_failed)

    def _on_window(self, turn: int, window: Window) -> None:
        if turn != self._round or not self.running:
            return
        self._finding = False
        if window.items:
            self._after = window.after
            self._requests.add(self._engine.score(window.items, Priority.BULK))
            self._find()
        else:
            self._exhausted = True
            self._finish_when_all_is_stored()

    def _on_scored(self, request: int, verdicts: list[Verdict]) -> None:
        if request not in self._requests or not verdicts:
            return
        turn = self._round
        self._storing += 1
        job = StoreVerdicts(tuple(verdicts))
        self._writer.submit(job, lambda items: self._on_stored(turn, items), self._on_job_failed)

    def _on_stored(self, turn: int, items: tuple[str, ...]) -> None:
        self._announce(items)
        if turn != self._round or not self.running:
            return
        self._storing -= 1
        self.done += len(items)
        self.total = max(self.total, self.done)
        self.progressed.emit(self.done, self.total)
        self._finish_when_all_is_stored()

    def _announce(self, items: tuple[str, ...]) -> None:
        self.verdictsStored.emit(list(items))

    def _on_ended(self, request: int) -> None:
        if request in self._requests:
            self._requests.discard(request)
            self._find()
            self._finish_when_all_is_stored()

    def _on_request_failed(self, request: int, message: str) -> None:
        if request in self._requests:
            self.failed.emit(message)

    def _on_job_failed(self, failure: JobFailure) -> None:
        running = self.running
        self.cancel()
        if running and not failure.cancelled:
            self.failed.emit(failure.message)
            self.finished.emit(self.done)

    def _finish_when_all_is_stored(self) -> None:
        if not self.running or not self._exhausted or self._requests or self._storing:
            return
        model, again = self._model, self._more
        self._model = ""
        if again:
            self.start(model)
        else:
            self.finished.emit(self.done)
