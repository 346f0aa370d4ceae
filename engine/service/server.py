"""The engine service: `python -m engine serve WORKSPACE`. A pure worker, it never writes the workspace.

A thread reads requests; the main thread does the most urgent job's next step and writes its event. Closing standard
input stops it, so it never outlives the desktop.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from engine.errors import CancelledError, EngineError, ModelUnavailableError
from engine.service.agenda import Agenda, Job, Steps
from engine.service.protocol import (
    Cancel,
    Cancelled,
    Done,
    Explain,
    Explained,
    Failed,
    Load,
    Loaded,
    Prioritise,
    Priority,
    Ready,
    Refit,
    Refitted,
    Refitting,
    Request,
    Score,
    Scored,
    ServiceEvent,
    Settle,
    Stop,
    decode_request,
    encode,
)

if TYPE_CHECKING:
    from engine.models.predictor import Predictor
    from engine.training.refit import Progress
    from engine.training.refit import Refitted as RefitResult
    from engine.types import Explanation, ItemContent

NICENESS = 5
"""Behind the window, before the trainer (19)."""
LOAD_URGENCY = -1
REFIT_URGENCY = (Priority.LOOKING + Priority.PREFETCH) / 2
"""A reviewer waits for what was just taught, but not as one waits for what one looks at."""
BATCH = 16
"""Items of one scoring step: about a sixth of a second on two cores, which is how long somebody looking may wait."""
NOT_A_REQUEST = -1
LIBRARIES = ("torch", "torchvision", "transformers", "lime")

_log = logging.getLogger(__name__)


class Explainer(Protocol):
    """Explains in small steps (`engine.explain.explain_steps`)."""

    def __call__(
        self, model: Predictor, content: ItemContent, task: str, label: str, *, seed: int
    ) -> Generator[Explanation | None, None, None]:
        """Yield None after each step, an explanation where there is a better one; the last is final."""


class Refitter(Protocol):
    """Fits heads anew in small steps (`engine.training.refit.refit_steps`)."""

    def __call__(
        self, run_folder: Path, model_at: Callable[[Path], Predictor]
    ) -> Iterator[Progress | RefitResult | None]:
        """Yield what there is to tell after each step; the result is last."""


class Server:
    """Answers requests by events. `load` reads a model's folder, the others do as they are called; tests give fakes."""

    def __init__(
        self,
        load: Callable[[Path], Predictor],
        explain: Explainer,
        emit: Callable[[ServiceEvent], None],
        refit: Refitter | None = None,
    ) -> None:
        self._load = load
        self._explain = explain
        self._emit = emit
        self._refit = refit or _refit_steps
        self._agenda = Agenda()
        self._model: Predictor | None = None

    def read(self, lines: Iterable[bytes]) -> None:
        """Take requests until the lines end or nobody listens any more, then stop. Runs on a thread of its own."""
        try:
            for line in lines:
                request = self._decoded(line)
                if isinstance(request, Stop):
                    break
                if request is not None:
                    self.take(request)
        except BrokenPipeError:
            _log.warning("the desktop is gone")
        finally:
            self.stop()

    def _decoded(self, line: bytes) -> Request | None:
        try:
            return decode_request(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._emit(Failed(request=NOT_A_REQUEST, message=f"Not a request: {error}", bug=True))
            return None

    def take(self, request: Request) -> None:
        """Put one request on the agenda, move one, or cancel one."""
        match request:
            case Cancel():
                self._agenda.cancel(request.request)
            case Prioritise():
                self._agenda.move(request.request, int(request.priority))
            case Load():
                self._agenda.add(Job(request.request, LOAD_URGENCY, lambda _job: self._loading(request)))
            case Score():
                self._agenda.add(Job(request.request, int(request.priority), lambda job: self._scoring(request, job)))
            case Explain():
                self._agenda.add(Job(request.request, int(request.priority), lambda _job: self._explaining(request)))
            case Refit():
                self._agenda.add(Job(request.request, REFIT_URGENCY, lambda _job: self._refitting(request)))
            case Settle():
                urgency = int(Priority.PREFETCH)
                self._agenda.add(Job(request.request, urgency, lambda _job: self._settling(request), steady=True))

    def stop(self) -> None:
        """End `work` after the step under way; what is not finished stays unanswered. Any thread may call it."""
        self._agenda.stop()

    def work(self) -> None:
        """Do one step after the other until somebody stops it."""
        while (job := self._agenda.next_one()) is not None:
            event = self._step(job)
            if isinstance(event, Done | Cancelled | Failed | Loaded):
                self._agenda.remove(job)
            if event is not None:
                job.told = True
                self._emit(event)
        if self._model is not None:
            self._model.keep_vectors()

    def _step(self, job: Job) -> ServiceEvent | None:
        """Do one step; whatever goes wrong in it ends this request and no other."""
        if job.cancelled():
            return Cancelled(request=job.request)
        try:
            return job.step()
        except StopIteration:
            return Done(request=job.request)
        except CancelledError:
            return Cancelled(request=job.request)
        except EngineError as error:
            return Failed(request=job.request, message=str(error))
        except Exception as error:  # noqa: BLE001 - the process boundary: told to the desktop, logged with its traceback
            _log.critical("request %d ended by a mistake of ours", job.request, exc_info=True)
            message = f"The engine made a mistake ({type(error).__name__}: {error}); the log has the details."
            return Failed(request=job.request, message=message, bug=True)

    def _loading(self, request: Load) -> Steps:
        self._model = self._load(Path(request.folder))
        yield Loaded(request=request.request, model=self._model.card.id, settled=self._model.settled)

    def _scoring(self, request: Score, job: Job) -> Steps:
        model = self._loaded()
        known = model.predict_known(request.items)
        if known is not None:
            yield Scored(request=request.request, verdicts=tuple(known))
            return
        for verdicts in model.predict_stream(request.items, batch=BATCH, cancelled=job.cancelled):
            yield Scored(request=request.request, verdicts=tuple(verdicts))
        model.keep_vectors()

    def _explaining(self, request: Explain) -> Steps:
        model, final = self._loaded(), False
        while not final:  # anew where another arithmetic was chosen meanwhile
            arithmetic = model.arithmetic
            with closing(self._explain(model, request.item, request.task, request.label, seed=request.seed)) as steps:
                while not final and model.arithmetic is arithmetic:
                    explanation = next(steps)
                    final = explanation is not None and explanation.final
                    yield Explained(request=request.request, explanation=explanation) if explanation else None

    def _refitting(self, request: Refit) -> Steps:
        for step in self._refit(Path(request.run_folder), self._model_at):
            yield None if step is None else _told(request.request, step)

    def _settling(self, request: Settle) -> Steps:
        for _ in self._loaded().settle(request.items):
            yield None

    def _model_at(self, folder: Path) -> Predictor:
        if self._model is not None and self._model.card.id == folder.name:
            return self._model
        return self._load(folder)

    def _loaded(self) -> Predictor:
        if self._model is None:
            raise ModelUnavailableError(
                "There is no model yet.", "Train one: Ctrl+R in the desk, or secondlook retrain."
            )
        return self._model


def main(arguments: Sequence[str]) -> int:
    """Serve until standard input closes; return 0, or 2 where the workspace is not there."""
    parser = argparse.ArgumentParser(prog="python -m engine serve", description="Score and explain for the desktop.")
    parser.add_argument("workspace", type=Path)
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if not options.workspace.is_dir():
        sys.stderr.write(f"There is no workspace at {options.workspace}.\n")
        return 2
    os.nice(max(NICENESS - os.nice(0), 0))
    _serve(_own_output(), options.workspace)
    return 0


def _own_output() -> BinaryIO:
    """Keep standard output for events alone: what a library prints goes to standard error."""
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return events


def _serve(events: BinaryIO, workspace: Path) -> None:
    lock = threading.Lock()

    def emit(event: ServiceEvent) -> None:
        with lock:
            events.write(encode(event))
            events.flush()

    from engine.service.loading import Loader

    server = Server(Loader(workspace), _explain_steps, emit)
    up = threading.Event()
    # A file object of its own: Python waits for nobody who still reads it when this process ends.
    requests = os.fdopen(os.dup(0), "rb")
    threading.Thread(target=_attend, args=(server, requests, up), name="requests", daemon=True).start()
    try:
        emit(_ready())
        up.set()
        server.work()
    except BrokenPipeError:
        _log.warning("the desktop is gone")


def _attend(server: Server, requests: BinaryIO, up: threading.Event) -> None:
    """Read requests to their end. A desktop that is gone before torch is imported has nothing to wait for."""
    server.read(requests)
    if not up.is_set():
        os._exit(0)


def _ready() -> Ready:
    """Import what the first requests need, then say so."""
    import engine.explain
    import engine.models.predictor  # noqa: F401 - not needed here
    from engine.models import devices

    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return Ready(device=devices.name_of(devices.best()), versions=versions)


def _explain_steps(
    model: Predictor, content: ItemContent, task: str, label: str, *, seed: int
) -> Generator[Explanation | None, None, None]:
    from engine.explain import explain_steps

    return explain_steps(model, content, task, label, seed=seed)


def _refit_steps(run_folder: Path, model_at: Callable[[Path], Predictor]) -> Iterator[Progress | RefitResult | None]:
    from engine.training.refit import refit_steps

    return refit_steps(run_folder, model_at)


def _told(request: int, step: Progress | RefitResult) -> Refitting | Refitted:
    from engine.training.refit import Progress

    if isinstance(step, Progress):
        return Refitting(request=request, stage=step.stage, done=step.done, total=step.total, text=step.text)
    seconds = round(sum(step.seconds.values()), 3)
    return Refitted(request=request, outcome=step.outcome, answers=step.answers, seconds=seconds)
