"""Messages between the desktop and its children: one JSON document a line, typed on both sides.

Requests go to the engine service's standard input, events come from a child's standard output. The trainer takes no
requests (a terminate signal cancels it) and writes the `Run*` events. The capture takes `Hold`, `GoOn`, `TryAgain` and
`Stop`, and writes the `Page*` and `Capture*` events. Standard error is for logs only.
"""

from __future__ import annotations

import enum

import msgspec

from engine.types import Explanation, ItemContent, ModelCard, Outcome, TaskMetrics, Verdict


class Priority(enum.IntEnum):
    """Who waits: what the reviewer is looking at comes first, then prefetch, then bulk scoring."""

    LOOKING = 0
    PREFETCH = 1
    BULK = 2


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """Base of all messages; `type` on the wire is the class name in lower case."""


# --- requests ---------------------------------------------------------------------------------------------------


class Load(Message, frozen=True, kw_only=True):
    """Make `folder` (models/ID) the model that later requests use. Answered by `Loaded` or `Failed`."""

    request: int
    folder: str


class Score(Message, frozen=True, kw_only=True):
    """Ask for verdicts. Answered by `Scored` parts as batches finish, then `Done`, `Cancelled` or `Failed`."""

    request: int
    items: tuple[ItemContent, ...]
    priority: Priority = Priority.BULK


class Explain(Message, frozen=True, kw_only=True):
    """Ask why `label` gets its probability. Answered by `Explained` (previews, then a final one), then `Done`."""

    request: int
    item: ItemContent
    task: str
    label: str
    priority: Priority = Priority.LOOKING
    seed: int = 0


class Refit(Message, frozen=True, kw_only=True):
    """Fit the heads of the champion anew on a prepared run's answers and leave `candidate/` in its folder.

    Answered by `Refitting` now and then, `Refitted`, then `Done`; or `Cancelled` or `Failed`. Comes after what the
    reviewer is looking at and before prefetch.
    """

    request: int
    run_folder: str


class Settle(Message, frozen=True, kw_only=True):
    """Choose by these items in which arithmetic the model is run, where that is still open.

    It gets every second turn, whatever else is asked, and the turns of explanations of which there is a preview: none
    is as fast meanwhile as it could be. One that is under way begins anew after it. Answered by `Done`, `Cancelled` or
    `Failed`.
    """

    request: int
    items: tuple[ItemContent, ...]


class Prioritise(Message, frozen=True, kw_only=True):
    """Go on with the request with this number, where it has not ended, as if it came now with `priority`.

    What is done of it is kept.
    """

    request: int
    priority: Priority


class Cancel(Message, frozen=True, kw_only=True):
    """Stop the request with this number if it has not ended; it then ends with `Cancelled`."""

    request: int


class Stop(Message, frozen=True, kw_only=True):
    """Finish the step under way (a batch), then exit with status 0; what is not finished stays unanswered.

    Closing standard input means the same.
    """


Request = Load | Score | Explain | Refit | Settle | Prioritise | Cancel | Stop

# --- the service's events ---------------------------------------------------------------------------------------


class Ready(Message, frozen=True, kw_only=True):
    """The service is up. `device` is in words, such as "CPU, 2 threads, bf16"."""

    device: str
    versions: dict[str, str]


class Loaded(Message, frozen=True, kw_only=True):
    """A model is in memory; `settled` says that its arithmetic is chosen (see `Settle`)."""

    request: int
    model: str
    settled: bool = True


class Scored(Message, frozen=True, kw_only=True):
    """Verdicts of some of the items of a request."""

    request: int
    verdicts: tuple[Verdict, ...]


class Explained(Message, frozen=True, kw_only=True):
    """An explanation; `explanation.final` says whether a better one follows."""

    request: int
    explanation: Explanation


class Refitting(Message, frozen=True, kw_only=True):
    """How far a refit is, `text` in words: `done` of `total` (0: not known) of "features" (items), "fit", "compare"."""

    request: int
    stage: str
    done: int
    total: int
    text: str


class Refitted(Message, frozen=True, kw_only=True):
    """A refit left a candidate folder, and this is how it compares.

    `answers` is how many of the answers that it learned from were new to the champion, `seconds` how long it took,
    without taking the snapshot.
    """

    request: int
    outcome: Outcome
    answers: int
    seconds: float


class Done(Message, frozen=True, kw_only=True):
    """A request ended well; nothing more follows for it."""

    request: int


class Cancelled(Message, frozen=True, kw_only=True):
    """A request ended because it was cancelled."""

    request: int


class Failed(Message, frozen=True, kw_only=True):
    """A request ended badly. `bug` tells ours from the user's or the environment's; `message` is one plain sentence."""

    request: int
    message: str
    bug: bool = False


ServiceEvent = Ready | Loaded | Scored | Explained | Refitting | Refitted | Done | Cancelled | Failed

# --- the trainer's events ---------------------------------------------------------------------------------------


class RunStarted(Message, frozen=True, kw_only=True):
    """Training begins (or resumes, `epoch` > 0)."""

    run: str
    device: str
    epochs: int
    epoch: int
    items: dict[str, int]


class RunProgress(Message, frozen=True, kw_only=True):
    """`done` of `total` steps of the whole run; `stage` is one of "train", "evaluate", "save"."""

    run: str
    stage: str
    done: int
    total: int
    loss: float | None = None


class EpochEnded(Message, frozen=True, kw_only=True):
    """Validation scores after an epoch (1-based)."""

    run: str
    epoch: int
    loss: float
    val_loss: float | None
    metrics: dict[str, TaskMetrics]


class RunEnded(Message, frozen=True, kw_only=True):
    """The run left a candidate folder, and this is how it compares."""

    run: str
    card: ModelCard
    outcome: Outcome


class RunFailed(Message, frozen=True, kw_only=True):
    """The run ended without a candidate; `cancelled` when it was asked to stop."""

    run: str
    message: str
    bug: bool = False
    cancelled: bool = False


TrainerEvent = RunStarted | RunProgress | EpochEnded | RunEnded | RunFailed

# --- the capture: requests, then events -------------------------------------------------------------------------


class Hold(Message, frozen=True, kw_only=True):
    """Begin no further page; once those that are open are finished, `CaptureRests` says so."""


class GoOn(Message, frozen=True, kw_only=True):
    """Begin pages again."""


class TryAgain(Message, frozen=True, kw_only=True):
    """Give pages that failed a new set of tries."""

    keys: tuple[str, ...]


CaptureRequest = Hold | GoOn | TryAgain | Stop


class CaptureBegan(Message, frozen=True, kw_only=True):
    """The browser is up; `total` pages are to be captured."""

    total: int


class PageBegun(Message, frozen=True, kw_only=True):
    """A page was handed to the browser."""

    key: str


class PageTried(Message, frozen=True, kw_only=True):
    """A try of a page ended; `kind` and `reason` are those of its outcome.

    `name` is the finished capture in the job folder, "" where there is none. `tries` is how many there were. `again`:
    another one follows, in `wait` seconds at the earliest. `picture` is the file in the job folder that shows what
    stood there instead, "" for none.
    """

    key: str
    kind: str
    reason: str
    name: str
    tries: int
    again: bool = False
    wait: float = 0.0
    picture: str = ""


class CaptureRests(Message, frozen=True, kw_only=True):
    """The capture is paused and no page is open any more."""


class CaptureEnded(Message, frozen=True, kw_only=True):
    """Every page was captured or has used up its tries."""


class CaptureFailed(Message, frozen=True, kw_only=True):
    """The capture ended early: `stopped` where it was asked to. What was captured is kept."""

    message: str
    bug: bool = False
    stopped: bool = False


CaptureEvent = CaptureBegan | PageBegun | PageTried | CaptureRests | CaptureEnded | CaptureFailed

_encoder = msgspec.json.Encoder()
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_service_events: msgspec.json.Decoder[ServiceEvent] = msgspec.json.Decoder(ServiceEvent)
_trainer_events: msgspec.json.Decoder[TrainerEvent] = msgspec.json.Decoder(TrainerEvent)
_capture_requests: msgspec.json.Decoder[CaptureRequest] = msgspec.json.Decoder(CaptureRequest)
_capture_events: msgspec.json.Decoder[CaptureEvent] = msgspec.json.Decoder(CaptureEvent)


def encode(message: Message) -> bytes:
    """Return one line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the request on this line; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _requests.decode(line)


def decode_service_event(line: bytes) -> ServiceEvent:
    """Return the service's event on this line; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _service_events.decode(line)


def decode_trainer_event(line: bytes) -> TrainerEvent:
    """Return the trainer's event on this line; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _trainer_events.decode(line)


def decode_capture_request(line: bytes) -> CaptureRequest:
    """Return the request on this line; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _capture_requests.decode(line)


def decode_capture_event(line: bytes) -> CaptureEvent:
    """Return the capture's event on this line; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _capture_events.decode(line)
