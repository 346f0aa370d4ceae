"""The real window in a process of its own, for tests that watch it from outside.

drive.py WORKSPACE SETTINGS serve     answers questions about what is on screen; keys come from the X server
drive.py WORKSPACE SETTINGS press N   presses keys by itself (seed N) and prints what was acknowledged
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, QSocketNotifier, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.desk import Desk
from desktop.review.page import ReviewPage
from desktop.settings import Settings
from desktop.shell import Shell
from desktop.theme import ThemeManager

KEYS = (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_S, Qt.Key.Key_E, Qt.Key.Key_U)


def say(**words: object) -> None:
    """Write one line at once: what was written is out of this process, whatever happens to it next."""
    os.write(1, json.dumps(words).encode() + b"\n")


class Driver(QObject):
    def __init__(self, shell: Shell) -> None:
        super().__init__()
        self.shell = shell
        page = shell.window.page_widget("review")
        assert isinstance(page, ReviewPage)
        assert shell.desk is not None
        self.page: ReviewPage = page
        self.desk: Desk = shell.desk
        self.notices: list[str] = []
        self.desk.notice.connect(lambda text, _kind: self.notices.append(text))
        self.desk.flipped.connect(self.notices.append)

    def answer_questions(self) -> None:
        """Answer each line on standard input with one line."""
        self._notifier = QSocketNotifier(0, QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_question)
        QTimer.singleShot(0, self._say_ready)

    def _say_ready(self) -> None:
        say(ready=True, window=int(self.shell.window.winId()))

    def _on_question(self) -> None:
        line = os.read(0, 4096)
        if not line:
            self._notifier.setEnabled(False)
            return
        visit = self.page.controller.visit
        say(
            item=visit.sight.item.id if visit is not None else "",
            decided=self.desk.workspace.decisions.count(),
            champion=self.desk.champion,
            engine=self.desk.engine_state.text,
            ready=self.desk.engine_state.ready and not self.desk.engine_state.busy,
            training=self.desk.training_state.stage,
            text=self.desk.training_state.text,
            explained=self._explained(),
            notices=self.notices,
        )

    def _explained(self) -> bool:
        visit = self.page.controller.visit
        if visit is None or visit.task is None or visit.focus is None:
            return False
        task, label = visit.focus
        return self.desk.workspace.explanations.get(visit.sight.item.id, task, label, self.desk.champion) is not None

    def press_keys(self, seed: int, recipe: Path) -> None:
        """Press random keys for ever, and print every decision once the desk has acknowledged it."""
        self._random = random.Random(seed)
        self.page.controller.recorded.connect(self._acknowledge)
        self.page.controller.undone.connect(self._acknowledge)
        if not self.desk.workspace.runs.unfinished():
            QTimer.singleShot(0, lambda: self.desk.start_retrain(recipe.read_text()))
        self.desk.trainingStateChanged.connect(lambda state: say(training=state.stage))
        self.desk.engineStateChanged.connect(lambda state: say(engine=state.ready))
        self._timer = QTimer(self, interval=2)
        self._timer.timeout.connect(self._press)
        self._timer.start()
        say(ready=True)

    def _press(self) -> None:
        key = self._random.choice(KEYS) if self.page.controller.visit is not None else Qt.Key.Key_U
        QTest.keyClick(self.shell.window, key)

    def _acknowledge(self, *_: object) -> None:
        number, digest = self.desk.workspace.decisions.head()
        say(ack=number, hash=digest)


def main() -> None:
    workspace, settings_file, mode = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    application = QApplication(sys.argv[:1])
    settings = Settings(QSettings(settings_file, QSettings.Format.IniFormat))
    theme = ThemeManager("light")
    theme.apply()
    shell = Shell(settings, theme, log=workspace.parent)
    shell.open_or_raise(workspace)
    shell.window.show()
    driver = Driver(shell)
    begin: Callable[[], None] = driver.answer_questions
    if mode == "press":
        seed, recipe = int(sys.argv[4]), Path(sys.argv[5])
        begin = lambda: driver.press_keys(seed, recipe)  # noqa: E731
    QTimer.singleShot(0, begin)
    status = application.exec()
    shell.shut_down()
    sys.exit(status)


if __name__ == "__main__":
    main()
