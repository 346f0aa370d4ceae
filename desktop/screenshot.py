"""The window as a picture, for documents and for machines without a display."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop
from PySide6.QtWidgets import QWidget

from desktop.shell import Shell
from engine.errors import InputError, StorageError

OVERLAYS = ("palette", "cheat-sheet")
PAGES = ("start", "review", "models", "settings", *OVERLAYS)
PATIENCE_S = 10.0


def take(shell: Shell, file: Path, page: str | None = None) -> None:
    """Show the page, wait until what it shows is painted, and save the window as PNG.

    Raises:
        InputError: there is no such page, or it needs a workspace.
        StorageError: the file cannot be written.
    """
    _show(shell, page)
    settle(shell.window, shell.window.page_widget(shell.window.page))
    image = shell.window.grab()
    if not image.save(str(file), "PNG"):
        raise StorageError(f"The picture could not be written to {file}.", "Check that its folder exists.")


def settle(window: QWidget, page: QWidget | None) -> None:
    """Run the event loop until the page says that it is settled (has painted what it shows) and nothing is queued."""
    window.repaint()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        if getattr(page, "settled", True):
            break
    QCoreApplication.processEvents()


def _show(shell: Shell, page: str | None) -> None:
    if page is None:
        return
    if page not in PAGES:
        raise InputError(f"There is no page '{page}'.", f"Choose one of {', '.join(PAGES)}.")
    if page in OVERLAYS:
        shell.window.actions_table.trigger(f"app.{page}")
        return
    shell.show(page)
    if shell.window.page != page:
        raise InputError(f"The page '{page}' needs a workspace.", "Name one.")
