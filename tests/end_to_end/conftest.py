from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from PySide6.QtCore import QSettings

from desktop.settings import Settings
from engine.taxonomy import preset
from engine.types import Item
from engine.workspace import Workspace

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ITEMS = 40
ROUGH = ("glorp", "snarl", "vexing")
KIND = ("sunny", "gentle", "cheerful")
RECIPE = """
[data]
val = 0.2
test = 0.25

[text]
backbone = "cnn"
max_tokens = 24
vocabulary = 300
width = 32
filters = 32
dropout = 0.0

[image]
backbone = "resnet18"
weights = "scratch"
size = 32

[fusion]
hidden = [32]
dropout = 0.0

[training]
epochs = 3
batch_size = 4
learning_rate = 3e-3
seed = 1
start = "scratch"
threads = 1
"""


def is_toxic(number: int) -> bool:
    return number % 2 == 0


def text_of(number: int) -> str:
    words = ROUGH if is_toxic(number) else KIND
    return f"the {words[number % 3]} {words[(number + 1) % 3]} neighbours of village {number}"


def picture(number: int) -> bytes:
    """A small PNG whose colour says what the words say."""
    colour = (200, 60, 40 + number) if is_toxic(number) else (40, 160, 60 + number)
    file = BytesIO()
    Image.new("RGB", (48, 48), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(RECIPE)
    return file


@pytest.fixture
def make_workspace(tmp_path: Path) -> Callable[..., Path]:
    """Make a workspace of 40 tweets whose imported truths are right or, with `wrong`, the wrong way round."""

    def make(*, wrong: bool = False) -> Path:
        folder = tmp_path / "small.secondlook"
        with Workspace.create(folder, preset("tweets")) as workspace:
            workspace.items.add((_item(number, wrong=wrong), picture(number)) for number in range(ITEMS))
        return folder

    return make


def _item(number: int, *, wrong: bool) -> Item:
    label = "toxic" if is_toxic(number) != wrong else "non-toxic"
    return Item(
        id=f"t{number:02}",
        kind="tweet",
        text=text_of(number),
        author=f"author{number % 20}",
        width=48,
        height=48,
        truths={"toxicity": (label,)},
    )


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """Settings of their own: nothing starts by itself, and the reviewer has a name."""
    file = tmp_path / "settings.ini"
    store = QSettings(str(file), QSettings.Format.IniFormat)
    settings = Settings(store)
    settings.reviewer, settings.retrain_after, settings.refit_after = "ada", 0, 0
    store.sync()
    return file


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """An X display: the one there is, else one of our own by Xvfb; "" where there is neither."""
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    if shutil.which("Xvfb") is None:
        print("Xvfb is not installed: the window is driven under Qt's off-screen platform.")  # noqa: T201
        yield ""
        return
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x900x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        yield f":{number}"
        server.terminate()


class Window:
    """The driven window's process: lines of its standard output with deadlines, and an end that leaves nothing."""

    def __init__(self, arguments: list[str], display: str, log: Path) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "QT_QPA_PLATFORM": "xcb" if display else "offscreen",
            "OMP_NUM_THREADS": "1",
        }
        if display:
            environment["DISPLAY"] = display
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(HERE / "drive.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )
        self._rest = b""
        self.ended = False

    def line(self, timeout: float = 30.0) -> dict[str, Any] | None:
        """Return the next line; None at the end of the output or after `timeout` seconds."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                self.ended = bool(ready)
                return None
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        return dict(json.loads(line))

    def ask(self) -> dict[str, Any]:
        """Return what is on screen and what is going on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"?\n")
        self.process.stdin.flush()
        answer = self.line()
        assert answer is not None, "The window does not answer."
        return answer

    def wait_until(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 60.0) -> dict[str, Any]:
        """Ask until the answer is as wanted; fails after `timeout` seconds with the last answer."""
        deadline = time.monotonic() + timeout
        while not wanted(answer := self.ask()):
            assert answer["training"] != "failed", answer["text"]
            assert time.monotonic() < deadline, f"Waited {timeout} s in vain; the last answer was {answer}."
            select.select([], [], [], 0.03)
        return answer

    def children(self) -> list[psutil.Process]:
        """Return the processes that the window started."""
        with contextlib.suppress(psutil.Error):
            return list(psutil.Process(self.process.pid).children(recursive=True))
        return []

    def kill(self) -> None:
        """Kill the window as a power cut would."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End whatever is left, and close the pipes."""
        left = self.children()
        if self.process.poll() is None:
            self.kill()
        for child in left:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(left, timeout=5)
        for pipe in (self.process.stdin, self.process.stdout, self._log):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def open_window(tmp_path: Path) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def start(*arguments: str | Path, display: str = "") -> Window:
        windows.append(Window([str(one) for one in arguments], display, tmp_path / "window.log"))
        return windows[-1]

    yield start
    for window in windows:
        window.close()
