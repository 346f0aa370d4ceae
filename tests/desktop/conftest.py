"""Every desktop test runs off screen, with fresh settings, without the system's theme, and must clean up."""

from __future__ import annotations

import functools
import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QSettings, QThread, QThreadPool, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.shell import Shell
from desktop.theme import ThemeManager

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_QPA_PLATFORMTHEME"] = ""
os.environ["SECONDLOOK_OWN_DIALOGS"] = "1"
for name in ("QT_STYLE_OVERRIDE", "QT_SCALE_FACTOR", "QT_SCREEN_SCALE_FACTORS"):
    os.environ.pop(name, None)

_FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


@pytest.fixture(autouse=True)
def fresh_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send settings, data and logs of the person who runs the tests elsewhere."""
    for folder in _FOLDERS:
        monkeypatch.setenv(folder, str(tmp_path / "home" / folder.lower()))
    for scope in (QSettings.Scope.UserScope, QSettings.Scope.SystemScope):
        QSettings.setPath(QSettings.Format.NativeFormat, scope, str(tmp_path / "settings"))
        QSettings.setPath(QSettings.Format.IniFormat, scope, str(tmp_path / "settings"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings in a file of this test."""
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def theme(qapp: QApplication) -> ThemeManager:
    """The light theme, applied."""
    manager = ThemeManager("light")
    manager.apply()
    return manager


@pytest.fixture
def shell(settings: Settings, theme: ThemeManager, tmp_path: Path, qtbot: QtBot) -> Iterator[Shell]:
    """The window without a workspace, on the start page."""
    made = Shell(settings, theme, idle=True, log=tmp_path / "log")
    qtbot.addWidget(made.window)
    made.show("start")
    made.window.show()
    qtbot.waitExposed(made.window)
    yield made
    made.window.close()
    made.deleteLater()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, a running timer or a visible window behind."""
    request.getfixturevalue("qapp")
    threads = set(threading.enumerate())
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QThreadPool.globalInstance().waitForDone(2000)
    left = [f"window {widget!r}" for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    left += [f"thread {thread.name}" for thread in set(threading.enumerate()) - threads if not thread.daemon]
    if _running() - _told:
        gc.collect()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        left += sorted(_running() - _told)
        _told.update(left)
    for widget in QApplication.topLevelWidgets():
        widget.hide()
    if left:
        pytest.fail(f"This test leaves behind: {', '.join(left)}")


_runs: dict[type, bool] = {}
"""Whether objects of a type are timers or threads; there are too many objects to ask each one."""


_told: set[str] = set()
"""What an earlier test left behind: it is that test's fault alone."""


def _running() -> set[str]:
    """Return the timers and threads that are running now."""
    found = set()
    for thing in gc.get_objects():
        kind = type(thing)
        if kind not in _runs:
            _runs[kind] = issubclass(kind, QTimer | QThread)
        if _runs[kind] and shiboken6.isValid(thing) and _is_running(thing):
            found.add(f"{thing!r} of {thing.parent()!r}")
    return found


def _is_running(thing: QTimer | QThread) -> bool:
    if isinstance(thing, QTimer):
        return thing.isActive()
    return thing.isRunning() and not thing.isCurrentThread()


@pytest.fixture
def patient(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `qtbot` wait longer than by default."""
    for name in ("waitUntil", "waitSignal", "waitSignals"):
        monkeypatch.setattr(qtbot, name, functools.partial(getattr(qtbot, name), timeout=30_000))
