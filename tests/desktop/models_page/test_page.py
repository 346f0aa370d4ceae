from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.actions import ActionRegistry
from desktop.children.states import EpochPoint, TrainingState
from desktop.models_page import ModelsPage
from desktop.models_page.looks_panel import LooksPanel
from desktop.theme import ThemeManager
from desktop.widgets import Bar
from engine.types import Explanation, Item, ModelCard

if TYPE_CHECKING:
    from desktop.desk import Desk
    from tests.desktop.models_page.conftest import FakeDesk

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
"""A note of Qt's off-screen platform about every window that is shown."""

Cards = Callable[..., ModelCard]
Add = Callable[[ModelCard], None]


@pytest.fixture
def page(qtbot: QtBot, theme: ThemeManager, actions: ActionRegistry) -> ModelsPage:
    made = ModelsPage(theme, actions)
    qtbot.addWidget(made)
    made.resize(1280, 860)
    made.show()
    return made


def show(page: ModelsPage, desk: FakeDesk) -> None:
    page.show_desk(cast("Desk", desk))


def texts(page: ModelsPage) -> str:
    return "\n".join(one.text() for one in page.findChildren(QLabel) if one.isVisibleTo(page))


def test_an_empty_list_says_what_to_do(page: ModelsPage, desk: FakeDesk) -> None:
    show(page, desk)
    assert "No model yet" in texts(page)
    assert "then retrain" in texts(page)
    assert not page.panel.isVisibleTo(page)
    page.show_desk(None)
    assert "No workspace is open" in texts(page)


def test_page_keys_read_on_in_the_chosen_model_from_the_list(
    page: ModelsPage, desk: FakeDesk, card: Cards, add: Add, qtbot: QtBot
) -> None:
    for number in (1, 2):
        add(card(f"m-{number}", 0.8, day=number))
    show(page, desk)
    page.resize(1280, 300)
    bar = page.details.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    page.activateWindow()
    qtbot.waitUntil(page.list.hasFocus)
    QTest.keyClick(page.list, Qt.Key.Key_PageDown)
    assert bar.value() > 0
    assert page.list.currentIndex().row() == 0
    QTest.keyClick(page.list, Qt.Key.Key_PageUp)
    assert bar.value() == 0


def test_the_champion_is_shown_first_with_its_scores_and_why(
    page: ModelsPage, desk: FakeDesk, card: Cards, add: Add
) -> None:
    add(card("m-a", 0.8, day=1))
    add(card("m-b", 0.6, day=2))
    desk.workspace.models.promote("m-a", "The first model.")
    show(page, desk)
    chosen = page.chosen()
    assert chosen is not None
    assert chosen.card.id == "m-a"
    told = texts(page)
    assert "Why it is the champion: The first model." in told
    assert "always giving the most frequent label scores 0.33" in told
    assert "48 held-out items" in told
    assert "off by 6 percentage points" in told
    assert not page.promote_button.isEnabled()
    assert page.rollback_button.isVisibleTo(page)
    assert not page.rollback_button.isEnabled()
    assert page.rollback_button.toolTip() == "There is no champion before this one."
    assert "accuracy (majority 50 %)" in told
    desk.workspace.models.promote("m-b", "Promoted by hand.")
    desk.modelsChanged.emit()
    page.list.setCurrentIndex(page.models.index(0))
    assert page.rollback_button.isEnabled()


def test_what_stands_above_ends_where_the_cards_end(page: ModelsPage, desk: FakeDesk, card: Cards, add: Add) -> None:
    add(card("m-a", 0.8, day=1))
    show(page, desk)
    page.resize(1100, 500)
    QApplication.processEvents()
    (task,) = [one for one in page.details.findChildren(QFrame) if one.property("surface") == "card"][:1]

    def right(widget: QWidget) -> int:
        return widget.mapTo(page, widget.rect().topRight()).x()

    assert right(page.promote_button) == right(page.panel) == right(task)


def test_promoting_asks_in_the_page_and_esc_leaves_it(
    page: ModelsPage, desk: FakeDesk, card: Cards, add: Add, actions: ActionRegistry
) -> None:
    add(card("m-a", 0.8, day=1))
    add(card("m-b", 0.6, day=2))
    desk.workspace.models.promote("m-a", "The first model.")
    show(page, desk)
    page.list.setCurrentIndex(page.models.index(0))
    assert "What came of it: Not promoted: 0.60 against 0.80." in texts(page)
    actions.trigger("models.promote")
    assert page.confirm.isVisibleTo(page)
    assert "It scored 0.60, the champion 0.80" in page.confirm.question.text()
    QTest.keyClick(page.confirm, Qt.Key.Key_Escape)
    assert not page.confirm.isVisibleTo(page)
    assert desk.asked == []
    page.ask_promote()
    page.confirm.yes.click()
    assert desk.asked == ["promote m-b"]
    page.ask_roll_back()
    page.confirm.yes.click()
    assert desk.asked == ["promote m-b", "roll back"]


def test_a_refresh_keeps_the_chosen_model(page: ModelsPage, desk: FakeDesk, card: Cards, add: Add) -> None:
    add(card("m-a", 0.8, day=1))
    add(card("m-b", 0.6, day=2))
    show(page, desk)
    page.list.setCurrentIndex(page.models.index(1))
    add(card("m-c", 0.9, day=3))
    desk.modelsChanged.emit()
    chosen = page.chosen()
    assert chosen is not None
    assert chosen.card.id == "m-a"
    assert page.models.rowCount() == 3


def test_a_running_retrain_is_live_and_can_be_cancelled(
    page: ModelsPage, desk: FakeDesk, actions: ActionRegistry
) -> None:
    pressed: list[str] = []
    actions.bind("app.cancel-retrain", lambda: pressed.append("cancel"))
    show(page, desk)
    history = (EpochPoint(epoch=1, loss=0.9, val_loss=1.0, macro_f1={"toxicity": 0.5}),)
    desk.show(
        TrainingState(
            run="r", stage="train", done=40, total=100, epoch=1, epochs=4, history=history, text="Training 40 %"
        )
    )
    assert page.panel.isVisibleTo(page)
    assert page.panel.bar.share == pytest.approx(0.4)
    assert "Training 40 %" in texts(page)
    assert page.panel.losses.accessibleName() == "training loss 0.90, validation loss 1.00"
    assert page.panel.scores.accessibleName() == "validation macro-F1 0.50"
    assert not page.panel.retrain.isVisibleTo(page)
    page.panel.cancel.click()
    assert pressed == ["cancel"]


def test_the_hint_counts_corrections(page: ModelsPage, desk: FakeDesk, card: Cards, add: Add) -> None:
    add(card("m-a", 0.8))
    show(page, desk)
    assert "12 corrections since the last retrain. The next one starts by itself after 20." in texts(page)
    desk.count = 1
    desk.settings.retrain_after = 0
    desk.correctionsChanged.emit()
    assert "1 correction since the last retrain. A retrain starts only when you ask for it." in texts(page)


@pytest.fixture
def explain(desk: FakeDesk) -> Callable[[str, int, float], None]:
    """Store explanations of as many items by a model, half of the evidence words, `handle` of it the handle."""

    def store(model: str, items: int, handle: float) -> None:
        names = [f"{model}-{number}" for number in range(items)]
        desk.workspace.items.add((Item(id=name, kind="tweet", text="words"), None) for name in names)
        shares = {"handle": 2 * handle, "media": 1 - 2 * handle}
        desk.workspace.explanations.put_many(
            Explanation(
                item=name,
                task="toxicity",
                label="toxic",
                model=model,
                probability=0.9,
                modality_share={"text": 0.5, "image": 0.5},
                region_share=shares,
            )
            for name in names
        )

    return store


Explain = Callable[[str, int, float], None]


def test_where_a_model_looks_is_shown_with_words_for_every_bar(
    page: ModelsPage, desk: FakeDesk, card: Cards, add: Add, explain: Explain
) -> None:
    add(card("m-a", 0.8))
    show(page, desk)
    assert "Nothing is known yet" in texts(page)
    explain("m-a", 12, 0.4)
    page.hide()
    page.show()
    panel = page.findChild(LooksPanel)
    assert panel is not None
    assert panel.accessibleName() == "Where does the model look?"
    assert panel.accessibleDescription() == "words 50 %, handle 40 %, media 10 %"
    bars = panel.findChildren(Bar)
    assert [(bar.accessibleName(), bar.share) for bar in bars] == [
        ("words 50 %", 0.5),
        ("handle 40 %", pytest.approx(0.4)),
        ("media 10 %", pytest.approx(0.1)),
    ]
    assert "the mean over 12 explained items" in texts(page)
    assert "These are few" in texts(page)
    assert not panel.findChildren(QPushButton)


def test_a_shortcut_is_warned_of_and_masked_by_one_key(
    page: ModelsPage, desk: FakeDesk, card: Cards, add: Add, actions: ActionRegistry, explain: Explain
) -> None:
    add(card("m-a", 0.8, day=1))
    add(card("m-b", 0.6, day=2))
    desk.workspace.models.promote("m-a", "The first model.")
    explain("m-a", 30, 0.4)
    explain("m-b", 30, 0.3)
    show(page, desk)
    assert "This model relies on the handle: 40 % of its evidence lies there, on average over 30 items." in texts(page)
    assert actions.title("models.mask") == "Retrain with the handle masked"
    panel = page.findChild(LooksPanel)
    assert panel is not None
    (mask,) = panel.findChildren(QPushButton)
    assert mask.text() == "Retrain with the handle masked"
    mask.click()
    page.list.setCurrentIndex(page.models.index(0))
    actions.trigger("models.mask")
    own = card("m-b", 0.6).recipe
    assert desk.asked == ["retrain by the next recipe without handle", f"retrain by {own} without handle"]


def test_a_model_without_a_shortcut_has_nothing_to_mask(
    page: ModelsPage, desk: FakeDesk, card: Cards, add: Add, actions: ActionRegistry, explain: Explain
) -> None:
    add(card("m-a", 0.8))
    explain("m-a", 30, 0.05)
    show(page, desk)
    assert actions.title("models.mask") == ""
    assert not actions.action("models.mask").isEnabled()
    page.retrain_masked()
    assert desk.asked == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_part_paints_in_both_themes(
    page: ModelsPage, desk: FakeDesk, card: Cards, add: Add, theme: ThemeManager, mode: str
) -> None:
    theme.set_mode(mode)
    add(card("m-a", 0.8))
    desk.workspace.models.promote("m-a", "The first model.")
    show(page, desk)
    image = page.grab().toImage()
    assert len({image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}) > 5
