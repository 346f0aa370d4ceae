"""Searching the queue on the whole page with real keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.review.page import ReviewPage
from desktop.review.queue_search import QueueSearch
from engine.workspace import QueueQuery

Key = Qt.Key


def press(page: ReviewPage, *keys: Key) -> None:
    for key in keys:
        QTest.keyClick(page.window().focusWidget(), key)


def on_screen(page: ReviewPage) -> str:
    return page.controller.visit.sight.item.id if page.controller.visit is not None else ""


def find(page: ReviewPage, text: str) -> None:
    QTest.keyClick(page, Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.queue.search.hasFocus()
    QTest.keyClicks(page.queue.search, text)


def said(page: ReviewPage) -> list[str]:
    return [one.text() for one in page.empty.findChildren(QLabel)]


@pytest.fixture
def search(page: ReviewPage) -> QueueSearch:
    return page.queue.search


def test_it_searches_as_one_types_and_leaves_the_keys_in_the_field(
    page: ReviewPage, search: QueueSearch, qtbot: QtBot
) -> None:
    asked: list[QueueQuery] = []
    page.queue.opened.connect(asked.append)
    find(page, "kettle")
    qtbot.waitUntil(lambda: on_screen(page) == "product-0")
    assert [query.search for query in asked] == ["kettle"]
    assert page.model.rowCount() == 2
    assert search.hasFocus()
    QTest.keyClicks(search, " 1")
    qtbot.waitUntil(lambda: on_screen(page) == "product-1")
    assert list(page.desk.workspace.decisions.iter()) == []


def test_enter_goes_to_the_item_without_searching_twice(page: ReviewPage, search: QueueSearch, qtbot: QtBot) -> None:
    find(page, "kettle")
    qtbot.waitUntil(lambda: on_screen(page) == "product-0")
    with qtbot.assertNotEmitted(page.queue.opened):
        press(page, Key.Key_Return)
    assert page.hasFocus()
    assert search.isVisible()
    assert list(page.desk.workspace.decisions.iter()) == []


def test_esc_clears_and_returns_to_the_item_that_was_left(page: ReviewPage, search: QueueSearch, qtbot: QtBot) -> None:
    press(page, Key.Key_Right, Key.Key_Right)
    find(page, "kettle")
    qtbot.waitUntil(lambda: on_screen(page) == "product-0")
    press(page, Key.Key_Escape)
    assert on_screen(page) == "tweet-2"
    assert page.controller.place == 2
    assert page.model.rowCount() == 8
    assert page.hasFocus()
    assert not search.isVisible()
    with qtbot.assertNotEmitted(page.queue.opened, wait=250):
        assert search.text() == ""


def test_esc_on_the_item_that_was_found_clears_too(page: ReviewPage, search: QueueSearch) -> None:
    find(page, "kettle")
    press(page, Key.Key_Return)
    assert page.hasFocus()
    press(page, Key.Key_Escape)
    assert on_screen(page) == "tweet-0"
    assert not search.isVisible()


def test_an_item_decided_meanwhile_is_not_returned_to(page: ReviewPage) -> None:
    find(page, "number 0")
    press(page, Key.Key_Return, Key.Key_Return)
    assert on_screen(page) == ""
    press(page, Key.Key_Escape)
    assert on_screen(page) == "tweet-1"


def test_it_says_that_nothing_matches_and_how_to_clear_it(page: ReviewPage, search: QueueSearch, qtbot: QtBot) -> None:
    find(page, "zeppelin")
    qtbot.waitUntil(page.empty.isVisible)
    assert page.empty.title == "Nothing in To review matches “zeppelin”"
    assert "Type other words, or press Esc to clear the search and return." in said(page)
    assert "signs" not in " ".join(said(page))
    press(page, Key.Key_Return)
    assert search.hasFocus()
    press(page, Key.Key_Escape)
    assert on_screen(page) == "tweet-0"
    assert not page.empty.isVisible()


def test_it_says_that_signs_are_not_looked_for(page: ReviewPage, search: QueueSearch, qtbot: QtBot) -> None:
    """Else who finds no item with an emoji believes that there is none."""
    find(page, "")
    search.insert("🔥")
    qtbot.waitUntil(page.empty.isVisible)
    assert "Letters and digits are looked for, signs and emoji are not. Type other words" in " ".join(said(page))
    press(page, Key.Key_Escape)


def test_long_words_are_shortened_where_they_are_quoted(page: ReviewPage, search: QueueSearch) -> None:
    find(page, "x" * 80)
    press(page, Key.Key_Return)
    assert len(search.quoted) == 34
    assert page.empty.title.endswith("x…”")


def test_esc_in_the_empty_field_only_returns(page: ReviewPage, search: QueueSearch, qtbot: QtBot) -> None:
    find(page, "")
    with qtbot.assertNotEmitted(page.queue.opened):
        press(page, Key.Key_Escape)
    assert page.hasFocus()
    assert not search.isVisible()
