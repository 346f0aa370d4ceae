"""The trainer as a process of its own: killed, terminated, unheard, refused."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import psutil
import pytest
from filelock import FileLock

from engine.errors import CancelledError
from engine.service.protocol import EpochEnded, RunFailed, RunStarted, decode_trainer_event
from engine.training import run, worker
from engine.training.run import train
from engine.training.worker import EventLines

if TYPE_CHECKING:
    from engine.service.protocol import TrainerEvent
    from tests.engine.training.conftest import RunMaker

Same = Callable[[Path, Path], bool]
LONG = ("epochs = 4", "epochs = 24\ncheckpoint_seconds = 0.0")


class Worker:
    """A trainer process whose events can be read one by one."""

    def __init__(self, folder: Path) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "engine", "train", str(folder), "--nice", "0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[3]
        )
        self.events: list[TrainerEvent] = []

    def __iter__(self) -> Iterator[TrainerEvent]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = decode_trainer_event(line)
            self.events.append(event)
            yield event

    def until(self, wanted: Callable[[TrainerEvent], bool]) -> TrainerEvent:
        return next(event for event in self if wanted(event))

    def end(self) -> int:
        list(self)
        return self.process.wait(timeout=60)


@pytest.fixture
def start() -> Iterator[Callable[[Path], Worker]]:
    started: list[Worker] = []

    def begin(folder: Path) -> Worker:
        started.append(Worker(folder))
        return started[-1]

    yield begin
    for child in started:
        child.process.kill()
        child.process.wait()
        for stream in (child.process.stdout, child.process.stderr):
            if stream is not None:
                stream.close()


@dataclass
class Forked:
    """A trainer that starts at once, because this process has loaded everything already; killed like any other."""

    pid: int
    events: BinaryIO

    @classmethod
    def begin(cls, folder: Path) -> Forked:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            with os.fdopen(writer, "wb", buffering=0) as stream:
                os._exit(worker._run(folder, None, EventLines(stream, lambda: None), lambda: False))
        os.close(writer)
        return cls(pid, os.fdopen(reader, "rb"))

    def kill_after(self, epochs: int) -> int:
        """Kill it some epochs from now, wherever it stands by then; returns the epoch that it began with."""
        with self.events:
            first = decode_trainer_event(self.events.readline())
            assert isinstance(first, RunStarted)
            for line in self.events:
                event = decode_trainer_event(line)
                if isinstance(event, EpochEnded) and event.epoch >= first.epoch + epochs:
                    break
            os.kill(self.pid, signal.SIGKILL)  # it has run on while this line was on its way
        assert os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == -signal.SIGKILL
        return first.epoch


def test_killed_at_random_moments_it_ends_with_the_very_same_weights(
    make_run: RunMaker, recipe: str, same_weights: Same
) -> None:
    recipe = recipe.replace(*LONG)
    whole, broken = make_run(recipe=recipe), make_run(recipe=recipe)
    train(whole, emit=lambda _: None, cancelled=lambda: False)
    chance = random.Random()
    # Two epochs first: one that ends is told of before it is saved, so that five kills after one might get nowhere.
    epochs = [Forked.begin(broken).kill_after(after) for after in (2, *chance.choices((1, 2, 3), k=4))]
    train(broken, emit=lambda _: None, cancelled=lambda: False)
    assert epochs == sorted(epochs)
    assert epochs[-1] > 0
    assert same_weights(whole / "candidate", broken / "candidate")


@pytest.mark.timeout(600)  # loading torch alone takes long where other tests want the processor too
def test_a_terminate_signal_ends_it_soon_and_it_can_go_on(
    make_run: RunMaker, recipe: str, start: Callable[[Path], Worker]
) -> None:
    folder = make_run(recipe=recipe.replace("epochs = 4", "epochs = 5000"))
    child = start(folder)
    child.until(lambda event: isinstance(event, EpochEnded) and event.epoch == 2)
    child.process.send_signal(signal.SIGTERM)
    assert child.end() == 130
    failed = child.events[-1]
    assert isinstance(failed, RunFailed)
    assert failed.cancelled
    assert (folder / "checkpoint/state.safetensors").is_file()


def test_it_ends_when_nobody_listens_any_more(make_run: RunMaker, recipe: str) -> None:
    folder = make_run(recipe=recipe.replace("epochs = 4", "epochs = 5000"))
    reader, writer = os.pipe()
    os.close(reader)
    gone = threading.Event()
    with os.fdopen(writer, "wb", buffering=0) as stream:
        assert worker._run(folder, None, EventLines(stream, gone.set), gone.is_set) == worker.CANCELLED
    assert (folder / "checkpoint").is_dir()


def last_event(stream: io.BytesIO) -> TrainerEvent:
    return decode_trainer_event(stream.getvalue().splitlines()[-1])


def test_what_cannot_be_trained_is_said_in_the_last_event(make_run: RunMaker) -> None:
    stream = io.BytesIO()
    folder = make_run(make_run.items(1))
    assert worker._run(folder, None, EventLines(stream, lambda: None), lambda: False) == worker.REFUSED
    failed = last_event(stream)
    assert isinstance(failed, RunFailed)
    assert not failed.bug
    assert "'mood'" in failed.message


def test_a_mistake_of_ours_is_told_from_the_user_s(
    make_run: RunMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "assign_splits", broken)
    stream = io.BytesIO()
    assert worker._run(make_run(), None, EventLines(stream, lambda: None), lambda: False) == worker.BUG
    failed = last_event(stream)
    assert isinstance(failed, RunFailed)
    assert failed.bug
    assert "ZeroDivisionError" in caplog.text


def test_a_run_waits_for_a_trainer_that_is_about_to_end(make_run: RunMaker) -> None:
    """A desk that was killed and opened again at once finds its old trainer still there."""
    folder, looks = make_run(), []
    before = FileLock(folder / "trainer.lock")
    before.acquire()

    def cancelled() -> bool:
        looks.append(before.is_locked)
        before.release()
        return False

    card, _ = train(folder, emit=lambda _: None, cancelled=cancelled)
    assert looks[0]
    assert card.id == folder.name


def test_a_run_that_waits_can_be_cancelled(make_run: RunMaker) -> None:
    folder = make_run()
    with FileLock(folder / "trainer.lock"), pytest.raises(CancelledError):
        train(folder, emit=lambda _: None, cancelled=lambda: True)


def test_a_second_trainer_is_kept_out(make_run: RunMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GRACE", 0.0)
    folder, heard = make_run(), io.BytesIO()

    def second(event: TrainerEvent) -> None:
        if isinstance(event, EpochEnded):
            other = EventLines(heard, lambda: None)
            assert worker._run(folder, None, other, lambda: False) == worker.REFUSED

    train(folder, emit=second, cancelled=lambda: False)
    assert b"being trained by another process" in heard.getvalue()


def test_it_leaves_the_processor_and_the_disk_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def nice(by: int) -> int:
        asked.append(by)
        return 4

    classes: list[int] = []
    monkeypatch.setattr(os, "nice", nice)
    monkeypatch.setattr(psutil.Process, "ionice", lambda _process, ioclass: classes.append(ioclass))
    worker.be_modest()
    assert asked == [0, 15]
    assert classes == [psutil.IOPRIO_CLASS_IDLE]
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
