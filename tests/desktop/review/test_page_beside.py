"""What a command beside the window decides, on the whole page."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from desktop.review.page import ReviewPage
from engine.types import Action
from engine.workspace import NewDecision, Workspace


def on_screen(page: ReviewPage) -> str:
    assert page.controller.visit is not None
    return page.controller.visit.sight.item.id


def test_what_a_command_decides_is_marked_and_told_on_the_item_on_screen(page: ReviewPage, folder: Path) -> None:
    page.desk._elsewhere.start()
    item = on_screen(page)
    other = page.model.row_at(page.controller.place + 1).item
    with Workspace.open(folder) as beside:
        for one in (item, other):
            new = NewDecision(item=one, task="toxicity", action=Action.CORRECT, labels=("non-toxic",), reviewer="ben")
            beside.decisions.record([new])
    for _ in range(2):
        page.desk._elsewhere.look()
    assert page.panel.message.text() == f"ben just said: Non-toxic → {item}. Your answer is kept beside it."
    assert [page.model.row_at(place).state for place in (0, 1)] == ["decided", "decided"]
    QTest.keyClick(page.window().focusWidget(), Qt.Key.Key_Return)
    assert on_screen(page) not in (item, other), "what somebody else decided no longer waits in this queue"
    assert [row.reviewer for row in page.desk.workspace.decisions.of(item)] == ["ben", "ana"]


def test_an_answer_that_is_taken_back_elsewhere_is_told(page: ReviewPage, folder: Path) -> None:
    page.desk._elsewhere.start()
    with Workspace.open(folder) as beside:
        beside.decisions.record(
            [NewDecision(item=on_screen(page), task="toxicity", action=Action.SKIP, reviewer="ben")]
        )
        beside.decisions.undo("ben")
    for _ in range(2):
        page.desk._elsewhere.look()
    assert page.panel.message.text() == "ben just took an answer back."
