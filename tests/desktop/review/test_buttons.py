from __future__ import annotations

from pytestqt.qtbot import QtBot

from desktop.review.buttons import AnswerButton
from desktop.theme import ThemeManager
from desktop.widgets import frame


def test_an_answer_tells_its_whole_title_and_that_it_was_given(qtbot: QtBot, theme: ThemeManager) -> None:
    around = frame("surface")
    qtbot.addWidget(around)
    title = "Dangerous in the hands of children and of everybody else"
    made = AnswerButton(title, "1", "#d55e00", theme, around)
    made.resize(160, 40)
    made.set_answered(True)
    made.grab()
    assert made.toolTip() == f"{title}\nThe answer so far"
    made.resize(800, 40)
    made.grab()
    assert made.toolTip() == "The answer so far"
    made.set_answered(False)
    assert made.toolTip() == ""
