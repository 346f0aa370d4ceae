"""The notice line: the newest in front, the unread ones behind it, all of it by keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.shell import Shell
from desktop.widgets import WayOut
from desktop.widgets import notice as module
from desktop.widgets.notice import READ_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, which passes by adding to its only entry."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def more(shell: Shell) -> QAbstractButton:
    (button,) = [one for one in shell.window.notice.findChildren(QAbstractButton) if one.text().endswith(" more")]
    return button


def time_is_up(shell: Shell) -> None:
    timer = next(one for one in shell.window.notice.children() if isinstance(one, QTimer))
    timer.timeout.emit()


def test_the_newest_is_in_front_and_none_is_lost(shell: Shell) -> None:
    notice, say = shell.window.notice, shell.window.say
    say("The first.", "success")
    assert more(shell).isHidden()
    say("The second.", "error")
    say("The third.", "info")
    assert (notice.text, more(shell).text()) == ("The third.", "2 more")
    assert more(shell).accessibleName() == "Show the next of 2 more notices"
    more(shell).click()
    assert (notice.text, more(shell).text()) == ("The second.", "2 more")
    notice.put_away()
    notice.put_away()
    assert (notice.text, more(shell).isHidden()) == ("The third.", True)
    notice.put_away()
    assert notice.isHidden()


def test_good_news_that_was_read_does_not_come_back_and_bad_news_does(shell: Shell, clock: list[float]) -> None:
    notice, say = shell.window.notice, shell.window.say
    say("It failed.", "error")
    clock[0] += 10 * READ_S
    say("Done.", "success")
    clock[0] += 2 * READ_S
    say("Done again.", "success")
    assert more(shell).text() == "1 more"
    time_is_up(shell)
    assert (notice.text, notice.isVisible()) == ("It failed.", True)


def test_good_news_that_nobody_could_read_gets_its_turn(shell: Shell, clock: list[float]) -> None:
    shell.window.say("Done.", "success")
    clock[0] += READ_S / 2
    shell.window.say("Learned.", "success")
    time_is_up(shell)
    assert shell.window.notice.text == "Done."
    time_is_up(shell)
    assert shell.window.notice.isHidden()


def test_the_same_words_stand_once_and_what_is_untrue_goes_from_behind(shell: Shell) -> None:
    for text in ("The disk is full.", "It was stopped.", "The disk is full.", "The disk is full."):
        shell.window.say(text, "error")
    assert (shell.window.notice.text, more(shell).text()) == ("The disk is full.", "1 more")
    shell.window.take_back("It was stopped.")
    assert more(shell).isHidden()
    assert shell.window.notice.isVisible()


def test_a_pile_has_an_end(shell: Shell) -> None:
    for number in range(module.MOST + 5):
        shell.window.say(f"Number {number}.", "error")
    assert more(shell).text() == f"{module.MOST} more"


def test_a_key_leads_to_the_notice_and_escape_back(shell: Shell, qtbot: QtBot) -> None:
    shell.show("settings")
    actions, notice = shell.window.actions_table, shell.window.notice
    assert not actions.action("app.notice").isEnabled()
    before = QApplication.focusWidget()
    taken: list[str] = []
    shell.window.say("The first.", "error")
    shell.window.say("The second.", "error", WayOut("Open the log", lambda: taken.append("log")))
    actions.trigger("app.notice")

    def focused() -> QWidget:
        widget = QApplication.focusWidget()
        assert widget is not None
        return widget

    assert focused().accessibleName() == "Open the log"
    QTest.keyClick(focused(), Qt.Key.Key_Space)
    assert (taken, notice.text) == (["log"], "The first.")
    assert focused().accessibleName() == "Put this notice away"
    QTest.keyClick(focused(), Qt.Key.Key_Escape)
    assert notice.isHidden()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is before)
    assert not actions.action("app.notice").isEnabled()


def test_it_fits_beside_the_item_with_all_its_buttons(shell: Shell) -> None:
    notice = shell.window.notice
    notice.keep_to_the_left(256)
    shell.window.say("The first.", "error")
    shell.window.say("A capture was left unfinished: 2 of 2 pages to go.", "warning", WayOut("Show the list", list))
    for button in notice.findChildren(QAbstractButton):
        place = button.rect().translated(button.mapTo(notice, button.rect().topLeft()))
        assert notice.rect().contains(place)
        assert button.width() >= button.sizeHint().width()
