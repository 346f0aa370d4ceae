from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.children.log_file import LogFile
from desktop.children.states import TrainingState
from desktop.children.trainer import TrainerProcess, after_event, progress_words
from engine.service.protocol import RunProgress, RunStarted

Command = Callable[[str], Callable[[Path], tuple[str, ...]]]


@pytest.fixture
def make(log_file: LogFile, trainer_command: Command, qtbot: QtBot) -> Iterator[Callable[[str], TrainerProcess]]:
    trainers: list[TrainerProcess] = []

    def build(mode: str) -> TrainerProcess:
        trainers.append(TrainerProcess(trainer_command(mode), log_file))
        return trainers[-1]

    yield build
    for trainer in trainers:
        trainer.suspend()


def test_a_run_is_followed_from_its_start_to_its_candidate(
    qtbot: QtBot, tmp_path: Path, make: Callable[[str], TrainerProcess]
) -> None:
    trainer = make("good")
    states: list[TrainingState] = []
    trainer.stateChanged.connect(states.append)
    with qtbot.waitSignal(trainer.runEnded) as ended:
        trainer.start(tmp_path)
    assert ended.args == [tmp_path]
    last = states[-1]
    assert [point.epoch for point in last.history] == [1, 2]
    assert last.history[1].macro_f1 == {"toxicity": pytest.approx(0.6)}
    assert last.epochs == 2
    assert last.items == {"train": 32, "val": 8}
    assert "validation macro-F1 0.60" in last.text


def test_a_run_that_fails_says_why(qtbot: QtBot, tmp_path: Path, make: Callable[[str], TrainerProcess]) -> None:
    trainer = make("fail")
    with qtbot.waitSignal(trainer.runFailed) as failed:
        trainer.start(tmp_path)
    assert failed.args == [tmp_path, "Too few labels: toxic has 1 item and needs 2.", False]


def test_a_trainer_that_dies_without_a_word_is_a_crash(
    qtbot: QtBot, tmp_path: Path, make: Callable[[str], TrainerProcess]
) -> None:
    trainer = make("always-die")
    with qtbot.waitSignal(trainer.crashed) as crashed:
        trainer.start(tmp_path)
    assert "status 3" in crashed.args[1]


@pytest.mark.parametrize("mode", ["hang", "hang-in-words"])
def test_a_cancelled_run_fails_as_cancelled(
    qtbot: QtBot, tmp_path: Path, make: Callable[[str], TrainerProcess], mode: str
) -> None:
    trainer = make(mode)
    trainer.start(tmp_path)
    qtbot.waitUntil(lambda: trainer.state.stage == "train" and trainer.state.done > 0)
    with qtbot.waitSignal(trainer.runFailed) as failed:
        trainer.cancel()
    assert failed.args == [tmp_path, "The retrain was cancelled; the model stays as it was.", True], "it never goes on"


def test_a_suspended_run_says_nothing(qtbot: QtBot, tmp_path: Path, make: Callable[[str], TrainerProcess]) -> None:
    trainer = make("hang")
    trainer.start(tmp_path)
    qtbot.waitUntil(lambda: trainer.state.done > 0)
    with (
        qtbot.assertNotEmitted(trainer.runFailed),
        qtbot.assertNotEmitted(trainer.crashed),
    ):
        trainer.suspend()
    assert not trainer.running


def test_progress_reads_as_one_line() -> None:
    state = after_event(
        TrainingState(run="r1", stage="start"),
        RunStarted(run="r1", device="CPU, 2 threads", epochs=6, epoch=1, items={}),
    )
    assert state.text == "Going on after epoch 1 on CPU, 2 threads"
    state = after_event(state, RunProgress(run="r1", stage="train", done=40, total=100, loss=0.5))
    assert progress_words(state) == "Training 40 % · epoch 2 of 6"
