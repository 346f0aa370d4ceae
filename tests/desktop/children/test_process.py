from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from desktop.children.log_file import LogFile
from desktop.children.process import (
    Cancelled,
    ChildProcess,
    Crashed,
    FailedToStart,
    Finished,
    ProcessOutcome,
    sudden_end,
)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.fixture
def child(log_file: LogFile, qtbot: QtBot) -> Iterator[ChildProcess]:
    process = ChildProcess(log_file, max_line=1000)
    yield process
    process.stop_and_wait(grace_ms=0)


def lines_of(qtbot: QtBot, child: ChildProcess, code: str) -> tuple[list[bytes], object]:
    lines: list[bytes] = []
    child.lineArrived.connect(lines.append)
    with qtbot.waitSignal(child.ended) as ended:
        child.start(python(code))
    return lines, ended.args[0]


def test_lines_come_before_the_end_and_the_status_is_told(qtbot: QtBot, child: ChildProcess) -> None:
    lines, outcome = lines_of(qtbot, child, "print('one'); print('two'); raise SystemExit(3)")
    assert lines == [b"one", b"two"]
    assert outcome == Finished(3)
    assert not child.running


def test_a_line_cut_in_two_writes_arrives_whole(qtbot: QtBot, child: ChildProcess) -> None:
    code = "import sys; w=sys.stdout.write; w('on'); sys.stdout.flush(); input(); w('e\\n')"
    lines: list[bytes] = []
    child.lineArrived.connect(lines.append)
    child.start(python(code))
    with qtbot.waitSignal(child.ended):
        child.write(b"go\n")
    assert lines == [b"one"]


def test_a_line_without_end_is_dropped_and_the_next_one_is_read(qtbot: QtBot, child: ChildProcess) -> None:
    lines, _ = lines_of(qtbot, child, "print('x' * 200000); print('after')")
    assert lines == [b"after"]
    assert "Dropped a line" in child.log.tail()


def test_many_lines_are_handed_out_in_order(qtbot: QtBot, child: ChildProcess) -> None:
    lines, _ = lines_of(qtbot, child, "print('\\n'.join(map(str, range(20000))))")
    assert lines == [str(number).encode() for number in range(20000)]


def test_a_killed_child_is_a_crash_with_the_signals_name(qtbot: QtBot, child: ChildProcess) -> None:
    _, outcome = lines_of(qtbot, child, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert outcome == Crashed("ended by SIGKILL")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Crashed("ended by SIGKILL"), "The engine was killed from outside, as the system does where memory runs out"),
        (Crashed("ended by SIGSEGV"), "The engine was ended by SIGSEGV; its log says more"),
        (Finished(3), "The engine stopped with status 3; its log says why"),
        (FailedToStart("no such file"), "The engine could not be started (no such file)"),
        (Cancelled(), "The engine was stopped"),
    ],
)
def test_an_end_that_nobody_asked_for_in_words(outcome: ProcessOutcome, words: str) -> None:
    assert sudden_end("The engine", outcome) == words


def test_a_program_that_does_not_exist_fails_to_start(qtbot: QtBot, child: ChildProcess) -> None:
    with qtbot.waitSignal(child.ended) as ended:
        child.start(("/no/such/program",))
    assert isinstance(ended.args[0], FailedToStart)
    assert not child.running


def test_a_stopped_child_is_cancelled(qtbot: QtBot, child: ChildProcess) -> None:
    with qtbot.waitSignal(child.lineArrived):
        child.start(python("print('up', flush=True); import time; time.sleep(60)"))
    with qtbot.waitSignal(child.ended) as ended:
        child.stop()
    assert ended.args[0] == Cancelled()


def test_a_child_that_ignores_the_terminate_signal_is_killed(qtbot: QtBot, child: ChildProcess) -> None:
    code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    with qtbot.waitSignal(child.lineArrived):
        child.start(python(code))
    with qtbot.waitSignal(child.ended) as ended:
        child.stop(grace_ms=50)
    assert ended.args[0] == Cancelled()
    assert "killing it" in child.log.tail()


def test_standard_error_goes_to_the_log(qtbot: QtBot, child: ChildProcess) -> None:
    lines_of(qtbot, child, "import sys; sys.stderr.write('a trace of it')")
    assert "a trace of it" in child.log.tail()


def test_the_child_finds_our_engine_wherever_it_is_started(qtbot: QtBot, child: ChildProcess) -> None:
    lines, _ = lines_of(qtbot, child, "import engine; print(engine.__name__)")
    assert lines == [b"engine"]
