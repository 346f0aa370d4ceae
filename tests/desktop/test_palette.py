from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QMainWindow, QPushButton, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from desktop.actions import ACTIONS, ActionRegistry
from desktop.cheat_sheet import CheatSheet
from desktop.fuzzy import score
from desktop.palette import Palette, PaletteModel
from desktop.theme import ThemeManager


class Window:
    def __init__(self, qtbot: QtBot, theme: ThemeManager) -> None:
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.body = QWidget()
        self.window.setCentralWidget(self.body)
        self.button = QPushButton("Here", self.body)
        self.actions = ActionRegistry(self.window)
        self.done: Counter[str] = Counter()
        for name in ("app.retrain", "app.settings", "review.skip", "models.promote"):
            self.actions.bind(name, partial(self._count, name))
        self.actions.set_page("review")
        self.palette = Palette(self.actions, theme, self.body)
        self.window.resize(1000, 700)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.button.setFocus()

    def _count(self, name: str) -> None:
        self.done[name] += 1

    def titles(self) -> list[str]:
        model = self.palette.model
        return [str(model.index(row).data()) for row in range(model.rowCount())]


@pytest.fixture
def window(qtbot: QtBot, theme: ThemeManager) -> Window:
    return Window(qtbot, theme)


def test_letters_in_order_match_and_others_do_not() -> None:
    assert score("rtr", "Retrain") is not None
    assert score("xyz", "Retrain") is None
    assert score("niar", "rain") is None
    assert score("", "anything") == 0
    assert score("SET", "settings") == score("set", "Settings")


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("set", "Settings", "Close the workspace"),
        ("re", "Retrain", "Score new items"),
        ("ow", "Open a workspace", "Show every key"),
        ("zi", "Zoom in", "Resize it"),
        ("light", "Switch between light and dark", "Let it go higher than that"),
    ],
)
def test_starts_of_words_and_runs_count_more(query: str, better: str, worse: str) -> None:
    first, second = score(query, better), score(query, worse)
    assert first is not None
    assert second is None or first > second


@given(st.text(max_size=6), st.text(max_size=20))
def test_a_score_means_that_the_letters_are_there_in_order(query: str, text: str) -> None:
    letters = iter(text.casefold() if len(text.casefold()) == len(text) else text.lower())
    there = all(letter in letters for letter in query.casefold().replace(" ", ""))
    if score(query, text) is not None:
        assert there


def test_only_what_can_be_done_here_is_offered(window: Window) -> None:
    window.palette.open()
    assert window.titles() == ["Skip", "Retrain", "Settings"]


def test_typing_filters_and_enter_does_it(window: Window) -> None:
    window.palette.open()
    QTest.keyClicks(window.palette.field, "retr")
    assert window.titles()[0] == "Retrain"
    QTest.keyClick(window.palette.field, Qt.Key.Key_Return)
    assert window.done == Counter(["app.retrain"])
    assert window.palette.isHidden()


def test_arrows_choose_and_wrap_around(window: Window) -> None:
    window.palette.open()
    QTest.keyClick(window.palette.field, Qt.Key.Key_Up)
    assert window.palette.view.currentIndex().data() == "Settings"
    QTest.keyClick(window.palette.field, Qt.Key.Key_Down)
    QTest.keyClick(window.palette.field, Qt.Key.Key_Return)
    assert window.done == Counter(["review.skip"])


def test_escape_puts_it_away_and_gives_the_focus_back(window: Window) -> None:
    window.palette.open()
    assert window.palette.field.hasFocus()
    QTest.keyClick(window.palette.field, Qt.Key.Key_Escape)
    assert window.palette.isHidden()
    assert window.button.hasFocus()
    assert window.done == Counter()


def test_a_click_beside_it_puts_it_away(window: Window) -> None:
    window.palette.open()
    QTest.mouseClick(window.palette, Qt.MouseButton.LeftButton, pos=QPoint(5, 690))
    assert window.palette.isHidden()


def test_nothing_found_says_so_and_enter_does_nothing(window: Window) -> None:
    window.palette.open()
    QTest.keyClicks(window.palette.field, "qqqq")
    assert window.titles() == []
    assert window.palette.none.isVisible()
    QTest.keyClick(window.palette.field, Qt.Key.Key_Return)
    assert window.done == Counter()
    assert window.palette.isVisible()


def test_a_click_on_a_row_does_it(window: Window) -> None:
    window.palette.open()
    view = window.palette.view
    QTest.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(window.palette.model.index(1)).center()
    )
    assert window.done == Counter(["app.retrain"])


def test_it_opens_with_an_empty_field_each_time(window: Window) -> None:
    window.palette.open()
    QTest.keyClicks(window.palette.field, "skip")
    window.palette.toggle()
    window.palette.toggle()
    assert window.palette.field.text() == ""


def test_it_stays_inside_a_small_window(window: Window) -> None:
    window.palette.open()
    window.window.resize(640, 400)
    assert window.palette.rect().contains(window.palette.panel.geometry())


def test_the_model_keeps_qts_rules(window: Window) -> None:
    model = PaletteModel(window.actions, window.window)
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.search("")
    model.search("s")
    assert model.data(model.index(99)) is None


def test_the_cheat_sheet_shows_every_listed_key(qtbot: QtBot, theme: ThemeManager, window: Window) -> None:
    sheet = CheatSheet(window.actions, theme, window.body)
    shown = {spec.id for page in ("review", "app") for group in sheet.groups(page).values() for spec in group}
    assert shown == {spec.id for spec in ACTIONS if spec.listed and spec.keys and spec.page in ("review", "app")}


def test_the_cheat_sheet_closes_with_escape(theme: ThemeManager, window: Window) -> None:
    sheet = CheatSheet(window.actions, theme, window.body)
    sheet.toggle()
    assert sheet.isVisible()
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert sheet.isHidden()


@pytest.mark.parametrize(("size", "all_in_sight"), [((1440, 900), True), ((960, 600), False)])
def test_the_cheat_sheet_takes_the_width_that_there_is(
    theme: ThemeManager, window: Window, size: tuple[int, int], all_in_sight: bool
) -> None:
    window.window.resize(*size)
    sheet = CheatSheet(window.actions, theme, window.body)
    sheet.open()
    QApplication.processEvents()
    (area,) = sheet.findChildren(QScrollArea)
    content = area.widget()
    assert content is not None
    assert content.minimumSizeHint().width() <= area.viewport().width(), "keys are cut off"
    assert (area.verticalScrollBar().maximum() == 0) == all_in_sight
    sheet.put_away()


def test_a_long_cheat_sheet_scrolls_by_key(theme: ThemeManager, window: Window) -> None:
    window.window.resize(960, 420)
    sheet = CheatSheet(window.actions, theme, window.body)
    sheet.open()
    QApplication.processEvents()
    (area,) = sheet.findChildren(QScrollArea)
    QTest.keyClick(sheet, Qt.Key.Key_PageDown)
    down = area.verticalScrollBar().value()
    assert down > 0
    QTest.keyClick(sheet, Qt.Key.Key_Up)
    assert area.verticalScrollBar().value() < down
