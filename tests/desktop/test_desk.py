from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from desktop.children.states import EngineState, TrainingState
from desktop.desk import Desk, DeskCommands
from desktop.settings import Settings
from engine.errors import WorkspaceError
from engine.service.protocol import Explain, Priority
from engine.taxonomy import preset
from engine.triage import named
from engine.types import Action, Decision, Explanation, Item, ModelCard
from engine.workspace import NewDecision, Workspace

FAKES = Path(__file__).parent / "children"
ITEMS = 150


@pytest.fixture(autouse=True)
def _patiently(patient: None) -> None:
    """Child processes start slowly where other tests have the processors."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A workspace of 150 tweets with one champion that has judged nothing yet."""
    folder = tmp_path / "w.secondlook"
    with Workspace.create(folder, preset("tweets")) as workspace:
        items = [
            Item(id=f"t{n}", kind="tweet", text="bad words" if n % 3 == 0 else "kind words", truths=truths(n))
            for n in range(ITEMS)
        ]
        workspace.items.add((item, None) for item in items)
        add_model(workspace, "m-a")
        workspace.models.promote("m-a", "The first model.")
    return folder


def truths(number: int) -> dict[str, tuple[str, ...]]:
    return {"toxicity": ("toxic" if number % 3 == 0 else "non-toxic",)}


def add_model(workspace: Workspace, name: str) -> None:
    folder = workspace.path / "models" / name
    folder.mkdir()
    card = ModelCard(id=name, created="2026-01-01T00:00:00Z", recipe="", tasks={"toxicity": ("toxic", "non-toxic")})
    workspace.models.register(card, folder)


@pytest.fixture
def make(path: Path, tmp_path: Path, qtbot: QtBot) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def build(engine: str = "good", trainer: str = "good") -> Desk:
        commands = DeskCommands(
            engine=(sys.executable, str(FAKES / "fake_engine.py"), engine, str(tmp_path / "starts")),
            trainer=(sys.executable, str(FAKES / "fake_trainer.py"), trainer),
        )
        store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
        desks.append(Desk(path, settings=Settings(store), commands=commands))
        return desks[-1]

    yield build
    for desk in desks:
        desk.close()
        desk.deleteLater()
    assert left_behind(path) == []


def left_behind(path: Path) -> list[str]:
    """Return the child processes that still work on this workspace."""
    children = [child.cmdline() for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [" ".join(words) for words in children if any(str(path) in word for word in words)]


def correct(desk: Desk, item: str, label: str = "non-toxic") -> list[Decision]:
    new = NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=(label,), reviewer="ada")
    decisions = desk.workspace.decisions.record([new])
    desk.decisions_recorded(decisions)
    return decisions


def test_every_item_gets_a_verdict_and_is_told(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make()
    told: list[str] = []
    states: list[EngineState] = []
    desk.verdictsChanged.connect(told.extend)
    desk.engineStateChanged.connect(states.append)
    desk.start()
    qtbot.waitUntil(lambda: len(told) == ITEMS)
    assert sorted(told) == sorted(f"t{n}" for n in range(ITEMS))
    assert desk.workspace.items.count_without_verdict("m-a") == 0
    assert desk.workspace.verdicts.of("t0")["toxicity"].label == "toxic"
    qtbot.waitUntil(lambda: not desk.engine_state.busy)
    assert any(state.text == f"Scoring 64 of {ITEMS}" and state.total == ITEMS for state in states)
    assert desk.engine_state.text == "Engine ready · a fake device"


def test_once_every_item_is_scored_the_engine_chooses_its_arithmetic(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make(engine="unsettled")
    texts: list[str] = []
    desk.engineStateChanged.connect(lambda state: texts.append(state.text))
    desk.start()
    qtbot.waitUntil(lambda: "settled by 150 items, the last is t149" in desk.engine_log.read_text())
    assert desk.workspace.items.count_without_verdict("m-a") == 0
    qtbot.waitUntil(lambda: desk._engine.outstanding() == 0)
    assert "Engine ready · checking faster arithmetic" in texts
    assert texts[-1] == "Engine ready · a fake device"
    desk.score_missing()
    with qtbot.waitSignal(desk._champion.scored):
        pass
    assert desk.engine_log.read_text().count("settled by") == 1
    psutil.Process(desk._engine.process.pid).kill()
    qtbot.waitUntil(lambda: desk.engine_log.read_text().count("settled by") == 2)  # a new engine knows nothing of it


def test_an_engine_that_dies_of_choosing_its_arithmetic_is_not_asked_for_ever(
    qtbot: QtBot, make: Callable[..., Desk]
) -> None:
    desk = make(engine="unsettled-dies")
    desk.start()
    qtbot.waitUntil(lambda: bool(desk._champion._refused))
    qtbot.waitUntil(lambda: desk._engine.ready)
    desk.score_missing()
    with qtbot.waitSignal(desk._champion.scored):
        pass
    assert desk.engine_log.read_text().count("settled by") == 2


def test_scoring_goes_on_after_the_engine_crashed(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make(engine="crash-once")
    told: list[str] = []
    desk.verdictsChanged.connect(told.extend)
    desk.start()
    qtbot.waitUntil(lambda: len(told) == ITEMS)
    assert desk.workspace.items.count_without_verdict("m-a") == 0


def test_an_explanation_is_asked_for_once_and_stored(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make()
    desk.start()
    arrived: list[Explanation] = []
    desk.explanationArrived.connect(arrived.append)
    assert desk.explain("t0", "toxicity", "toxic", Priority.PREFETCH)
    assert desk.explain("t0", "toxicity", "toxic", Priority.PREFETCH)
    qtbot.waitUntil(lambda: [one.final for one in arrived] == [False, True])
    qtbot.waitUntil(lambda: desk.workspace.explanations.get("t0", "toxicity", "toxic", "m-a") is not None)
    arrived.clear()
    assert not desk.explain("t0", "toxicity", "toxic")
    assert [one.final for one in arrived] == [True]


def test_an_explanation_that_is_prefetched_goes_on_in_a_hurry_once_it_is_looked_at(
    qtbot: QtBot, make: Callable[..., Desk]
) -> None:
    desk = make(engine="stall")
    arrived: list[Explanation] = []
    desk.explanationArrived.connect(arrived.append)
    desk.start()
    qtbot.waitUntil(lambda: desk.engine_state.ready)
    desk.explain("t0", "toxicity", "toxic", Priority.PREFETCH)
    desk.explain("t1", "toxicity", "toxic", Priority.PREFETCH)
    asked = desk._engine.outstanding()
    desk.explain("t1", "toxicity", "toxic", Priority.LOOKING)
    assert desk._engine.outstanding() == asked  # nothing anew
    qtbot.waitUntil(lambda: [(one.item, one.final) for one in arrived] == [("t1", False), ("t1", True)])
    desk.cancel_explains()
    qtbot.waitUntil(lambda: desk._engine.outstanding() == 0)


def test_an_explanation_that_waits_for_the_engine_is_in_a_hurry_once_it_is_looked_at(
    qtbot: QtBot, make: Callable[..., Desk]
) -> None:
    desk = make(engine="stall")
    desk.explain("t0", "toxicity", "toxic", Priority.PREFETCH)
    desk.explain("t0", "toxicity", "toxic", Priority.LOOKING)
    (outstanding,) = desk._engine._outstanding.values()
    assert isinstance(outstanding.message, Explain)
    assert outstanding.message.priority is Priority.LOOKING


def test_enough_corrections_start_a_retrain_whose_model_is_taken_in(
    qtbot: QtBot, make: Callable[..., Desk], leave_candidate: None
) -> None:
    desk = make(trainer="candidate")
    desk.settings.retrain_after = 3
    states: list[TrainingState] = []
    notices: list[str] = []
    desk.trainingStateChanged.connect(states.append)
    desk.flipped.connect(notices.append)
    desk.start()
    qtbot.waitUntil(lambda: desk.workspace.items.count_without_verdict("m-a") == 0)
    correct(desk, "t0")
    correct(desk, "t3")
    assert desk.corrections() == 2
    assert not desk.training_state.running
    with qtbot.waitSignal(desk.championChanged) as champion:
        correct(desk, "t6")
    assert champion.args == ["m-b"]
    assert desk.corrections() == 0
    stages = list(dict.fromkeys(state.stage for state in states))
    assert stages == ["prepare", "start", "train", "adopt", "done"]
    qtbot.waitUntil(lambda: bool(notices))
    assert notices == ["100 verdicts changed; none contradicts a decision."]
    assert desk.workspace.verdicts.of("t1")["toxicity"].model == "m-b"
    assert desk.workspace.queues.count(named("flips").query) == 100


def test_contradictions_are_told_and_a_rollback_takes_them_back_in_silence(
    qtbot: QtBot, make: Callable[..., Desk]
) -> None:
    desk = make()
    told: list[str] = []
    desk.flipped.connect(told.append)
    desk.start()
    qtbot.waitUntil(lambda: desk.workspace.items.count_without_verdict("m-a") == 0)
    correct(desk, "t1")
    add_model(desk.workspace, "m-b")
    desk.promote("m-b")
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["100 verdicts changed; 1 now contradicts a decision."]
    with qtbot.waitSignal(desk.championChanged):
        desk.roll_back()
    qtbot.waitUntil(lambda: desk.engine_state.model == "m-a" and desk._writer.idle)
    assert desk.workspace.queues.count(named("flips").query) == 0
    assert len(told) == 1


def test_a_batch_to_teach_the_model_is_picked_beside_the_window(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make()
    desk.start()
    qtbot.waitUntil(lambda: desk.workspace.items.count_without_verdict("m-a") == 0)
    with qtbot.waitSignals([desk.picked, desk.countsChanged]):
        desk.pick_batch()
    batch = desk.workspace.teaching.batch()
    assert batch is not None
    assert (batch.order, batch.items, batch.at_random) == ("margin", 150, 15)
    assert desk.workspace.queues.count(named("teach").query) == 150


@pytest.fixture
def leave_candidate(path: Path) -> None:
    """Make the stand-in trainer leave a candidate whose verdicts call everything toxic."""
    (path / "candidate-name").write_text("m-b")


def test_an_undone_correction_does_not_count(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make()
    correct(desk, "t0")
    with qtbot.waitSignal(desk.correctionsChanged):
        undone = desk.workspace.decisions.undo("ada")
        assert undone is not None
        desk.decisions_recorded([undone.undo])
    assert desk.corrections() == 0


def test_never_means_never(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make()
    desk.settings.retrain_after = 0
    for number in range(30):
        correct(desk, f"t{number}")
    assert not desk.training_state.running


def test_a_retrain_can_be_cancelled_and_is_noted_so(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make(trainer="hang")
    desk.start()
    desk.start_retrain()
    qtbot.waitUntil(lambda: desk.training_state.stage == "train")
    notices: list[str] = []
    desk.notice.connect(lambda text, _kind: notices.append(text))
    desk.start_retrain()
    assert notices == ["A retrain is under way already."]
    desk.cancel_retrain()
    qtbot.waitUntil(lambda: desk.training_state.stage == "cancelled")
    assert desk.training_state.text == "The retrain was cancelled; the model stays as it was."
    qtbot.waitUntil(lambda: [run.state for run in desk.workspace.runs.list()] == ["cancelled"])


def test_a_retrain_that_the_window_left_goes_on_at_the_next_start(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make(trainer="hang")
    desk.start()
    desk.start_retrain()
    qtbot.waitUntil(lambda: desk.training_state.done > 0)
    run = desk.training_state.run
    desk.close()
    desk = make(trainer="hang")
    desk.start()
    qtbot.waitUntil(lambda: desk.training_state.done > 0)
    assert desk.training_state.run == run
    assert "Going on" in desk.training_state.text or desk.training_state.epoch == 1


def test_of_several_runs_left_behind_the_newest_goes_on_before_another_begins(
    qtbot: QtBot, make: Callable[..., Desk]
) -> None:
    desk = make(trainer="hang")
    desk.settings.retrain_after = 2
    old, new = (desk.workspace.runs.prepare("[training]\nepochs = 1\n", run_id=name) for name in ("old", "run-new"))
    desk.workspace.runs.mark(old.id, "running")
    desk.start()
    for number in (0, 3, 6):
        correct(desk, f"t{number}")
    qtbot.waitUntil(lambda: desk.training_state.done > 0)
    assert desk.training_state.run == new.id
    states = {run.id: (run.state, run.message) for run in desk.workspace.runs.list()}
    assert states == {"old": ("cancelled", "Given up for the newer run run-new."), "run-new": ("running", "")}


def test_a_retrain_asked_for_while_looking_for_old_runs_is_not_lost(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make(trainer="hang")
    desk.start()
    desk.start_retrain()
    assert not desk.training_state.running
    qtbot.waitUntil(lambda: desk.training_state.done > 0)
    assert len(desk.workspace.runs.list()) == 1


def test_a_retrain_can_be_kept_from_seeing_a_region(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make(trainer="hang")
    desk.start()
    desk.start_retrain('[image]\nmask_regions = ["price"]\n', masked="handle")
    qtbot.waitUntil(lambda: desk.training_state.done > 0)
    (run,) = desk.workspace.runs.list()
    recipe = tomllib.loads((run.path / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe == {"image": {"mask_regions": ["price", "handle"]}, "text": {"mask_users": True}}


def test_a_trainer_that_dies_is_started_again(qtbot: QtBot, make: Callable[..., Desk], leave_candidate: None) -> None:
    desk = make(trainer="candidate-die-once")
    desk._retraining._pauses = (1,)
    notices: list[tuple[str, str]] = []
    desk.notice.connect(lambda text, kind: notices.append((text, kind)))
    desk.start()
    with qtbot.waitSignal(desk.championChanged):
        desk.start_retrain()
    assert desk.champion == "m-b"
    (died,) = [text for text, kind in notices if kind == "warning"]
    assert died.startswith("The trainer was killed from outside, ")
    assert died.endswith("The retrain goes on from its last checkpoint in 0.001 s.")


def test_an_engine_that_is_killed_is_told_once_and_comes_back(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make()
    notices: list[tuple[str, str]] = []
    desk.notice.connect(lambda text, kind: notices.append((text, kind)))
    desk.start()
    qtbot.waitUntil(lambda: desk.engine_state.ready)
    psutil.Process(desk._engine.process.pid).kill()
    qtbot.waitUntil(lambda: not desk.engine_state.ready)
    qtbot.waitUntil(lambda: desk.engine_state.ready)
    (told,) = [text for text, kind in notices if kind == "warning"]
    assert told == (
        "The engine was killed from outside, as the system does where memory runs out; starting it again in 0.5 s."
    )


def test_too_little_to_train_on_is_a_notice(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make(trainer="fail")
    desk.start()
    with qtbot.waitSignal(desk.notice, check_params_cb=lambda _text, kind: kind == "error") as notice:
        desk.start_retrain()
    assert "Too few labels" in notice.args[0]
    assert desk.training_state.stage == "failed"


def test_promotion_and_rollback_by_hand(qtbot: QtBot, make: Callable[..., Desk]) -> None:
    desk = make()
    desk.start()
    add_model(desk.workspace, "m-b")
    with qtbot.waitSignals([desk.championChanged, desk.modelsChanged]):
        desk.promote("m-b")
    assert desk.champion == "m-b"
    qtbot.waitUntil(lambda: desk.engine_state.model == "m-b")
    with qtbot.waitSignal(desk.championChanged) as champion:
        desk.roll_back()
    assert champion.args == ["m-a"]
    with qtbot.waitSignal(desk.notice, check_params_cb=lambda text, _kind: "no earlier champion" in text):
        desk.roll_back()


def test_a_second_window_is_refused_until_the_first_is_closed(make: Callable[..., Desk]) -> None:
    desk = make()
    with pytest.raises(WorkspaceError, match=r"is open in another window \(process \d+\)"):
        make()
    desk.close()
    make()


def test_a_folder_that_is_no_workspace_is_refused_and_not_locked(tmp_path: Path, qtbot: QtBot) -> None:
    store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    for _ in range(2):
        with pytest.raises(WorkspaceError, match="not a workspace"):
            Desk(tmp_path, settings=Settings(store))


def test_an_import_reports_and_is_scored(qtbot: QtBot, make: Callable[..., Desk], tmp_path: Path) -> None:
    source = tmp_path / "more.jsonl"
    lines = ['{"id": "n1", "kind": "tweet", "text": "bad words"}', '{"id": "n2", "kind": "tweet"', ""]
    source.write_text("\n".join(lines))
    desk = make()
    desk.start()
    qtbot.waitUntil(lambda: desk.workspace.items.count_without_verdict("m-a") == 0)
    with qtbot.waitSignals([desk.importEnded, desk.countsChanged]):
        desk.import_paths([source])
    assert not desk.importing
    assert desk.workspace.items.exists(["n1"]) == {"n1"}
    qtbot.waitUntil(lambda: bool(desk.workspace.verdicts.of("n1")))


def test_closing_stores_what_was_queued(qtbot: QtBot, make: Callable[..., Desk], path: Path) -> None:
    desk = make()
    desk.start()
    with qtbot.waitSignal(desk.verdictsChanged):
        pass
    desk.close()
    with Workspace.open(path, read_only=True) as workspace:
        assert workspace.items.count_without_verdict("m-a") < ITEMS
        assert workspace.decisions.verify().ok


def test_a_backup_is_made_when_one_is_due(qtbot: QtBot, make: Callable[..., Desk], path: Path) -> None:
    desk = make()
    desk.start()
    desk.back_up()
    qtbot.waitUntil(lambda: len(list((path / "backups").glob("workspace-*.db"))) == 1)
    desk.back_up()
    qtbot.waitUntil(lambda: desk._long_jobs.idle)
    assert len(list((path / "backups").glob("workspace-*.db"))) == 1


def test_a_missing_models_folder_is_said_and_reviewing_goes_on(
    qtbot: QtBot, make: Callable[..., Desk], path: Path
) -> None:
    (path / "models" / "m-a").rmdir()
    desk = make()
    notices: list[str] = []
    desk.notice.connect(lambda text, _kind: notices.append(text))
    desk.start()
    qtbot.waitUntil(lambda: desk.engine_state.text.startswith("No model"))
    assert any("m-a" in text and "missing" in text for text in notices)
    assert correct(desk, "t0")[0].number == 1
