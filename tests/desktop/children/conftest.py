from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop.children.log_file import LogFile

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _patiently(patient: None) -> None:
    """Child processes start slowly where other tests have the processors."""


@pytest.fixture
def log_file(tmp_path: Path) -> LogFile:
    return LogFile(tmp_path / "logs" / "child.log")


@pytest.fixture
def engine_command(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """The command of a fake engine service that behaves as its mode says."""
    return lambda mode: (sys.executable, str(HERE / "fake_engine.py"), mode, str(tmp_path / "starts"))


@pytest.fixture
def trainer_command() -> Callable[[str], Callable[[Path], tuple[str, ...]]]:
    """The command of a fake trainer that ends as its mode says."""
    return lambda mode: lambda run: (sys.executable, str(HERE / "fake_trainer.py"), mode, str(run))
