"""What another command does to the workspace of an open window, with a second handle on the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.elsewhere import MOST, Elsewhere
from engine.taxonomy import preset
from engine.types import Action, Decision, Item
from engine.workspace import NewDecision, Workspace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "w.secondlook"
    with Workspace.create(folder, preset("tweets")) as workspace:
        workspace.items.add((Item(id=f"t{n}", kind="tweet", text="words"), None) for n in range(3))
    return folder


@pytest.fixture
def window(path: Path) -> Iterator[Workspace]:
    with Workspace.open(path) as workspace:
        yield workspace


@pytest.fixture
def beside(path: Path) -> Iterator[Workspace]:
    with Workspace.open(path) as workspace:
        yield workspace


@pytest.fixture
def elsewhere(window: Workspace, qtbot: QtBot) -> Iterator[Elsewhere]:
    watching = Elsewhere(window)
    watching.start()
    yield watching
    watching.stop()


def decide(workspace: Workspace, item: str, times: int = 1) -> list[Decision]:
    one = NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ben")
    return [row for _ in range(times) for row in workspace.decisions.record([one])]


@pytest.fixture
def heard(elsewhere: Elsewhere) -> list[list[str]]:
    found: list[list[str]] = []
    elsewhere.decided.connect(lambda rows: found.append([f"{row.number} {row.item}" for row in rows]))
    return found


def test_what_others_decide_is_told_once(elsewhere: Elsewhere, beside: Workspace, heard: list[list[str]]) -> None:
    decide(beside, "t1")
    decide(beside, "t2")
    for _ in range(4):
        elsewhere.look()
    assert heard == [["1 t1", "2 t2"]]
    decide(beside, "t0")
    for _ in range(4):
        elsewhere.look()
    assert heard[1:] == [["3 t0"]]


def test_what_the_window_records_is_its_own_even_where_it_reports_it_after_a_look(
    elsewhere: Elsewhere, window: Workspace, beside: Workspace, heard: list[list[str]]
) -> None:
    mine = decide(window, "t0")
    decide(beside, "t1")
    elsewhere.look()
    elsewhere.own(mine)
    elsewhere.look()
    assert heard == [["2 t1"]]


def test_what_was_decided_before_is_known(window: Workspace, beside: Workspace, qtbot: QtBot) -> None:
    decide(beside, "t1")
    watching = Elsewhere(window)
    watching.start()
    with qtbot.assertNotEmitted(watching.decided), qtbot.assertNotEmitted(watching.itemsChanged):
        watching.look()
        watching.look()
    watching.stop()


def test_of_a_flood_the_newest_are_named(elsewhere: Elsewhere, beside: Workspace, heard: list[list[str]]) -> None:
    one = NewDecision(item="t1", task="toxicity", action=Action.SKIP, reviewer="ben")
    beside.decisions.record([one] * (MOST + 20))
    elsewhere.look()
    elsewhere.look()
    (named,) = heard
    assert (len(named), named[0], named[-1]) == (MOST, "21 t1", f"{MOST + 20} t1")


def test_items_that_come_in_are_told(elsewhere: Elsewhere, beside: Workspace, qtbot: QtBot) -> None:
    with qtbot.waitSignal(elsewhere.itemsChanged, timeout=0):
        beside.items.add([(Item(id="new", kind="tweet", text="late"), None)])
        elsewhere.look()
    with qtbot.assertNotEmitted(elsewhere.itemsChanged):
        elsewhere.look()
