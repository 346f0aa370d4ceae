from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QByteArray
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.review.page import ReviewPage
from desktop.settings import Settings


def test_dragged_lines_stay_where_they_are_left(
    open_desk: Callable[[], Desk], show_page: Callable[[Desk], ReviewPage]
) -> None:
    desk = open_desk()
    page = show_page(desk)
    for splitter, place in ((page.splitter, 360), (page.centre.splitter, 300)):
        splitter.moveSplitter(place, 1)
    sides, rows = page.splitter.sizes(), page.centre.splitter.sizes()
    assert (sides[0], rows[0]) == (360, 300)
    page.stop()
    desk.close()
    again = show_page(open_desk())
    assert (again.splitter.sizes(), again.centre.splitter.sizes()) == (sides, rows)


def test_a_state_that_makes_no_sense_changes_nothing(
    desk: Desk, settings: Settings, show_page: Callable[[Desk], ReviewPage], qtbot: QtBot
) -> None:
    for name in ("review-sides", "review-rows"):
        settings.keep_bytes(name, QByteArray(b"nonsense"))
    page = show_page(desk)
    assert all(page.splitter.sizes())
    assert all(page.centre.splitter.sizes())
