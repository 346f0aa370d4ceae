from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from desktop.actions import ActionRegistry
from desktop.children.states import TrainingState
from desktop.settings import Settings
from engine.taxonomy import preset
from engine.types import LabelScores, ModelCard, TaskMetrics
from engine.workspace import Workspace

TASK = "toxicity"


def metrics(score: float, *, n: int = 48) -> TaskMetrics:
    scores = LabelScores(precision=score, recall=score, f1=score, support=n // 2)
    unseen = LabelScores(precision=0.0, recall=0.0, f1=0.0, support=0)
    return TaskMetrics(
        n=n,
        accuracy=score,
        macro_f1=score,
        majority_accuracy=0.5,
        majority_macro_f1=0.33,
        ece=0.06,
        labels=("toxic", "non-toxic"),
        per_class={"toxic": scores, "non-toxic": unseen},
        confusion=((20, 4), (2, 22)),
    )


@pytest.fixture
def card() -> Callable[..., ModelCard]:
    def build(name: str, score: float | None, *, day: int = 1, parent: str = "", n: int = 48) -> ModelCard:
        return ModelCard(
            id=name,
            created=f"2026-01-{day:02}T12:00:00+00:00",
            recipe="[training]\nepochs = 3\n",
            tasks={TASK: ("toxic", "non-toxic")},
            parent=parent,
            counts={"train": 164, "val": 36},
            decisions=(1, 2, 3),
            metrics={"test": {TASK: metrics(score, n=n)}} if score is not None else {},
            device="CPU, 2 threads",
            seconds=185.0,
        )

    return build


class FakeDesk(QObject):
    """What the page uses of a desk, over a real workspace."""

    trainingStateChanged = Signal(object)  # noqa: N815  a desk's name
    modelsChanged = Signal()  # noqa: N815  a desk's name
    correctionsChanged = Signal()  # noqa: N815  a desk's name

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        super().__init__()
        self.workspace, self.settings = workspace, settings
        self.training_state = TrainingState()
        self.count = 12
        self.trainer_log = workspace.path / "logs" / "trainer.log"
        self.asked: list[str] = []

    @property
    def champion(self) -> str:
        row = self.workspace.models.champion()
        return row.card.id if row is not None else ""

    def corrections(self) -> int:
        return self.count

    def promote(self, model: str) -> None:
        self.asked.append(f"promote {model}")

    def roll_back(self) -> None:
        self.asked.append("roll back")

    def start_retrain(self, recipe: str | None, *, masked: str) -> None:
        self.asked.append(f"retrain by {recipe or 'the next recipe'} without {masked}")

    def show(self, state: TrainingState) -> None:
        self.training_state = state
        self.trainingStateChanged.emit(state)


@pytest.fixture
def desk(tmp_path: Path, qtbot: QtBot) -> Iterator[FakeDesk]:
    store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    with Workspace.create(tmp_path / "w.secondlook", preset("tweets")) as workspace:
        yield FakeDesk(workspace, Settings(store))


@pytest.fixture
def add(desk: FakeDesk) -> Callable[[ModelCard], None]:
    """Register a model in the desk's workspace."""

    def register(model: ModelCard) -> None:
        folder = desk.workspace.path / "models" / model.id
        folder.mkdir()
        desk.workspace.models.register(model, folder, reason="Not promoted: 0.60 against 0.80.")

    return register


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    made = QMainWindow()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def actions(window: QMainWindow) -> ActionRegistry:
    registry = ActionRegistry(window)
    registry.set_page("models")
    return registry
