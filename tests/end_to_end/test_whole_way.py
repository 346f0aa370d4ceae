"""The main job in the real window, with the real service and trainer: teach it better, and see the verdicts change."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from PySide6.QtCore import QSettings

from desktop.settings import Settings
from engine.errors import EngineError
from engine.types import Action
from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Window

ITEMS = 40
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]
PATIENCE = 240.0
"""Seconds for a retrain that takes ten on two idle cores: other tests may have both."""


def press(display: str, window: int, *keys: str) -> None:
    """Press keys on the X server; without a window manager the window is given the focus first."""
    environment = {"DISPLAY": display}
    subprocess.run(["xdotool", "windowfocus", "--sync", str(window)], env=environment, check=False)
    subprocess.run(["xdotool", "key", *keys], env=environment, check=True)


def right_label(item: str) -> str:
    return "toxic" if int(item[1:]) % 2 == 0 else "non-toxic"


def verdicts(path: Path) -> dict[str, str]:
    """The model's label of each item that it has judged by now."""
    with Workspace.open(path, read_only=True) as workspace:
        found = workspace.verdicts.of_many([f"t{number:02}" for number in range(ITEMS)])
    return {item: tasks["toxicity"].label for item, tasks in found.items() if "toxicity" in tasks}


def right_verdicts(path: Path) -> int:
    return sum(label == right_label(item) for item, label in verdicts(path).items())


def decisions(path: Path) -> list[tuple[str, Action, tuple[str, ...]]]:
    with Workspace.open(path, read_only=True) as workspace:
        return [(one.item, one.action, one.labels) for one in workspace.decisions.iter()]


@pytest.fixture
def needs_display(display: str) -> str:
    if not display or shutil.which("xdotool") is None:
        pytest.skip("Needs Xvfb and xdotool: run `make test`, which installs them.")
    return display


def test_a_reviewer_teaches_a_model_that_learned_the_wrong_way_round(
    make_workspace: Callable[..., Path],
    recipe: Path,
    settings_file: Path,
    open_window: Callable[..., Window],
    needs_display: str,
) -> None:
    path = make_workspace(wrong=True)
    shutil.copy(recipe, path / "recipe.toml")
    store = QSettings(str(settings_file), QSettings.Format.IniFormat)
    Settings(store).retrain_after = ITEMS
    store.sync()
    window = open_window(path, settings_file, "serve", display=needs_display)
    ready = window.line()
    assert ready is not None
    number = ready["window"]

    press(needs_display, number, "ctrl+r")
    first = window.wait_until(lambda now: now["champion"] != "" and now["ready"], PATIENCE)["champion"]
    window.wait_until(lambda _now: len(verdicts(path)) == ITEMS, PATIENCE)  # they come while one can already review
    assert right_verdicts(path) <= ITEMS // 5, "It should have learned what the import says, which is wrong."
    undo_one(needs_display, number, window)
    window.wait_until(lambda now: now["explained"], PATIENCE)
    teach(needs_display, number, window)
    rows = decisions(path)
    assert [row for row in rows if row[1] == Action.UNDO]
    assert len([row for row in rows if row[1] == Action.CORRECT]) >= ITEMS

    window.wait_until(lambda now: now["champion"] not in ("", first), PATIENCE)
    window.wait_until(lambda now: any("verdicts changed; " in text for text in now["notices"]), PATIENCE)
    assert right_verdicts(path) >= ITEMS - ITEMS // 5

    leave(needs_display, number, window)
    with Workspace.open(path) as workspace:
        assert workspace.decisions.verify().ok


def leave(display: str, number: int, window: Window) -> None:
    """Press Ctrl+Q, and see that no process is left behind."""
    children = window.children()
    assert len(children) >= 1
    press(display, number, "ctrl+q")
    assert window.process.wait(PATIENCE) == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive, f"Left behind: {alive}"


def undo_one(display: str, number: int, window: Window) -> None:
    """Skip one item, take that back with U, and find the item on screen again."""
    item = window.ask()["item"]
    press(display, number, "s")
    window.wait_until(lambda now: now["item"] != item)
    press(display, number, "u")
    window.wait_until(lambda now: now["item"] == item and now["decided"] == 0)


def teach(display: str, number: int, window: Window) -> None:
    """Press the right label's key for every item; each press brings the next item."""
    now = window.ask()
    for count in range(ITEMS):
        assert now["item"], f"Nothing to decide after {count} items."
        key = "1" if right_label(now["item"]) == "toxic" else "2"
        press(display, number, key)
        now = window.wait_until(lambda then, count=count: then["decided"] == count + 1)  # type: ignore[misc]


def test_a_second_window_is_refused_in_words(
    make_workspace: Callable[..., Path], settings_file: Path, open_window: Callable[..., Window]
) -> None:
    from desktop.desk import Desk

    path = make_workspace()
    first = open_window(path, settings_file, "serve")
    assert first.line() is not None
    with pytest.raises(EngineError, match="open in another window"):
        Desk(path, settings=Settings(QSettings(str(settings_file), QSettings.Format.IniFormat)))
