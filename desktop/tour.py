"""Three decisions through the real window, off screen: what `make run` does on a machine without a display.

`python -m desktop.tour WORKSPACE PICTURE` opens the desk with its real children, waits for the first explanation,
presses Enter, Enter and S as a person would, says what happened to each item, and saves a picture of the window.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from desktop.review.page import ReviewPage
from desktop.waiting import until
from engine.errors import EngineError, WorkspaceError

if TYPE_CHECKING:
    from desktop.desk import Desk
    from desktop.shell import Shell

KEYS = ((Qt.Key.Key_Return, "Enter"), (Qt.Key.Key_Return, "Enter"), (Qt.Key.Key_S, "S"))
PATIENCE_S = 60.0


def wait_for(what: Callable[[], bool], sentence: str) -> None:
    """Wait for a minute at most; raises `WorkspaceError` with the sentence where `what` still does not hold."""
    if not until(what, PATIENCE_S):
        raise WorkspaceError(sentence, "Look at the log files in the workspace's folder logs/.")


def drive(shell: Shell, desk: Desk, say: Callable[[str], object]) -> None:
    """Press the keys, each once the item before is decided, and say what is on disk after each."""
    review = shell.window.page_widget("review")
    if not isinstance(review, ReviewPage):
        raise WorkspaceError("The review page did not open.", "Run secondlook doctor on the workspace.")
    decisions = desk.workspace.decisions
    for key, name in KEYS:
        wait_for(partial(_explained, review), "The next item did not appear with its explanation.")
        before = decisions.head()[0]
        QTest.keyClick(review, key)
        wait_for(partial(_grew, desk, before), f"The key {name} recorded no decision.")
        row = next(iter(decisions.iter(after=before)))
        labels = ", ".join(row.labels) or "no label"
        say(f"  {name:<5} → {row.item}: {row.action} ({labels}), decision {row.number} is on disk")
    wait_for(partial(_explained, review), "The next item did not appear with its explanation.")


def _explained(review: ReviewPage) -> bool:
    """Tell whether the item is on screen with all that will come: its picture and its final explanation."""
    visit = review.controller.visit
    if visit is None or not (review.settled and review.centre.complete):
        return False
    known = review.explanations.get(visit.sight, visit.focus)
    return known is not None and known.final


def _grew(desk: Desk, before: int) -> bool:
    return desk.workspace.decisions.head()[0] > before


def main(arguments: list[str]) -> int:
    """Run the tour; return the exit status."""
    workspace, picture = Path(arguments[0]), Path(arguments[1])
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from desktop.screenshot import take
    from desktop.settings import Settings
    from desktop.shell import Shell
    from desktop.theme import ThemeManager

    application = QApplication(sys.argv[:1])
    settings = Settings()
    theme = ThemeManager("light")
    theme.apply()
    shell = Shell(settings, theme)
    try:
        shell.open_or_raise(workspace)
        shell.window.show()
        if shell.desk is not None:
            drive(shell, shell.desk, lambda line: sys.stdout.write(f"{line}\n"))
        take(shell, picture)
        sys.stdout.write(f"The window is in {picture}\n")
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    finally:
        shell.shut_down()
        application.quit()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
