"""Starts the desktop. Imports stay light: the first item is on screen in less than a second."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from desktop.shell import Shell


def main(
    workspace: Path | None = None,
    screenshot: Path | None = None,
    *,
    theme: str | None = None,
    page: str | None = None,
    size: tuple[int, int] | None = None,
) -> int:
    """Open the window on a workspace, else on the last one, else on the start page; return the exit status.

    With `screenshot` the window is rendered off screen into this PNG file once its first item is painted, and nothing
    is started or remembered. `theme` is "system", "light" or "dark"; `page` is one of `desktop.screenshot.PAGES`;
    `size` is the window's width and height in device-independent pixels.

    Raises:
        EngineError: there is no display, or (with `screenshot`) the workspace or the file cannot be used.
    """
    if screenshot is not None:
        from engine.intake.formats.base import check_picture

        check_picture(screenshot)
    _choose_platform(off_screen=screenshot is not None)
    application = _application()
    from desktop.faults import FaultCatcher, start_logging
    from desktop.settings import Settings
    from desktop.shell import Shell
    from desktop.theme import ThemeManager

    log = start_logging()
    settings = Settings()
    manager = ThemeManager(theme or settings.theme)
    manager.apply()
    shell = Shell(settings, manager, idle=screenshot is not None)
    if size is not None:
        shell.window.resize(*size)
    try:
        with FaultCatcher(shell.faulted.emit):
            if screenshot is not None:
                return _picture(shell, workspace, screenshot, page)
            return _run(application, shell, workspace, page)
    finally:
        shell.shut_down()
        log.close()


def _run(application: QApplication, shell: Shell, workspace: Path | None, page: str | None) -> int:
    from desktop.interrupts import quit_on_signals

    with quit_on_signals(application):
        begin(shell, workspace)
        shell.window.show()
        if page is not None:
            shell.show(page)
        return application.exec()


def begin(shell: Shell, workspace: Path | None) -> None:
    """Open the given workspace, else the last one where it is still there, else stay on the start page."""
    last = next(iter(shell.settings.recent), None)
    wanted = workspace or (last if last is not None and last.is_dir() else None)
    if wanted is None or not shell.open(wanted):
        shell.show("start")


def _picture(shell: Shell, workspace: Path | None, file: Path, page: str | None) -> int:
    from desktop.screenshot import take

    faults: list[str] = []
    shell.faulted.connect(lambda sentence, _ours: faults.append(sentence))
    shell.show("start")
    if workspace is not None:
        shell.open_or_raise(workspace)
    shell.window.show()
    take(shell, file, page)
    return 1 if faults else 0


def _choose_platform(*, off_screen: bool) -> None:
    """Choose Qt's off-screen platform for a picture, and refuse to start a window where nobody could see it."""
    if os.environ.get("QT_QPA_PLATFORM"):
        return
    if off_screen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    elif sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise EngineError(
            "There is no display to open a window on.",
            "Log in to a desktop, or use --screenshot FILE to render the desk into a picture.",
        )


def _application() -> QApplication:
    from PySide6.QtWidgets import QApplication

    from desktop.settings import APPLICATION, ORGANISATION

    QApplication.setOrganizationName(ORGANISATION)
    QApplication.setApplicationName(APPLICATION)
    QApplication.setDesktopFileName("secondlook")
    running = QApplication.instance()
    return running if isinstance(running, QApplication) else QApplication(sys.argv[:1])
