"""Instant learning with the real engine service: corrections in, other verdicts out, and no trainer in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest
from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.settings import Settings
from engine.taxonomy import preset
from engine.types import Action, Decision, Item
from engine.workspace import NewDecision, Workspace
from engine.workspace.runs import is_refit

ITEMS = 60
UNTAUGHT = (11, 29, 47)
TAUGHT = ITEMS // 3 - len(UNTAUGHT)
PATIENCE_MS = 240_000
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]


def words(number: int) -> str:
    return ("go away you fools", "what a lovely morning", "meh whatever then")[number % 3]


@pytest.fixture
def path(tmp_path: Path, tiny_recipe: str) -> Path:
    """60 tweets of three kinds, half of them labelled, and a champion that learned that only fools are toxic."""
    from engine.training.run import train

    folder = tmp_path / "w.secondlook"
    with Workspace.create(folder, preset("tweets")) as workspace:
        items = [
            Item(
                id=f"t{number:02}",
                kind="tweet",
                author=f"author{number}",
                text=f"{words(number)} {number}",
                truths={"toxicity": ("toxic" if number % 3 == 0 else "non-toxic",)} if number % 2 == 0 else {},
            )
            for number in range(ITEMS)
        ]
        workspace.items.add((item, None) for item in items)
        run = workspace.runs.prepare(tiny_recipe)
        train(run.path, emit=lambda _event: None, cancelled=lambda: False)
        workspace.runs.adopt(run)
    return folder


@pytest.fixture
def desk(path: Path, tmp_path: Path) -> Iterator[Desk]:
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    settings.retrain_after, settings.refit_after = 0, TAUGHT
    desk = Desk(path, settings=settings)
    yield desk
    desk.close()
    desk.deleteLater()


def correct(desk: Desk, number: int) -> list[Decision]:
    item, act = f"t{number:02}", f"act-{number}"
    new = NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada", act=act)
    decisions = desk.workspace.decisions.record([new])
    desk.decisions_recorded(decisions)
    return decisions


def test_corrections_change_the_verdicts_of_items_that_nobody_decided(qtbot: QtBot, desk: Desk) -> None:
    told: list[str] = []
    desk.notice.connect(lambda text, _kind: told.append(text))
    desk.flipped.connect(told.append)
    desk.start()
    first = desk.champion
    qtbot.waitUntil(lambda: desk.workspace.items.count_without_verdict(first) == 0, timeout=PATIENCE_MS)
    shrugs = [number for number in range(ITEMS) if number % 3 == 2]
    assert {label(desk, number) for number in shrugs} == {"non-toxic"}
    for number in shrugs:
        if number not in UNTAUGHT:
            correct(desk, number)
    qtbot.waitUntil(lambda: any("Learned from" in text for text in told), timeout=PATIENCE_MS)
    assert is_refit(desk.champion)
    assert desk.workspace.models.get(desk.champion).card.base == first
    assert {label(desk, number) for number in UNTAUGHT} == {"toxic"}
    assert {label(desk, number) for number in range(0, ITEMS, 3)} == {"toxic"}
    assert {label(desk, number) for number in range(1, ITEMS, 3)} == {"non-toxic"}
    assert desk.training_state.stage == "idle"
    assert desk.corrections() == TAUGHT, "the full retrain has them still to learn"


def label(desk: Desk, number: int) -> str:
    return desk.workspace.verdicts.of(f"t{number:02}")["toxicity"].label
