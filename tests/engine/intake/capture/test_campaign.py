from __future__ import annotations

import functools
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CancelledError, InputError
from engine.intake.capture.campaign import CampaignReport, run_campaign
from engine.intake.capture.campaign_control import Control, Try
from engine.intake.capture.job_folder import InJobFolder, Job, JobFolder, name_of
from engine.intake.capture.record import InWorkspace
from engine.intake.capture.record_journal import FOLDER, Journal, Line, Plan
from engine.intake.capture.types import Settings
from engine.workspace import QueueQuery, Workspace
from engine.workspace.items import Items

ONE, TWO, THREE, OTHER = (
    "https://a.example/1",
    "https://a.example/2",
    "https://a.example/3",
    "https://b.example/1",
)
AT = "2026-01-31T12:00:00.000Z"


def ids(ws: Workspace) -> dict[str, str]:
    return {item.url: item.id for item in ws.items.iter()}


def test_every_page_becomes_an_item(ws: Workspace, tasks: Any, campaign: Any, browser_of: Any) -> None:
    browser = browser_of()
    report = campaign(tasks(ONE, TWO, OTHER), browser)
    assert (report.captured, report.there, report.failures, report.tries) == (3, 0, (), 3)
    assert browser.urls == [ONE, OTHER, TWO]  # hosts take turns
    assert set(ids(ws)) == {ONE, TWO, OTHER}
    (first,) = (item for item in ws.items.iter() if item.url == ONE)
    assert (first.title, first.captured_at) == ("A lamp", AT)
    assert first.meta["profile"] == "page"
    assert "title" in first.regions


def test_what_may_come_is_tried_again_after_growing_delays_up_to_the_passes(
    tasks: Any, campaign: Any, browser_of: Any, ends: Any
) -> None:
    browser = browser_of({ONE: [ends.fault], TWO: [ends.fault, ends.good]})
    report = campaign(tasks(ONE, TWO), browser, passes=4)
    times = [when for when, url in browser.asked if url == ONE]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert [round(gap) for gap in gaps] == [5, 15, 45]
    assert browser.urls.count(TWO) == 2
    (failure,) = report.failures
    assert (failure.url, failure.kind, failure.tries) == (ONE, "error page", 4)
    assert failure.reason == "The site has a fault of its own."
    assert report.failed == {"error page": 1}


def test_walls_and_what_is_gone_are_not_tried_again(
    ws: Workspace, tasks: Any, campaign: Any, browser_of: Any, ends: Any
) -> None:
    browser = browser_of({ONE: [ends.gone], TWO: [ends.login]})
    report = campaign(tasks(ONE, TWO), browser, passes=9)
    assert browser.urls == [ONE, TWO]
    assert (report.deleted, report.failed) == (1, {"login wall": 1})
    (row,) = ws.queues.page(QueueQuery(states=("skipped",))).rows
    assert ws.items.get(row.item).url == ONE
    again = browser_of()
    assert campaign(tasks(ONE), again).there == 1
    assert again.urls == []


def test_a_refused_address_is_a_failure_with_its_reason(tasks: Any, campaign: Any, browser_of: Any) -> None:
    refused = {"problem": "Refused: 'a.example' is at 10.0.0.1, which is not on the public internet.", "png": b""}
    report = campaign(tasks(ONE), browser_of({ONE: [refused]}))
    assert report.failures[0].kind == "refused"
    assert "10.0.0.1" in report.failures[0].reason


def test_a_host_keeps_its_pace_and_gets_rest_when_it_asks(
    tasks: Any, campaign: Any, browser_of: Any, ends: Any
) -> None:
    browser = browser_of({ONE: [ends.busy, ends.good]})
    campaign(tasks(ONE, TWO, OTHER), browser, rate=6)
    times = {url: [when - 1000 for when, one in browser.asked if one == url] for url in (ONE, TWO, OTHER)}
    assert times[OTHER] == [0.0]
    assert times[ONE][0] == 0.0
    assert all(abs(x - y) >= 10 for x in times[ONE] + times[TWO] for y in times[ONE] + times[TWO] if x is not y)


def test_progress_says_pace_and_reasons(tasks: Any, campaign: Any, browser_of: Any, ends: Any) -> None:
    told: list[Any] = []
    campaign(tasks(ONE, TWO, THREE), browser_of({ONE: [ends.fault], TWO: [ends.gone]}), told=told, passes=2)
    assert (told[0].done, told[0].total) == (0, 3)
    assert (told[1].again, told[1].done) == (1, 0)
    last = told[-1]
    assert (last.done, last.captured, last.gone, last.again, last.failed) == (3, 1, 1, 0, {"error page": 1})
    assert last.per_minute == pytest.approx(60 * 3 / last.seconds)


def test_a_stopped_campaign_goes_on_where_it_was(
    ws: Workspace, tasks: Any, campaign: Any, browser_of: Any, ends: Any
) -> None:
    first = browser_of({ONE: [ends.fault]}, cancel_at=2)
    with pytest.raises(CancelledError, match=r"2 of 3 pages to go.*--resume"):
        campaign(tasks(ONE, TWO, THREE), first, passes=2)
    assert first.urls == [ONE, TWO]
    second = browser_of({ONE: [ends.fault]})
    report = campaign(tasks(ONE, TWO, THREE), second, passes=2)
    # ONE has one try left of its two, TWO is there.
    assert sorted(second.urls) == [ONE, THREE]
    assert (report.captured, report.there, report.failures[0].tries) == (1, 1, 2)
    assert set(ids(ws)) == {TWO, THREE}


def test_what_failed_gets_new_tries_only_once_the_campaign_has_ended(
    tasks: Any, campaign: Any, browser_of: Any, ends: Any
) -> None:
    with pytest.raises(CancelledError):
        campaign(tasks(ONE, TWO), browser_of({ONE: [ends.login]}, cancel_at=1))
    second = browser_of()
    assert campaign(tasks(ONE, TWO), second).failed == {"login wall": 1}
    assert second.urls == [TWO]
    third = browser_of()
    report = campaign(tasks(ONE, TWO), third)
    assert third.urls == [ONE]
    assert (report.captured, report.there, report.failures) == (1, 1, ())


def test_an_id_of_another_address_is_not_overwritten(ws: Workspace, tasks: Any, campaign: Any, browser_of: Any) -> None:
    campaign(tasks(ONE), browser_of())
    (task,) = tasks(TWO)
    taken = type(task)(
        **{name: getattr(task, name) for name in task.__struct_fields__ if name != "address"},
        address=type(task.address)(url=TWO, id=ids(ws)[ONE], kind="product"),
    )
    report = campaign([taken], browser_of())
    assert "another page as the item" in report.failures[0].reason
    assert ids(ws) == {ONE: ids(ws)[ONE]}


# --- Paused, and tried again --------------------------------------------------------------------------------------


class Told:
    """Notes what a watcher hears; `at` does something when a page was begun or tried, or when the campaign rests."""

    def __init__(self, **at: Callable[[], None]) -> None:
        self.heard: list[str] = []
        self.tries: list[Try] = []
        self.at = at

    def hear(self, what: str) -> None:
        self.heard.append(what)
        self.at.pop(what.replace(" ", "_"), lambda: None)()

    def begun(self, key: str) -> None:
        self.hear(f"begun {key[-1]}")

    def tried(self, one: Try) -> None:
        self.tries.append(one)
        self.hear(f"tried {one.key[-1]}")

    def rests(self) -> None:
        self.hear("rests")


def test_a_pause_lets_what_is_open_finish_and_begins_nothing_until_it_goes_on(
    tasks: Any, campaign: Any, browser_of: Any
) -> None:
    control = Control()
    told = Told(begun_1=control.pause, rests=control.go_on)
    report = campaign(tasks(ONE, TWO), browser_of(), control=control, watch=told)
    assert told.heard == ["begun 1", "tried 1", "rests", "begun 2", "tried 2"]
    assert report.captured == 2


def test_a_page_that_failed_gets_new_tries_while_the_rest_goes_on(
    tasks: Any, campaign: Any, browser_of: Any, ends: Any
) -> None:
    control = Control()
    told = Told(begun_2=lambda: control.retry(ONE))
    browser = browser_of({ONE: [ends.login, ends.good]})
    report = campaign(tasks(ONE, TWO), browser, control=control, watch=told)
    assert browser.urls == [ONE, TWO, ONE]
    assert (report.captured, report.failures) == (2, ())
    assert [(one.key, one.outcome.kind, one.tries, one.again) for one in told.tries] == [
        (ONE, "login wall", 1, False),
        (TWO, "captured", 1, False),
        (ONE, "captured", 1, False),
    ]


def test_a_watcher_hears_when_a_page_is_tried_again(tasks: Any, campaign: Any, browser_of: Any, ends: Any) -> None:
    told = Told()
    campaign(tasks(ONE), browser_of({ONE: [ends.fault]}), passes=2, watch=told)
    assert [(one.tries, one.again, one.wait) for one in told.tries] == [(1, True, 5.0), (2, False, 0.0)]
    assert all(one.png.startswith(b"\x89PNG") for one in told.tries)


def test_whoever_did_not_fail_is_not_tried_again(tasks: Any, campaign: Any, browser_of: Any) -> None:
    control = Control()
    for key in (ONE, "https://a.example/unknown"):
        control.retry(key)
    browser = browser_of()
    campaign(tasks(ONE), browser, control=control)
    assert browser.urls == [ONE]


# --- The journal --------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal.of(tmp_path / "w", tmp_path / "list.txt")
    made.begin(Plan(source=made.source, width=600, height=600, profile=""))
    return made


def test_a_journal_cut_short_anywhere_keeps_its_whole_lines(journal: Journal) -> None:
    with journal:
        for number in range(3):
            journal.write(Line(at=AT, key=str(number), kind="error page", reason="é", again=True))
    file = journal.folder / "journal.jsonl"
    whole = file.read_bytes()
    ends = {at + 1 for at, byte in enumerate(whole) if byte == ord("\n")}
    for length in sorted({0, 1, 40, len(whole) - 2} | ends | {at - 1 for at in ends}):
        file.write_bytes(whole[:length])
        complete = whole[:length].count(b"\n")
        assert sorted(journal.tried()) == [str(number) for number in range(complete)]
        with journal:
            journal.write(Line(at=AT, key="new"))
        assert sorted(journal.tried()) == [*(str(number) for number in range(complete)), "new"]


def test_a_damaged_line_is_named(journal: Journal) -> None:
    (journal.folder / "journal.jsonl").write_bytes(b'{"at":"x","key":"a"}\nnonsense\n')
    with pytest.raises(InputError, match="line 2"):
        journal.tried()


def test_a_capture_goes_on_with_what_it_was_begun_with(journal: Journal) -> None:
    plan = Plan(source=journal.source, width=600, height=600, profile="")
    journal.begin(plan)
    with pytest.raises(InputError, match="begun with --window 600x600"):
        journal.begin(Plan(source=journal.source, width=800, height=600, profile=""))
    (journal.folder / "plan.json").write_bytes(b"{")
    with pytest.raises(InputError, match="cannot be read"):
        journal.begin(plan)


def test_a_journal_that_is_done_leaves_nothing(journal: Journal) -> None:
    with journal:
        journal.write(Line(at=AT))
    journal.remove()
    assert not journal.begun
    assert not journal.folder.exists()


# --- Killed at every step -----------------------------------------------------------------------------------------


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a child that ends without a goodbye at its step number `step`; return whether it got there.

    Steps lie before and after each flush to the disk and each transaction that adds an item.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _die_at(step)
            work()
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    assert code in (0, 9)
    return code == 9


def _die_at(step: int) -> None:
    left = step

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            nonlocal left
            found = None
            for act in (None, real, None):
                if act is not None:
                    found = act(*given, **more)
                    continue
                left -= 1
                if left == 0:
                    os._exit(9)
            return found

        return call

    os.fsync = counted(os.fsync)
    Items.add = counted(Items.add)  # type: ignore[method-assign]


def test_killed_at_any_step_nothing_is_captured_twice_or_lost(
    tmp_path: Path, ws: Workspace, tasks: Any, browser_of: Any, ends: Any
) -> None:
    given = tasks(ONE, TWO, THREE)
    ws.close()
    answers = {TWO: [ends.gone], THREE: [ends.fault]}

    def run(folder: Path, browser: Any) -> CampaignReport:
        journal = Journal.of(folder, tmp_path / "list.txt")
        journal.begin(Plan(source=journal.source, width=60, height=40, profile="page"))
        with Workspace.open(folder) as opened, journal:
            keeper, clock = InWorkspace(opened), browser.clock
            return run_campaign(keeper, given, browser, journal, rate=0, passes=2, clock=clock, now=lambda: AT)

    step = 0
    while True:
        step += 1
        folder = tmp_path / f"{step}.secondlook"
        shutil.copytree(ws.path, folder)
        reached = killed_at(step, functools.partial(run, folder, browser_of(answers)))
        with Workspace.open(folder) as opened:
            kept = set(ids(opened))
        after = browser_of(answers)
        report = run(folder, after)
        assert not kept & set(after.urls)
        with Workspace.open(folder) as opened:
            assert set(ids(opened)) == {ONE, TWO}
            assert opened.items.count() == 2
            assert len(opened.decisions.of(ids(opened)[TWO])) == 1
        assert report.captured + report.deleted + report.there == 2
        assert after.urls.count(THREE) <= 2
        assert report.failed == {"error page": 1}
        shutil.rmtree(folder)
        if not reached:
            break
    # A page's picture, its item and its line are several steps each.
    assert step > 25
    assert not (ws.path / FOLDER).exists()


def test_a_job_folder_killed_at_any_step_captures_nothing_twice_and_loses_nothing(
    tmp_path: Path, ws: Workspace, tasks: Any, browser_of: Any, ends: Any
) -> None:
    """The child that captures and the window that takes in, as one process that dies at each of its steps in turn."""
    given = tasks(ONE, TWO)
    job = Job(addresses=tuple(task.address for task in given), settings=Settings(), rate=0.0, passes=1)
    JobFolder.of(ws.path).begin(job, ws.taxonomy)
    ws.close()

    def run(path: Path, browser: Any) -> None:
        folder = JobFolder.of(path)
        with Workspace.open(path) as opened:
            folder.take(opened, folder.finished())
            left = [task for task in given if not opened.items.exists([task.address.id])]
            keeper = InJobFolder(folder, folder.taxonomy(), {task.address.id: task.key for task in given})
            with folder.journal as journal:
                run_campaign(keeper, left, browser, journal, rate=0, clock=browser.clock, now=lambda: AT)
            folder.take(opened, folder.finished())

    step, reached = 0, True
    while reached:
        step += 1
        path = tmp_path / f"{step}.secondlook"
        shutil.copytree(ws.path, path)
        answers = {TWO: [ends.gone]}
        reached = killed_at(step, functools.partial(run, path, browser_of(answers)))
        folder, after = JobFolder.of(path), browser_of(answers)
        with Workspace.open(path) as opened:
            kept = set(ids(opened))
        kept |= {task.key for task in given if name_of(task.key) in folder.finished()}
        run(path, after)
        assert not kept & set(after.urls)
        with Workspace.open(path) as opened:
            assert set(ids(opened)) == {ONE, TWO}
            assert len(opened.decisions.of(ids(opened)[TWO])) == 1
        assert folder.finished() == []
        shutil.rmtree(path)
    assert step > 20
