"""A small real workspace, a desk whose engine is never started, and the page in a real window."""

from __future__ import annotations

import io
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from desktop.children.states import EngineState
from desktop.desk import Desk
from desktop.review.page import ReviewPage
from desktop.settings import Settings
from desktop.theme import ThemeManager
from desktop.window import DeskWindow
from engine.service.protocol import Priority
from engine.taxonomy import Task, preset
from engine.types import Explanation, Item, ModelCard, Segment, SegmentMap, TokenWeight, Verdict
from engine.workspace import Workspace

MODEL = "first-model"
COLOURS = ("#204060", "#806020", "#207040", "#703030", "#505080", "#a0a0a0", "#104010", "#401040")

Verdicts = Callable[..., Verdict]


def png(colour: str, side: int = 60) -> bytes:
    """A flat capture with a dotted white line across its middle."""
    image = Image.new("RGB", (side, side), colour)
    for x in range(0, side, 2):
        image.putpixel((x, side // 2), (255, 255, 255))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def segment_map(cells: Sequence[Sequence[int]]) -> SegmentMap:
    grid = np.array(cells, dtype="<u2")
    return SegmentMap(width=grid.shape[1], height=grid.shape[0], cells=zlib.compress(grid.tobytes()))


def verdict_of(item: str, task: Task, probabilities: dict[str, float], model: str = MODEL) -> Verdict:
    whole = {name: probabilities.get(name, 0.0) for name in task.label_names}
    label = max(whole, key=lambda name: whole[name])
    labels = tuple(name for name in whole if whole[name] >= 0.5) if task.multi else (label,)
    return Verdict(
        item=item,
        task=task.name,
        model=model,
        label=label,
        probability=whole[label],
        labels=labels,
        probabilities=whole,
    )


def explanation_of(item: str, task: str, label: str, **changes: object) -> Explanation:
    fields: dict[str, object] = {
        "item": item,
        "task": task,
        "label": label,
        "model": MODEL,
        "probability": 0.8,
        "tokens": (TokenWeight(field="text", start=0, end=4, text="Item", weight=0.2),),
        "segments": (
            Segment(id=1, weight=0.1, box=(0, 0, 30, 60), area=1800),
            Segment(id=2, weight=-0.2, box=(30, 0, 30, 60), area=1800),
        ),
        "segment_map": segment_map([[1, 2], [1, 2]]),
        "samples": 100,
        "image_fit": 0.8,
        "text_fit": 0.9,
    }
    return Explanation(**{**fields, **changes})  # type: ignore[arg-type]


def card(name: str) -> ModelCard:
    return ModelCard(id=name, created="2026-01-01T00:00:00+00:00", recipe="", tasks={})


def add_model(workspace: Workspace, folder: Path, name: str = MODEL) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "card.json").write_text("{}", encoding="utf-8")
    workspace.models.register(card(name), folder / name)
    workspace.models.promote(name, "for the test")


@pytest.fixture
def folder(tmp_path: Path, template: Path) -> Path:
    """A workspace of six tweets (toxic at 80 %, the last without a capture) and two prohibited products."""
    return Path(shutil.copytree(template, tmp_path / "desk.secondlook"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("review")
    path = base / "desk.secondlook"
    with Workspace.create(path, preset("both")) as workspace:
        tweets = [_tweet(number) for number in range(6)]
        products = [_product(number) for number in range(2)]
        workspace.items.add((item, png(COLOURS[n]) if item.width else None) for n, item in enumerate(tweets + products))
        add_model(workspace, base / "models")
        toxicity, verdict, reason = (workspace.taxonomy.task(name) for name in ("toxicity", "verdict", "reason"))
        found = [verdict_of(item.id, toxicity, {"toxic": 0.8, "non-toxic": 0.2}) for item in tweets]
        for item in products:
            found.append(verdict_of(item.id, verdict, {"prohibited": 0.7, "ok": 0.3}))
            found.append(verdict_of(item.id, reason, {"smoking": 0.9, "alcohol": 0.6}))
        workspace.verdicts.put(found)
        for item in tweets[:5]:
            workspace.explanations.put(explanation_of(item.id, "toxicity", "toxic"))
    return path


def _tweet(number: int) -> Item:
    return Item(
        id=f"tweet-{number}",
        kind="tweet",
        text=f"Item number {number} 🙂 with words",
        author="vorlander",
        width=60 if number < 5 else 0,
        height=60 if number < 5 else 0,
        captured_at=f"2026-01-0{number + 1}T10:00:00Z",
    )


def _product(number: int) -> Item:
    return Item(
        id=f"product-{number}",
        kind="product",
        title=f"Morrowe kettle {number}",
        text="A kettle.",
        author="harbour",
        width=60,
        height=60,
        captured_at=f"2026-02-0{number + 1}T10:00:00Z",
    )


class QuietDesk(Desk):
    """A desk whose engine counts as up and answers nothing by itself; `asked` holds what was wanted of it."""

    asked: list[tuple[str, str, str, Priority]]
    kept: list[tuple[str, ...]]
    told: list[int]

    @property
    def engine_state(self) -> EngineState:
        return EngineState(text="Ready", ready=True, model=self.champion)

    def explain(self, item_id: str, task: str, label: str, priority: Priority = Priority.LOOKING) -> bool:
        self.asked.append((item_id, task, label, priority))
        return True

    def cancel_explains(self, keep: Sequence[str] = ()) -> None:
        self.kept.append(tuple(keep))


@pytest.fixture
def open_desk(folder: Path, settings: Settings) -> Iterator[Callable[[], QuietDesk]]:
    settings.reviewer = "ana"
    settings.retrain_after = settings.refit_after = 0
    desks: list[QuietDesk] = []

    def build() -> QuietDesk:
        desk = QuietDesk(folder, settings=settings)
        desk.asked, desk.kept, desk.told = [], [], []
        desks.append(desk)
        return desk

    yield build
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(open_desk: Callable[[], QuietDesk]) -> QuietDesk:
    return open_desk()


@pytest.fixture
def show_page(qtbot: QtBot, theme: ThemeManager, settings: Settings) -> Callable[[Desk], ReviewPage]:
    def build(desk: Desk) -> ReviewPage:
        window = DeskWindow(settings, theme)
        window.resize(1280, 800)
        page = ReviewPage(desk, theme, window.actions_table)
        qtbot.addWidget(window, before_close_func=lambda _window: page.stop())
        window.add_page("review", page)
        with qtbot.waitExposed(window):
            window.show()
        window.show_page("review")
        qtbot.waitUntil(lambda: window.isActiveWindow() and page.model.rowCount() > 0)
        return page

    return build


@pytest.fixture
def page(desk: QuietDesk, show_page: Callable[[Desk], ReviewPage]) -> ReviewPage:
    return show_page(desk)


@pytest.fixture
def make_explanation() -> Callable[..., Explanation]:
    def build(item: str = "tweet-0", task: str = "toxicity", label: str = "toxic", **changes: object) -> Explanation:
        return explanation_of(item, task, label, **changes)

    return build


@pytest.fixture
def make_verdict(desk: QuietDesk) -> Verdicts:
    def build(item: str, task: str, model: str = MODEL, **probabilities: float) -> Verdict:
        given = {name.replace("_", "-"): value for name, value in probabilities.items()}
        return verdict_of(item, desk.workspace.taxonomy.task(task), given, model)

    return build
