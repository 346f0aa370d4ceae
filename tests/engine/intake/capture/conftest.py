"""A browser that brings what it is told to, on a clock that moves only when nothing else does."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from engine.errors import CancelledError
from engine.intake.capture.addresses import checked
from engine.intake.capture.campaign import CampaignReport, Standing, Task, run_campaign, web_tasks
from engine.intake.capture.campaign_control import Control, Watcher
from engine.intake.capture.profile import Profile
from engine.intake.capture.record import InWorkspace
from engine.intake.capture.record_journal import Journal, Plan
from engine.intake.capture.types import Address, Job, Snapshot
from engine.workspace import Workspace

PAGE = "<html><head><title>A lamp</title></head><body><main><h1>A lamp</h1><p>Warm.</p></main></body></html>"
AT = "2026-01-31T12:00:00.000Z"


def png_of(seed: int, size: tuple[int, int] = (60, 40)) -> bytes:
    """A small picture of its own for each seed, of many colours."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.putpixel((0, 0), (seed % 256, seed // 256 % 256, 7))
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Answers = dict[str, list[dict[str, Any]]]


class FakeBrowser:
    """Answers each address with the next of its answers, the last for ever; a good page where it has none.

    `asked` are the addresses that were opened, with the time; `cancel_at` stops before so many pages.
    """

    def __init__(self, clock: Clock, answers: Answers | None = None, cancel_at: int = -1) -> None:
        self.clock, self.answers, self.cancel_at = clock, answers or {}, cancel_at
        self.asked: list[tuple[float, str]] = []

    @property
    def urls(self) -> list[str]:
        return [url for _, url in self.asked]

    def capture_many(self, jobs: Iterable[Job | None]) -> Iterator[Snapshot]:
        for job in jobs:
            if job is None:
                self.clock.now += 0.5
                continue
            if len(self.asked) == self.cancel_at:
                raise CancelledError
            self.asked.append((self.clock.now, job.url))
            yield self.snapshot(job)

    def snapshot(self, job: Job) -> Snapshot:
        answers = self.answers.get(job.url, [{}])
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        usual = {
            "final_url": job.url,
            "status": 200,
            "png": png_of(len(self.asked)),
            "html": PAGE,
            "title": "A lamp",
            "texts": {"visible": "A lamp Warm.", "title": "A lamp"},
            "regions": {"title": ((1.0, 2.0, 30.0, 10.0),)},
            "ready": True,
        }
        return Snapshot(url=job.url, **{**usual, **given})


class Ends:
    """What a browser brings of pages that bring nothing."""

    gone: ClassVar[dict[str, Any]] = {"status": 404, "title": "Gone", "texts": {"visible": "gone"}}
    fault: ClassVar[dict[str, Any]] = {"status": 500, "title": "Fault", "texts": {"visible": "oh"}}
    busy: ClassVar[dict[str, Any]] = {"status": 429, "title": "Busy", "texts": {"visible": "oh"}}
    login: ClassVar[dict[str, Any]] = {"status": 401, "title": "Who?", "texts": {"visible": "oh"}}
    good: ClassVar[dict[str, Any]] = {}


@pytest.fixture(scope="session")
def ends() -> type[Ends]:
    return Ends


MakeBrowser = Callable[..., FakeBrowser]


@pytest.fixture
def browser_of(clock: Clock) -> MakeBrowser:
    """A browser with answers by address: `browser_of({url: [ends.gone]}, cancel_at=3)`."""
    return lambda answers=None, cancel_at=-1: FakeBrowser(clock, answers, cancel_at)


@pytest.fixture(scope="session")
def page_profile() -> Profile:
    return Profile.load("page")


@pytest.fixture
def clock() -> Clock:
    return Clock()


MakeTasks = Callable[..., list[Task]]


@pytest.fixture
def tasks(ws: Workspace, page_profile: Profile) -> MakeTasks:
    """Tasks of addresses: `tasks("https://a.example/1", …)`, all products."""

    def make(*urls: str) -> list[Task]:
        found = [checked(Address(url=url, kind="product"), ws.taxonomy, page_profile) for url in urls]
        return web_tasks(found, lambda _: page_profile)

    return make


Run = Callable[..., CampaignReport]


@pytest.fixture
def campaign(ws: Workspace, clock: Clock, tmp_path: Path) -> Run:
    """Run a campaign with the journal of one list: `campaign(tasks, browser, rate=0, passes=3)`."""

    def run(
        given: Sequence[Task],
        browser: FakeBrowser,
        *,
        rate: float = 0.0,
        passes: int = 3,
        told: list[Standing] | None = None,
        control: Control | None = None,
        watch: Watcher | None = None,
    ) -> CampaignReport:
        journal = Journal.of(ws.path, tmp_path / "list.txt")
        journal.begin(Plan(source=journal.source, width=60, height=40, profile="page"))
        progress = None if told is None else told.append
        with journal:
            keeper = InWorkspace(ws)
            return run_campaign(
                keeper,
                given,
                browser,
                journal,
                rate=rate,
                passes=passes,
                clock=clock,
                now=lambda: AT,
                progress=progress,
                control=control,
                watch=watch,
            )

    return run
