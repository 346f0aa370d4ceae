from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.capture_page.page import CapturePage
from desktop.desk import Desk, DeskCommands
from desktop.settings import Settings
from desktop.shell import Shell
from desktop.theme import ThemeManager
from engine.taxonomy import preset
from engine.types import ModelCard
from engine.workspace import Workspace

FAKES = Path(__file__).parent.parent / "children"


@pytest.fixture(autouse=True)
def _patiently(patient: None) -> None:
    """Child processes start slowly where other tests have the processors."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace of tweets without items, with one champion."""
    path = tmp_path / "spring.secondlook"
    with Workspace.create(path, preset("tweets")) as made:
        folder = path / "models" / "m-a"
        folder.mkdir()
        card = ModelCard(
            id="m-a", created="2026-01-01T00:00:00Z", recipe="", tasks={"toxicity": ("toxic", "non-toxic")}
        )
        made.models.register(card, folder)
        made.models.promote("m-a", "The first model.")
    return path


class Window:
    """The whole window on the capture page, with children that only play their part."""

    def __init__(self, shell: Shell, desk: Desk, page: CapturePage) -> None:
        self.shell, self.desk, self.page = shell, desk, page
        self.capturing = desk.capturing
        self.actions = shell.window.actions_table

    def can(self, name: str) -> bool:
        return self.actions.action(f"capture.{name}").isEnabled()

    def states(self) -> dict[str, str]:
        return {page.key.rsplit("/", 1)[1]: page.state for page in self.capturing.pages.rows}


Open = Callable[..., Window]


@pytest.fixture
def open_window(
    workspace: Path,
    settings: Settings,
    theme: ThemeManager,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Open]:
    """Open the window on the capture page: `open_window("step")`, a mode of the fake capture."""
    shells: list[Shell] = []

    def build(mode: str = "good", command: tuple[str, ...] = ()) -> Window:
        commands = DeskCommands(
            engine=(sys.executable, str(FAKES / "fake_engine.py"), "good", str(tmp_path / "starts")),
            capture=command or (sys.executable, str(FAKES / "fake_capture.py"), mode),
        )
        monkeypatch.setattr("desktop.desk.Desk", functools.partial(Desk, commands=commands))
        shell = Shell(settings, theme, log=tmp_path / "log")
        shells.append(shell)
        qtbot.addWidget(shell.window)
        shell.window.show()
        qtbot.waitExposed(shell.window)
        assert shell.open(workspace)
        shell.show("capture")
        desk, page = shell.desk, shell.window.page_widget("capture")
        assert desk is not None
        assert isinstance(page, CapturePage)
        return Window(shell, desk, page)

    yield build
    for shell in shells:
        shell.window.close()
        shell.deleteLater()
