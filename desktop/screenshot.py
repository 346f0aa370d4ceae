"""The window as a picture, for documents and for machines without a display."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QWidget

from desktop.shell import Shell
from desktop.waiting import until
from engine.errors import InputError, StorageError

OVERLAYS = ("palette", "cheat-sheet")
PAGES = ("start", "review", "models", "capture", "settings", *OVERLAYS)
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
    """Wait until the page says that it is settled (has painted what it shows) and what it queued has been done."""
    window.repaint()
    looks = iter((False, True))  # one more turn of the event loop after the page settled
    until(lambda: bool(getattr(page, "settled", True)) and next(looks, True), PATIENCE_S)


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
