from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop import app, screenshot
from desktop.__main__ import run
from desktop.interrupts import quit_on_signals
from desktop.settings import Settings
from desktop.shell import Shell
from desktop.theme import LIGHT, ThemeManager
from engine.errors import EngineError, InputError, StorageError
from engine.taxonomy import preset
from engine.types import Item
from engine.workspace import Workspace

HEAVY = ("torch", "torchvision", "transformers", "lime", "sklearn", "skimage", "scipy", "matplotlib", "selenium")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "spring.secondlook"
    with Workspace.create(path, preset("tweets")) as made:
        made.items.add([(Item(id=f"t{n}", kind="tweet", text=f"Item number {n}"), None) for n in range(30)])
    return path


@pytest.fixture
def shell(settings: Settings, theme: ThemeManager, tmp_path: Path, qtbot: QtBot) -> Shell:
    made = Shell(settings, theme, idle=True, log=tmp_path / "log")
    qtbot.addWidget(made.window, before_close_func=lambda _window: made.shut_down())
    return made


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", dedent(code), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_window_never_loads_what_is_heavy(workspace: Path, tmp_path: Path) -> None:
    ended = python(
        """
        import json, sys
        from pathlib import Path
        from desktop.app import main
        status = main(Path(sys.argv[1]), Path(sys.argv[2]))
        print(json.dumps([status, sorted(sys.modules)]))
        """,
        str(workspace),
        str(tmp_path / "desk.png"),
    )
    assert ended.returncode == 0, ended.stderr
    status, modules = json.loads(ended.stdout)
    assert status == 0
    assert [name for name in (*HEAVY, "sqlite_utils", "typer", "rich") if name in modules] == []
    assert (tmp_path / "desk.png").stat().st_size > 10_000


def test_a_picture_has_the_wanted_size_and_theme(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "start.png"
    line = [sys.executable, "-m", "desktop", "--screenshot", str(file), "--page", "start", "--theme", "light"]
    ended = subprocess.run([*line, "--size", "1000x620"], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")
    image = QImage(str(file))
    assert (image.width(), image.height()) == (1000, 620)
    assert image.pixelColor(4, 600) == QColor(LIGHT.window)


def test_a_picture_works_at_two_hundred_percent(tmp_path: Path) -> None:
    file = tmp_path / "start.png"
    line = [sys.executable, "-m", "desktop", "--screenshot", str(file), "--page", "settings", "--size", "1000x620"]
    ended = subprocess.run(
        line, capture_output=True, timeout=60, check=False, env={**os.environ, "QT_SCALE_FACTOR": "2"}
    )
    assert ended.returncode == 0
    assert QImage(str(file)).width() == 2000


def test_a_picture_of_a_missing_workspace_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(tmp_path / "missing"), "--screenshot", str(tmp_path / "x.png")]) == 2
    said = capsys.readouterr().err
    assert "missing" in said
    assert "Traceback" not in said


def test_a_picture_is_never_written_over_a_workspace(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (workspace / "workspace.db").read_bytes()
    assert run([str(workspace), "--screenshot", str(workspace / "workspace.db")]) == 2
    assert "lies inside the workspace" in capsys.readouterr().err
    assert (workspace / "workspace.db").read_bytes() == before


def test_a_picture_of_the_desk_is_called_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--screenshot", str(tmp_path / "desk.jpg")]) == 2
    assert "Call it 'desk.png'." in capsys.readouterr().err


def test_a_picture_leaves_no_trace_in_the_settings(shell: Shell, settings: Settings, workspace: Path) -> None:
    shell.open(workspace)
    assert settings.recent == ()


def test_a_picture_that_cannot_be_written_says_so(shell: Shell, tmp_path: Path) -> None:
    shell.show("start")
    shell.window.show()
    with pytest.raises(StorageError, match="could not be written"):
        screenshot.take(shell, tmp_path / "no" / "folder" / "x.png")


def test_pages_of_a_picture_are_checked(shell: Shell, tmp_path: Path) -> None:
    shell.show("start")
    with pytest.raises(InputError, match="no page 'attic'"):
        screenshot.take(shell, tmp_path / "x.png", "attic")
    with pytest.raises(InputError, match="needs a workspace"):
        screenshot.take(shell, tmp_path / "x.png", "models")


def test_the_last_workspace_opens_by_itself(shell: Shell, settings: Settings, workspace: Path) -> None:
    settings.remember(workspace)
    app.begin(shell, None)
    assert shell.window.page == "review"


def test_a_last_workspace_that_is_gone_is_no_error(shell: Shell, settings: Settings, tmp_path: Path) -> None:
    settings.remember(tmp_path / "gone.secondlook")
    app.begin(shell, None)
    assert shell.window.page == "start"
    assert shell.window.notice.isHidden()


def test_a_named_workspace_comes_before_the_last_one(
    shell: Shell, settings: Settings, workspace: Path, tmp_path: Path
) -> None:
    settings.remember(tmp_path)
    app.begin(shell, workspace)
    assert shell.desk is not None
    assert shell.desk.path == workspace


def test_without_a_display_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(EngineError, match="no display"):
        app.main()


def test_a_terminate_signal_closes_the_window(qtbot: QtBot, qapp: QApplication, shell: Shell) -> None:
    shell.show("start")
    shell.window.show()
    with quit_on_signals(qapp):
        QTimer.singleShot(0, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with qtbot.waitSignal(shell.window.closing):
            pass
    assert shell.window.isHidden()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_emitting_a_signal_costs_no_reference() -> None:
    """A binding that gives back True without counting it ends a Python 3.11 process after some thousand signals."""

    class Bell(QObject):
        rung = Signal(str)

    bell = Bell()
    before = sys.getrefcount(True)
    for _ in range(500):
        bell.rung.emit("ring")
    assert abs(sys.getrefcount(True) - before) < 250
