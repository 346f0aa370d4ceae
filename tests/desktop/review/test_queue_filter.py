"""Filtering by keyboard on the whole page: no key within the lists decides anything."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.review.page import ReviewPage
from desktop.review.queue_filter import ORDERS, QueueFilter
from desktop.settings import Settings
from desktop.theme import ThemeManager
from desktop.window import DeskWindow
from engine.taxonomy import preset
from engine.workspace.queues import ORDERS as KNOWN_ORDERS

Key = Qt.Key


def press(page: ReviewPage, *keys: Key) -> None:
    for key in keys:
        QTest.keyClick(page.window().focusWidget(), key)


def items(page: ReviewPage) -> list[str]:
    return [page.model.row_at(place).item for place in range(page.model.rowCount())]


@pytest.fixture
def chosen(page: ReviewPage) -> QueueFilter:
    return page.queue.filter


def titles(chosen: QueueFilter) -> list[str]:
    return [chosen.label.itemText(place) for place in range(chosen.label.count())]


def test_kind_label_and_order_are_chosen_by_keyboard(page: ReviewPage, chosen: QueueFilter) -> None:
    press(page, Key.Key_Slash)
    assert chosen.kind.hasFocus()
    press(page, Key.Key_Down, Key.Key_Down)
    assert items(page) == ["product-0", "product-1"]
    press(page, Key.Key_Tab, Key.Key_End, Key.Key_Home, Key.Key_Tab, Key.Key_End)
    assert chosen.order.hasFocus()
    assert items(page) == ["product-1", "product-0"]
    assert chosen.words == "Product · newest"
    press(page, Key.Key_Return)
    assert page.hasFocus()
    assert not chosen.form.isVisible()
    assert chosen.line.isVisible()
    assert chosen.line.accessibleName() == "Filtered: Product · newest"
    assert list(page.desk.workspace.decisions.iter()) == []


def test_one_key_clears_it(page: ReviewPage, chosen: QueueFilter) -> None:
    clear = page.window().actions_table.action("review.clear-filter")  # type: ignore[attr-defined]
    assert not clear.isEnabled()
    press(page, Key.Key_Slash, Key.Key_Down, Key.Key_Slash)
    assert len(items(page)) == 6
    assert clear.isEnabled()
    press(page, Key.Key_Backspace)
    assert (len(items(page)), chosen.active, chosen.line.isVisible()) == (8, False, False)
    assert not clear.isEnabled()
    press(page, Key.Key_Slash, Key.Key_Down, Key.Key_Backspace)
    assert len(items(page)) == 8
    assert chosen.kind.hasFocus()
    press(page, Key.Key_Escape)
    assert page.hasFocus()


def test_keys_within_the_lists_decide_nothing(page: ReviewPage, chosen: QueueFilter) -> None:
    press(page, Key.Key_Slash, Key.Key_1, Key.Key_S, Key.Key_E, Key.Key_U, Key.Key_Return)
    assert page.hasFocus()
    assert list(page.desk.workspace.decisions.iter()) == []
    press(page, Key.Key_1)
    assert len(list(page.desk.workspace.decisions.iter())) == 1


def test_counts_say_what_each_choice_gives(page: ReviewPage, chosen: QueueFilter) -> None:
    press(page, Key.Key_Slash)
    assert [chosen.kind.itemText(place) for place in range(3)] == ["Any kind   8", "Tweet   6", "Product   2"]
    assert "Toxic   6" in titles(chosen)
    assert "Non-toxic   0" in titles(chosen)
    press(page, Key.Key_Down, Key.Key_Down)
    assert "Prohibited   2" in titles(chosen)
    assert not [title for title in titles(chosen) if title.startswith("Toxic")]
    assert chosen.count_text == "2 of 8"


def test_the_counts_follow_decisions(page: ReviewPage, chosen: QueueFilter, qtbot: QtBot) -> None:
    press(page, Key.Key_Slash, Key.Key_Down, Key.Key_Return, Key.Key_1)
    qtbot.waitUntil(lambda: chosen.count_text == "5 of 7")


def test_a_label_that_the_other_kind_lacks_is_dropped(page: ReviewPage, chosen: QueueFilter) -> None:
    chosen.label.choose("toxic")
    chosen.kind.choose("product")
    chosen.kind.activated.emit(2)
    assert (chosen.label.value, chosen.words) == ("", "Product")
    assert page.model.query.label is None


def test_another_queue_begins_without_the_filter(page: ReviewPage, chosen: QueueFilter) -> None:
    press(page, Key.Key_Slash, Key.Key_Down, Key.Key_Return)
    page.queue.chooser.setCurrentIndex(page.queue.chooser.count() - 1)
    page.queue.chooser.activated.emit(page.queue.chooser.currentIndex())
    assert not chosen.active
    assert len(items(page)) == 8


def test_nothing_that_passes_says_so_and_offers_the_whole_queue(page: ReviewPage, chosen: QueueFilter) -> None:
    chosen.label.choose("non-toxic")
    chosen.label.activated.emit(chosen.label.currentIndex())
    assert page.empty.isVisible()
    assert page.empty.title == "To review: nothing left that passes"
    press(page, Key.Key_Backspace)
    assert len(items(page)) == 8


def test_its_orders_are_orders_of_a_queue() -> None:
    assert {order for order, *_ in ORDERS if order} <= set(KNOWN_ORDERS)


def test_one_kind_needs_no_choice_of_kinds(qtbot: QtBot, theme: ThemeManager, settings: Settings) -> None:
    window = DeskWindow(settings, theme)
    qtbot.addWidget(window)
    made = QueueFilter(preset("tweets"), theme, window.actions_table, window)
    made.toggle()
    assert made.kind.isHidden()
    assert not made.label.isHidden()
