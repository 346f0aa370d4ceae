"""The desktop's end of the engine service: requests out, verdicts and explanations back, restarts in between."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from desktop.children.log_file import LogFile
from desktop.children.process import ChildProcess, ProcessOutcome, sudden_end
from desktop.children.states import EngineState
from engine.service import protocol
from engine.service.protocol import Explain, Load, Priority, Refit, Score, Settle
from engine.types import ItemContent

BACK_OFF_MS = (500, 1000, 2000, 5000, 10_000, 30_000)
MAX_ATTEMPTS = 2
"""A request that was in flight in this many crashes is given up: it may be the cause."""


class _Outstanding(msgspec.Struct):
    message: Score | Explain | Refit | Settle
    sent: bool = False
    attempts: int = 0


class EngineClient(QObject):
    """Talks to `python -m engine serve`. Requests made before a model is loaded wait for it.

    After a crash the service is started again with growing pauses, the model is loaded again and the requests in
    flight are asked again; one that was in flight in two crashes ends with `failed`.

    Signals: `scored(request, list[Verdict])` in parts; `explained(request, Explanation)` previews, then a final one;
    `refitting(request, sentence)` now and then, `refitted(request, Refitted)` when a candidate lies in the run folder;
    `failed(request, sentence)`; `ended(request)` once per request however it ended; `loaded(model id)`;
    `loadFailed(sentence)`; `stateChanged(EngineState)`; `died(sentence)` where the service ended unasked, but not again
    before it has answered something.
    """

    scored = Signal(int, list)
    explained = Signal(int, object)
    refitting = Signal(int, str)
    refitted = Signal(int, object)
    failed = Signal(int, str)
    ended = Signal(int)
    loaded = Signal(str)
    loadFailed = Signal(str)
    stateChanged = Signal(object)
    died = Signal(str)

    def __init__(
        self,
        command: Sequence[str],
        log: LogFile,
        parent: QObject | None = None,
        *,
        back_off_ms: Sequence[int] = BACK_OFF_MS,
    ) -> None:
        super().__init__(parent)
        self._command = tuple(command)
        self._back_off = tuple(back_off_ms)
        self._crashes = 0
        self._numbers = itertools.count(1)
        self._outstanding: dict[int, _Outstanding] = {}
        self._folder: Path | None = None
        self._loading = 0
        self._up = False
        self._device = ""
        self._model = ""
        self._problem = ""
        self._closing = False
        self.state = EngineState(text="Engine not started")
        self.settled = True
        """Whether the model's arithmetic was chosen when it was loaded."""
        self.process = ChildProcess(log, self)
        self.process.lineArrived.connect(self._on_line)
        self.process.ended.connect(self._on_process_ended)
        self._restart = QTimer(self, singleShot=True)
        self._restart.timeout.connect(self._spawn)

    @property
    def ready(self) -> bool:
        """Whether a model is in memory, so that requests are answered as fast as the machine can."""
        return bool(self._model)

    def start(self) -> None:
        """Start the service; `stateChanged` tells how it goes."""
        self._spawn()

    def load(self, folder: Path | None) -> None:
        """Make models/ID the model of all later requests; None stands for "no model yet"."""
        self._folder = folder
        self._model = self._problem = ""
        self._loading = 0
        if self._up and folder is not None:
            self._send_load()
        self._announce()

    def score(self, items: Sequence[ItemContent], priority: Priority = Priority.BULK) -> int:
        """Ask for verdicts and return the request's number."""
        return self._ask(Score(request=next(self._numbers), items=tuple(items), priority=priority))

    def explain(
        self, item: ItemContent, task: str, label: str, priority: Priority = Priority.LOOKING, seed: int = 0
    ) -> int:
        """Ask why `label` gets its probability and return the request's number."""
        number = next(self._numbers)
        return self._ask(Explain(request=number, item=item, task=task, label=label, priority=priority, seed=seed))

    def refit(self, run_folder: Path) -> int:
        """Ask for new heads of the champion that the run folder names, and return the request's number."""
        return self._ask(Refit(request=next(self._numbers), run_folder=str(run_folder)))

    def settle(self, items: Sequence[ItemContent]) -> int:
        """Let the service choose by these items in which arithmetic the model is run; return the request's number."""
        number = self._ask(Settle(request=next(self._numbers), items=tuple(items)))
        self._announce()
        return number

    def prioritise(self, request: int, priority: Priority) -> None:
        """Let an explanation go on as if it came now with another priority; what is done of it is kept."""
        outstanding = self._outstanding.get(request)
        if outstanding is None or not isinstance(outstanding.message, Explain):
            return
        outstanding.message = msgspec.structs.replace(outstanding.message, priority=priority)
        if outstanding.sent:
            self.process.write(protocol.encode(protocol.Prioritise(request=request, priority=priority)))

    def cancel(self, request: int) -> None:
        """Stop a request; it ends with `ended`, which comes at once where the service has not seen it yet."""
        outstanding = self._outstanding.get(request)
        if outstanding is None:
            return
        if outstanding.sent:
            self.process.write(protocol.encode(protocol.Cancel(request=request)))
        else:
            self._finish(request)

    def outstanding(self) -> int:
        """How many requests have not ended."""
        return len(self._outstanding)

    def close(self, *, grace_ms: int = 1000) -> None:
        """End the service for good; blocks for at most about `grace_ms` plus half a second."""
        self._closing = True
        self._restart.stop()
        self._outstanding.clear()
        self.process.stop_and_wait(grace_ms=grace_ms)

    def _ask(self, message: Score | Explain | Refit | Settle) -> int:
        outstanding = self._outstanding[message.request] = _Outstanding(message)
        if self.ready:
            self._send(outstanding)
        return message.request

    def _send(self, outstanding: _Outstanding) -> None:
        outstanding.sent = True
        self.process.write(protocol.encode(outstanding.message))

    def _spawn(self) -> None:
        self._announce()
        self.process.start(self._command)

    def _send_load(self) -> None:
        self._loading = next(self._numbers)
        self.process.write(protocol.encode(Load(request=self._loading, folder=str(self._folder))))

    def _on_line(self, line: bytes) -> None:
        try:
            event = protocol.decode_service_event(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.process.log.note(f"Ignored a line that is no event ({error}): {line[:200]!r}")
            return
        self._on_event(event)

    def _on_event(self, event: protocol.ServiceEvent) -> None:
        match event:
            case protocol.Ready(device=device):
                self._up, self._device = True, device
                if self._folder is not None:
                    self._send_load()
                self._announce()
            case protocol.Loaded(request=request, model=model, settled=settled):
                self._on_loaded(request, model, settled=settled)
            case protocol.Scored(request=request, verdicts=verdicts) if request in self._outstanding:
                self.scored.emit(request, list(verdicts))
            case protocol.Explained(request=request, explanation=explanation) if request in self._outstanding:
                self.explained.emit(request, explanation)
            case protocol.Refitting(request=request, text=text) if request in self._outstanding:
                self.refitting.emit(request, text)
            case protocol.Refitted(request=request) if request in self._outstanding:
                self.refitted.emit(request, event)
            case protocol.Done(request=request) | protocol.Cancelled(request=request):
                self._crashes = 0
                self._finish(request)
            case protocol.Failed(request=request, message=message, bug=bug):
                self._on_failed(request, message, bug=bug)
            case _:
                pass

    def _on_loaded(self, request: int, model: str, *, settled: bool) -> None:
        if request != self._loading:
            return
        self._loading = 0
        self._model, self.settled = model, settled
        for outstanding in self._outstanding.values():
            if not outstanding.sent:
                self._send(outstanding)
        self._announce()
        self.loaded.emit(model)

    def _on_failed(self, request: int, message: str, *, bug: bool) -> None:
        if bug:
            self.process.log.note(f"Request {request} failed: {message}")
        if request == self._loading:
            self._loading = 0
            self._problem = message
            self._announce()
            self.loadFailed.emit(message)
        elif request in self._outstanding:
            self.failed.emit(request, message)
            self._finish(request)

    def _finish(self, request: int) -> None:
        outstanding = self._outstanding.pop(request, None)
        if outstanding is None:
            return
        if isinstance(outstanding.message, Settle):
            self._announce()
        self.ended.emit(request)

    def _on_process_ended(self, outcome: ProcessOutcome) -> None:
        self._up, self._model, self._loading = False, "", 0
        if self._closing:
            return
        self._give_up_repeaters()
        pause = self._back_off[min(self._crashes, len(self._back_off) - 1)]
        self._crashes += 1
        self._restart.start(pause)
        sentence = f"{sudden_end('The engine', outcome)}; starting it again in {pause / 1000:g} s."
        self._announce(sentence)
        if self._crashes == 1:
            self.died.emit(sentence)

    def _give_up_repeaters(self) -> None:
        for number, outstanding in list(self._outstanding.items()):
            outstanding.attempts += outstanding.sent
            outstanding.sent = False
            if outstanding.attempts >= MAX_ATTEMPTS:
                self.failed.emit(number, "The engine stopped twice while working on this; see its log.")
                self._finish(number)

    def _announce(self, down: str = "") -> None:
        ready = bool(self._model)
        if down:
            text = down
        elif self._problem:
            text = self._problem
        elif not self._up:
            text = "Engine starting…"
        elif self._folder is None:
            text = "No model yet: retrain to make the first one"
        elif ready and any(isinstance(one.message, Settle) for one in self._outstanding.values()):
            text = "Engine ready · checking faster arithmetic"
        elif ready:
            text = f"Engine ready · {self._device}"
        else:
            text = "Loading the model…"
        self.state = EngineState(
            text=text,
            busy=not ready and not down and not self._problem and not (self._up and self._folder is None),
            ok=not down and not self._problem,
            ready=ready,
            device=self._device,
            model=self._model,
        )
        self.stateChanged.emit(self.state)
