"""A server without torch: a model that answers at once, an explainer in three steps, and the events they lead to."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from engine.errors import CancelledError, ModelUnavailableError
from engine.service.protocol import Cancel, Cancelled, Done, Failed, Loaded, Prioritise, Request, ServiceEvent, Stop
from engine.service.server import Server
from engine.types import Explanation, ItemContent, ModelCard, Verdict

if TYPE_CHECKING:
    from engine.models.predictor import Predictor
    from engine.training.refit import Progress, Refitted


class FakeModel:
    """Says "toxic" to everything; `at_batch(number)` is called before every batch."""

    def __init__(self, name: str) -> None:
        self.card = ModelCard(id=name, created="", recipe="", tasks={"toxicity": ("toxic", "non-toxic")})
        self.batches = self.kept = 0
        self.knows = False
        self.settled, self.settled_by = True, 0
        self.device_name = "CPU, 1 thread, fp32"
        self.at_batch: Callable[[int], None] = lambda _number: None

    @property
    def arithmetic(self) -> str:
        return self.device_name

    def predict_known(self, contents: Sequence[ItemContent]) -> list[Verdict] | None:
        return [self._verdict(content) for content in contents] if self.knows else None

    def settle(self, contents: Sequence[ItemContent]) -> Iterator[None]:
        for _ in contents:
            self.settled_by += 1
            yield
        self.settled, self.device_name = True, "CPU, 1 thread, int8"

    def keep_vectors(self) -> None:
        self.kept += 1

    def predict_stream(
        self, contents: Sequence[ItemContent], *, batch: int, cancelled: Callable[[], bool]
    ) -> Iterator[list[Verdict]]:
        for start in range(0, len(contents), batch):
            self.batches += 1
            self.at_batch(self.batches)
            if cancelled():
                raise CancelledError
            yield [self._verdict(content) for content in contents[start : start + batch]]

    def _verdict(self, content: ItemContent) -> Verdict:
        return Verdict(
            item=content.id,
            task="toxicity",
            model=self.card.id,
            label="toxic",
            probability=0.75,
            labels=("toxic",),
            probabilities={"toxic": 0.75, "non-toxic": 0.25},
        )


class Bench:
    """A server with fakes, and its events in order."""

    def __init__(self) -> None:
        self.events: list[ServiceEvent] = []
        self._open: set[int] = set()
        self.models = {"first": FakeModel("first")}
        self.at_event: Callable[[ServiceEvent], object] = lambda _event: None
        self.at_explain_step: Callable[[str, int], None] = lambda _item, _step: None
        self.refit_steps: list[Progress | Refitted | Exception] = []
        self.refit_of: Path | None = None
        self.server = Server(self._load, self._explain, self._on_event, self._refit)

    def _load(self, folder: Path) -> Predictor:
        if folder.name == "gone":
            raise ModelUnavailableError("There is no model in gone.", "Retrain.")
        return cast("Predictor", self.models[folder.name])

    def _explain(
        self, model: Predictor, content: ItemContent, task: str, label: str, *, seed: int
    ) -> Generator[Explanation | None, None, None]:
        for step in range(3):
            self.at_explain_step(content.id, step)
            yield None
            yield Explanation(
                item=content.id, task=task, label=label, model=model.card.id, probability=0.5, final=step == 2
            )

    def _refit(self, run_folder: Path, model_at: Callable[[Path], Predictor]) -> Iterator[Progress | Refitted | None]:
        self.refit_of = run_folder
        assert model_at(run_folder.parent / "first").card.id == "first"
        for step in self.refit_steps:
            if isinstance(step, Exception):
                raise step
            yield step

    def _on_event(self, event: ServiceEvent) -> None:
        self.events.append(event)
        self.at_event(event)
        if isinstance(event, Done | Failed | Cancelled | Loaded) and event.request in self._open:
            self._open.remove(event.request)
            if not self._open:
                self.server.stop()

    def take(self, *requests: Request) -> None:
        """Put requests on the agenda."""
        for request in requests:
            if not isinstance(request, Cancel | Prioritise | Stop):
                self._open.add(request.request)
            self.server.take(request)

    def run(self, *requests: Request) -> list[ServiceEvent]:
        """Take requests, work until all of them have ended, and return all events."""
        self.take(*requests)
        self.server.work()
        return self.events


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def items() -> Callable[[int], tuple[ItemContent, ...]]:
    return lambda count: tuple(ItemContent(id=f"item-{number}", kind="tweet", text="hello") for number in range(count))
