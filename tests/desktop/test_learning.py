"""Instant learning in the desk: on a key or after some corrections, never in the reviewer's way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from desktop.desk import Desk, DeskCommands
from desktop.settings import Settings
from engine.taxonomy import preset
from engine.types import Action, Decision, Item, ModelCard
from engine.workspace import NewDecision, Workspace
from engine.workspace.runs import is_refit

FAKES = Path(__file__).parent / "children"
ITEMS = 30


@pytest.fixture(autouse=True)
def _patiently(patient: None) -> None:
    """Child processes start slowly where other tests have the processors."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A workspace of 30 tweets, a third of them bad, with one champion that has judged nothing yet."""
    folder = tmp_path / "w.secondlook"
    with Workspace.create(folder, preset("tweets")) as workspace:
        items = [
            Item(
                id=f"t{n}",
                kind="tweet",
                text="bad words" if n % 3 == 0 else "kind words",
                truths={"toxicity": ("toxic" if n % 3 == 0 else "non-toxic",)},
            )
            for n in range(ITEMS)
        ]
        workspace.items.add((item, None) for item in items)
        (folder / "models" / "m-a").mkdir()
        tasks: dict[str, tuple[str, ...]] = {"toxicity": ("toxic", "non-toxic")}
        card = ModelCard(id="m-a", created="2026-01-01T00:00:00Z", recipe="", tasks=tasks)
        workspace.models.register(card, folder / "models" / "m-a")
        workspace.models.promote("m-a", "The first model.")
    return folder


class Told:
    """What a desk said, in order."""

    def __init__(self, desk: Desk) -> None:
        self.notices: list[str] = []
        self.engine: list[str] = []
        desk.notice.connect(lambda text, _kind: self.notices.append(text))
        desk.flipped.connect(self.notices.append)
        desk.engineStateChanged.connect(lambda state: self.engine.append(state.text))


@pytest.fixture
def make(path: Path, tmp_path: Path, qtbot: QtBot) -> Iterator[Callable[..., tuple[Desk, Told]]]:
    desks: list[Desk] = []

    def build(engine: str = "good", *, refit_after: int = 0) -> tuple[Desk, Told]:
        commands = DeskCommands(
            engine=(sys.executable, str(FAKES / "fake_engine.py"), engine, str(tmp_path / "starts")),
            trainer=(sys.executable, str(FAKES / "fake_trainer.py"), "candidate"),
        )
        settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
        settings.retrain_after, settings.refit_after = 0, refit_after
        desk = Desk(path, settings=settings, commands=commands)
        desks.append(desk)
        told = Told(desk)
        desk.start()
        qtbot.waitUntil(lambda: desk.engine_state.ready and not desk.engine_state.busy)
        qtbot.waitUntil(lambda: desk.workspace.items.count_without_verdict("m-a") == 0)
        return desk, told

    yield build
    for desk in desks:
        desk.close()
        desk.deleteLater()


def correct(desk: Desk, *items: str) -> list[Decision]:
    new = [
        NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada", act=item)
        for item in items
    ]
    decisions = desk.workspace.decisions.record(new)
    desk.decisions_recorded(decisions)
    return decisions


Make = Callable[..., tuple[Desk, Told]]


def test_enough_corrections_change_the_verdicts_at_once(qtbot: QtBot, make: Make) -> None:
    desk, told = make(refit_after=2)
    correct(desk, "t1")
    assert not desk._learning.refitting.running
    with qtbot.waitSignal(desk.championChanged) as champion:
        correct(desk, "t2")
    assert is_refit(champion.args[0])
    qtbot.waitUntil(lambda: any(text.startswith("Learned from 2 new answers in ") for text in told.notices))
    assert " s; 20 verdicts changed; " in told.notices[-1]
    assert desk.workspace.verdicts.of("t1")["toxicity"].model == champion.args[0]
    assert "Learning from the answers" in told.engine
    assert [run.state for run in desk.workspace.runs.list()] == ["finished"]
    assert desk.workspace.models.get(champion.args[0]).card.base == "m-a"
    assert desk.training_state.stage == "idle", "no trainer was needed"


def test_the_answers_still_count_for_the_full_retrain(qtbot: QtBot, make: Make) -> None:
    desk, _ = make(refit_after=2)
    with qtbot.waitSignal(desk.championChanged):
        correct(desk, "t1", "t2")
    assert desk.corrections() == 2


def test_it_learns_on_demand_and_says_so_once(qtbot: QtBot, make: Make) -> None:
    desk, told = make()
    correct(desk, "t1", "t2", "t4")
    desk.start_refit()
    desk.start_refit()
    assert told.notices == ["The model is learning from your answers already."]
    qtbot.waitUntil(lambda: any("Learned from" in text for text in told.notices))
    assert len(desk.workspace.models.list()) == 2


def test_zero_means_never(make: Make) -> None:
    desk, _ = make(refit_after=0)
    correct(desk, *(f"t{number}" for number in range(20)))
    assert not desk._learning.refitting.running


def test_a_refit_that_is_worse_changes_nothing_and_waits_for_more_answers(qtbot: QtBot, make: Make) -> None:
    desk, told = make("worse-refit", refit_after=2)
    correct(desk, "t1", "t2")
    qtbot.waitUntil(lambda: any("the model before stays" in text for text in told.notices))
    assert desk.champion == "m-a"
    correct(desk, "t4")
    assert not desk._learning.refitting.running
    correct(desk, "t5")
    assert desk._learning.refitting.running


def test_a_model_that_cannot_be_refitted_is_not_tried_again_by_itself(qtbot: QtBot, make: Make) -> None:
    desk, told = make("no-refit", refit_after=1)
    correct(desk, "t1")
    qtbot.waitUntil(lambda: told.notices == ["The model m-a cannot be refitted. It averages."])
    qtbot.waitUntil(lambda: [run.state for run in desk.workspace.runs.list()] == ["failed"])
    correct(desk, "t2")
    assert not desk._learning.refitting.running
    desk.start_refit()
    assert desk._learning.refitting.running


def test_what_was_learned_meanwhile_is_not_lost_by_a_full_retrain(qtbot: QtBot, make: Make, path: Path) -> None:
    (path / "candidate-name").write_text("m-c")
    desk, _ = make(refit_after=5)
    desk.start_retrain()
    correct(desk, "t1")  # after the snapshot was asked for: the new model cannot know it
    champions: list[str] = []
    desk.championChanged.connect(champions.append)
    qtbot.waitUntil(lambda: len(champions) == 2)
    assert champions[0] == "m-c"
    assert is_refit(champions[1])


def test_a_refit_can_be_cancelled(qtbot: QtBot, make: Make) -> None:
    desk, told = make("refit-stalls")
    correct(desk, "t1")
    desk.start_refit()
    qtbot.waitUntil(lambda: desk.engine_state.text == "Learning from the answers")
    assert desk.engine_state.busy
    desk._learning.refitting.cancel()
    qtbot.waitUntil(lambda: told.notices == ["Learning from your answers was cancelled."])
    qtbot.waitUntil(lambda: [run.state for run in desk.workspace.runs.list()] == ["cancelled"])


def test_a_window_that_closes_meanwhile_leaves_no_run_for_the_trainer(qtbot: QtBot, make: Make, path: Path) -> None:
    desk, _ = make("refit-stalls")
    correct(desk, "t1")
    desk.start_refit()
    qtbot.waitUntil(lambda: desk.engine_state.text == "Learning from the answers")
    desk.close()
    with Workspace.open(path) as workspace:
        assert workspace.runs.unfinished() == []
        again = workspace.runs.prepare_refit("")
        states = {run.id: run.state for run in workspace.runs.list()}
    assert sorted(states.values()) == ["cancelled", "prepared"]
    assert states[again.id] == "prepared"


def test_without_a_model_it_says_what_to_do(tmp_path: Path, qtbot: QtBot) -> None:
    folder = tmp_path / "empty.secondlook"
    Workspace.create(folder, preset("tweets")).close()
    desk = Desk(folder, settings=Settings(QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)))
    told = Told(desk)
    desk.start_refit()
    assert told.notices == ["There is no model yet: retrain to make the first one."]
    desk.close()
    desk.deleteLater()
