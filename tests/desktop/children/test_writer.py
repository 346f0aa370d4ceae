from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot

from desktop.children.jobs import JobContext, RefreshQueue
from desktop.children.writer import JobFailure, Writer
from engine.errors import CancelledError, InputError
from engine.taxonomy import preset
from engine.workspace import Workspace


class Call(msgspec.Struct, frozen=True):
    """A job that does what the test says."""

    do: Callable[[JobContext], object]

    def run(self, context: JobContext) -> object:
        return self.do(context)


@pytest.fixture
def writer(tmp_path: Path, qtbot: QtBot) -> Iterator[Writer]:
    Workspace.create(tmp_path / "w.secondlook", preset("tweets")).close()
    made = Writer(tmp_path / "w.secondlook", "writer")
    made.start()
    yield made
    assert made.close()


def outcome_of(qtbot: QtBot, writer: Writer, do: Callable[[JobContext], object]) -> object:
    outcomes: list[object] = []
    with qtbot.waitSignal(writer.idled):
        writer.submit(Call(do), outcomes.append, outcomes.append)
    assert len(outcomes) == 1
    return outcomes[0]


def raiser(error: Exception) -> Callable[[JobContext], object]:
    def do(_context: JobContext) -> object:
        raise error

    return do


def test_a_job_runs_elsewhere_and_its_result_comes_back_here(qtbot: QtBot, writer: Writer) -> None:
    threads: list[object] = []
    main = QThread.currentThread()
    with qtbot.waitSignal(writer.idled):
        writer.submit(
            Call(lambda context: context.workspace.items.count()),
            lambda count: threads.extend([count, QThread.currentThread()]),
            threads.append,
        )
    assert threads == [0, main]


def test_jobs_run_in_their_order_on_one_connection(qtbot: QtBot, writer: Writer) -> None:
    seen: list[object] = []
    with qtbot.waitSignal(writer.idled):
        for number in range(3):
            writer.submit(Call(lambda context, n=number: (n, id(context.workspace))), seen.append, seen.append)  # type: ignore[misc]
    assert [one[0] for one in seen if isinstance(one, tuple)] == [0, 1, 2]
    assert len({one[1] for one in seen if isinstance(one, tuple)}) == 1


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (InputError("Row 3 is broken.", "Mend it."), JobFailure("Row 3 is broken. Mend it.")),
        (CancelledError(), JobFailure("Cancelled.", cancelled=True)),
        (ZeroDivisionError("by nothing"), JobFailure("ZeroDivisionError: by nothing", bug=True)),
    ],
)
def test_a_failure_says_whose_fault_it_is(qtbot: QtBot, writer: Writer, error: Exception, failure: JobFailure) -> None:
    assert outcome_of(qtbot, writer, raiser(error)) == failure
    assert outcome_of(qtbot, writer, lambda _context: "still alive") == "still alive"


def test_a_queued_job_that_is_cancelled_never_runs(qtbot: QtBot, writer: Writer) -> None:
    gate = threading.Event()
    outcomes: list[object] = []
    with qtbot.waitSignal(writer.idled):
        writer.submit(Call(lambda _context: gate.wait(10)), outcomes.append, outcomes.append)
        ticket = writer.submit(Call(lambda _context: "ran"), outcomes.append, outcomes.append)
        writer.cancel(ticket)
        gate.set()
    assert outcomes == [True, JobFailure("Cancelled.", cancelled=True)]


def test_a_running_job_sees_that_it_is_cancelled_and_reports_progress(qtbot: QtBot, writer: Writer) -> None:
    steps: list[tuple[int, int]] = []

    def do(context: JobContext) -> object:
        context.progress(1, 2)
        while not context.cancelled():
            threading.Event().wait(0.001)
        raise CancelledError

    outcomes: list[object] = []
    ticket = 0

    def progressed(done: int, total: int) -> None:
        steps.append((done, total))
        writer.cancel(ticket)

    with qtbot.waitSignal(writer.idled):
        ticket = writer.submit(Call(do), outcomes.append, outcomes.append, progressed)
    assert steps == [(1, 2)]
    assert outcomes == [JobFailure("Cancelled.", cancelled=True)]


def test_closing_finishes_what_is_queued(tmp_path: Path, qtbot: QtBot) -> None:
    Workspace.create(tmp_path / "v.secondlook", preset("tweets")).close()
    writer = Writer(tmp_path / "v.secondlook", "writer")
    writer.start()
    done: list[int] = []
    for number in range(5):
        writer.submit(Call(lambda _context, n=number: done.append(n)), lambda _: None, lambda _: None)  # type: ignore[misc]
    assert writer.close()
    assert done == [0, 1, 2, 3, 4]


def test_a_workspace_that_is_gone_is_a_sentence(tmp_path: Path, qtbot: QtBot) -> None:
    writer = Writer(tmp_path / "nowhere", "writer")
    writer.start()
    failures: list[JobFailure] = []
    with qtbot.waitSignal(writer.idled):
        writer.submit(RefreshQueue(), lambda _: None, failures.append)
    assert "There is no workspace" in failures[0].message
    assert not failures[0].bug
    writer.close()
