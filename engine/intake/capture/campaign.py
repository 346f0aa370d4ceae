"""A list of pages captured in several passes: each at its host's pace, checked, tried again where that may help, kept.

A kill at any moment costs the pages that were open in the browser, no more: an item is in the workspace before its try
is in the journal, and what the workspace has is not captured again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from engine.errors import CancelledError
from engine.intake.capture.addresses import host_of
from engine.intake.capture.campaign_control import Control, Try, Unwatched, Watcher
from engine.intake.capture.classify import outcome_of
from engine.intake.capture.extract import fields_of
from engine.intake.capture.extract_regions import regions_of
from engine.intake.capture.pace import Pace, delay_after
from engine.intake.capture.profile import Profile
from engine.intake.capture.record import Keeper, NoItemError
from engine.intake.capture.record_journal import DONE, FAILED, Journal, Line
from engine.intake.capture.types import Address, Captured, Job, Outcome, Snapshot
from engine.intake.captures import quiet_pillow
from engine.types import Struct
from engine.workspace.encoding import now as present

_BUSY = (429, 503)
"""HTTP statuses with which a server asks to be left alone for a while (RFC 6585, 4; RFC 9110, 15.6.4)."""

_EXISTS_AT_ONCE = 5_000


class CapturingBrowser(Protocol):
    """What a campaign needs of a browser."""

    def capture_many(self, jobs: Iterable[Job | None]) -> Iterator[Snapshot]:
        """Yield a snapshot of every job as it is finished; a job of None means "none just now, ask again"."""


class Task(Struct, frozen=True, kw_only=True):
    """One page of a campaign.

    `ask` is the address that the browser opens: the page's own, or where a saved page is served. `key` names the page
    in the journal. `host` is whose pace it counts for, "" for nobody's. `base` is the address against which a saved
    page is read.
    """

    key: str
    ask: str
    host: str
    address: Address
    profile: Profile
    base: str = ""


class Failure(Struct, frozen=True, kw_only=True):
    """An address without an item: what stood there instead (an `Outcome`'s kind), why, and after how many tries."""

    url: str
    item: str
    kind: str
    reason: str
    tries: int


class Standing(Struct, frozen=True, kw_only=True):
    """How far a campaign is: `done` of `total` pages are settled. `failed` counts failures by kind.

    `there` were in the workspace before; `again` wait for another try. `seconds` is the time since it began and
    `per_minute` how many pages were settled in a minute of it.
    """

    done: int
    total: int
    captured: int
    gone: int
    there: int
    again: int
    seconds: float
    per_minute: float
    failed: dict[str, int]


class CampaignReport(Struct, frozen=True, kw_only=True):
    """How a campaign ended; `there` are pages whose items the workspace had before, `tries` pages opened this time."""

    captured: int
    deleted: int
    suspended: int
    there: int
    tries: int
    seconds: float
    failures: tuple[Failure, ...] = ()

    @property
    def failed(self) -> dict[str, int]:
        """How many addresses failed, by what stood there instead, the most frequent first."""
        return dict(Counter(one.kind for one in self.failures).most_common())


Progress = Callable[[Standing], None]


def web_tasks(addresses: Iterable[Address], profile_of: Callable[[str], Profile]) -> list[Task]:
    """Return what is to be captured for a list of addresses."""
    return [
        Task(key=one.url, ask=one.url, host=host_of(one.url), address=one, profile=profile_of(one.url))
        for one in addresses
    ]


def run_campaign(
    keeper: Keeper,
    tasks: Sequence[Task],
    browser: CapturingBrowser,
    journal: Journal,
    *,
    rate: float = 60.0,
    passes: int = 3,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], str] = present,
    progress: Progress | None = None,
    control: Control | None = None,
    watch: Watcher | None = None,
) -> CampaignReport:
    """Capture every page that the workspace does not have, at most `passes` times each, and keep what comes.

    Args:
        keeper: where items go, and what is there already.
        tasks: the pages; hosts take turns, each host's pages are begun in this order.
        browser: what opens them.
        journal: entered; goes on with what it says.
        rate: pages a minute and host, 0 for no limit.
        passes: how often a page is tried where another try may help.
        clock: seconds that never go back.
        now: the present moment, UTC, ISO 8601.
        progress: called after each page.
        control: lets others pause it and try failed pages again.
        watch: hears of each page.

    Raises:
        CancelledError: somebody stopped it; it goes on with the same journal.
        StorageError: the disk refused; likewise.
    """
    campaign = _Campaign(keeper, journal, rate, passes, clock, now)
    campaign.control, campaign.watch = control or campaign.control, watch or campaign.watch
    campaign.plan(tasks)
    tell = progress or (lambda _: None)
    tell(campaign.standing())
    try:
        with quiet_pillow():
            for snapshot in browser.capture_many(campaign.jobs()):
                campaign.take(snapshot)
                tell(campaign.standing())
    except CancelledError:
        standing = campaign.standing()
        left = standing.total - standing.done
        words = f"Stopped with {left} of {standing.total} pages to go; what was captured is kept."
        raise CancelledError(f"{words} Go on with the same command and --resume.") from None
    journal.write(Line(at=now()))
    return campaign.report()


class _Campaign:
    """One run: what waits, what the browser has, what became of the rest."""

    def __init__(
        self,
        keeper: Keeper,
        journal: Journal,
        rate: float,
        passes: int,
        clock: Callable[[], float],
        now: Callable[[], str],
    ) -> None:
        self.keeper, self.journal, self.passes, self.clock, self.now = keeper, journal, passes, clock, now
        self.control = Control()
        self.watch: Watcher = Unwatched()
        self.pace: Pace[Task] = Pace(rate)
        self.tasks: dict[str, Task] = {}
        self.open: dict[str, Task] = {}
        self.tries: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.waiting: set[str] = set()
        self.failures: list[Failure] = []
        self.failed: Counter[str] = Counter()
        self.total = self.there = self.opened = self.settled = 0
        self.began = clock()

    def plan(self, tasks: Sequence[Task]) -> None:
        """Let every page wait whose item is not there and whose tries are not used up."""
        self.total = len(tasks)
        self.tasks = {task.key: task for task in tasks}
        tried = self.journal.tried()
        for start in range(0, len(tasks), _EXISTS_AT_ONCE):
            part = tasks[start : start + _EXISTS_AT_ONCE]
            known = self.keeper.known([task.address for task in part])
            for task in part:
                other = known.get(task.address.id)
                before = tried.get(task.key)
                self.tries[task.key] = before.tries if before and before.last.kind in FAILED else 0
                if other == "":
                    self.there += 1
                elif other is not None:
                    self.fail(task, Outcome(kind="failed", reason=other))
                elif before and self.is_over(task, again=before.last.again) and before.last.kind in FAILED:
                    self.fail(task, Outcome(kind=before.last.kind, reason=before.last.reason))
                else:
                    self.pace.add(task, task.host)

    def jobs(self) -> Iterator[Job | None]:
        """Give the browser its next page; None while every page has to wait, or may yet come back to be tried again."""
        resting = False
        self.retry_wanted()
        while self.pace or self.open:
            paused = self.control.paused
            if paused and not self.open and not resting:
                self.watch.rests()
            resting = paused and not self.open
            task = None if paused else self.pace.next(self.clock())
            if task is not None:
                self.open[task.ask] = task
                self.opened += 1
                self.waiting.discard(task.key)
                self.watch.begun(task.key)
            yield None if task is None else task.profile.job(task.ask)
            self.retry_wanted()

    def retry_wanted(self) -> None:
        """Let pages wait again that failed and that somebody wants to be tried once more."""
        for key in self.control.wanted():
            task = self.tasks.get(key)
            failed = [one for one in self.failures if task and one.item == task.address.id]
            if task is None or not failed:
                continue
            self.failures.remove(failed[0])
            self.failed[failed[0].kind] -= 1
            self.tries[key] = 0
            self.pace.add(task, task.host)

    def take(self, snapshot: Snapshot) -> None:
        """Judge what the browser brought, keep it, note it, and let the page wait for another try if that may help."""
        task = self.open.pop(snapshot.url)
        self.tries[task.key] += 1
        outcome = self.judged(task, _as_of(snapshot, task))
        line = Line(at=self.now(), key=task.key, item=task.address.id, kind=outcome.kind, reason=outcome.reason)
        self.journal.write(msgspec.structs.replace(line, again=outcome.retry))
        if outcome.kind in DONE:
            self.ends[outcome.kind] += 1
            self.settled += 1
            self.tell(task, outcome, snapshot.png)
            return
        wait = delay_after(self.tries[task.key])
        until = self.clock() + wait
        if snapshot.status in _BUSY:
            self.pace.rest(task.host, until)
        if self.is_over(task, again=outcome.retry):
            self.fail(task, outcome)
            self.settled += 1
            self.tell(task, outcome, snapshot.png)
        else:
            self.waiting.add(task.key)
            self.pace.add(task, task.host, until)
            self.tell(task, outcome, snapshot.png, again=True, wait=wait)

    def tell(self, task: Task, outcome: Outcome, png: bytes, *, again: bool = False, wait: float = 0.0) -> None:
        tries = self.tries[task.key]
        self.watch.tried(Try(key=task.key, outcome=outcome, tries=tries, again=again, wait=wait, png=png))

    def judged(self, task: Task, seen: Snapshot) -> Outcome:
        """Return how a capture ended, after its item, if it has one, is in the workspace."""
        fields = fields_of(seen, task.profile)
        outcome = outcome_of(seen, task.profile, fields)
        if outcome.kind not in DONE:
            return outcome
        regions = regions_of(seen)
        captured = Captured(address=task.address, fields=fields, regions=regions, outcome=outcome)
        try:
            self.keeper.keep(captured, seen.png, self.now())
        except NoItemError as error:
            return Outcome(kind="failed", reason=str(error))
        return outcome

    def is_over(self, task: Task, *, again: bool) -> bool:
        return not again or self.tries[task.key] >= self.passes

    def fail(self, task: Task, outcome: Outcome) -> None:
        tries = self.tries[task.key]
        url = task.address.url or task.key
        failure = Failure(url=url, item=task.address.id, kind=outcome.kind, reason=outcome.reason, tries=tries)
        self.failures.append(failure)
        self.failed[outcome.kind] += 1

    def standing(self) -> Standing:
        seconds = max(self.clock() - self.began, 1e-9)
        gone = self.ends["deleted"] + self.ends["suspended"]
        return Standing(
            done=self.there + self.ends.total() + len(self.failures),
            total=self.total,
            captured=self.ends["captured"],
            gone=gone,
            there=self.there,
            again=len(self.waiting),
            seconds=seconds,
            per_minute=60.0 * self.settled / seconds,
            failed={kind: count for kind, count in self.failed.most_common() if count},
        )

    def report(self) -> CampaignReport:
        return CampaignReport(
            captured=self.ends["captured"],
            deleted=self.ends["deleted"],
            suspended=self.ends["suspended"],
            there=self.there,
            tries=self.opened - len(self.open),
            seconds=round(self.clock() - self.began, 3),
            failures=tuple(self.failures),
        )


def _as_of(snapshot: Snapshot, task: Task) -> Snapshot:
    """Return the snapshot of a saved page as one of the address that it was saved from."""
    if not task.base:
        return snapshot
    final = task.base if snapshot.final_url == task.ask else snapshot.final_url
    return msgspec.structs.replace(snapshot, url=task.base, final_url=final)
