from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.cli.main import run
from engine.cli.registry import COMMANDS, Command


class Ended:
    """How a command ended: exit status and what it wrote."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)


Runner = Callable[..., Ended]


@pytest.fixture
def secondlook(capsys: pytest.CaptureFixture[str], log_folder: Path) -> Runner:
    """Run a command in this process."""

    def runner(*arguments: object) -> Ended:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Ended(status, *capsys.readouterr())

    return runner


@pytest.fixture(autouse=True)
def log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep logs and the demo away from the user's own folders."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "state"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Register a function as the command `probe`."""

    def register(function: Callable[..., Any]) -> None:
        module = types.ModuleType("engine.cli.probe")
        module.probe = function  # type: ignore[attr-defined]
        module.EXAMPLES = ("secondlook probe",)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "engine.cli.probe", module)
        monkeypatch.setitem(COMMANDS, "probe", Command("probe", "probe", "", "for tests"))

    return register
