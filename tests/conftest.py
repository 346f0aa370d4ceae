"""What tests of several parts need."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest


@pytest.fixture(scope="session")
def chromium() -> None:
    """Skip, with the reason, where Chromium cannot run in its sandbox at all, such as without user namespaces.

    It is started without any of our code, so that a fault of ours is never taken for one of the machine's.
    """
    from engine.intake.capture.browser import BrowserUnavailableError
    from engine.intake.capture.browser.process import programs, unprivileged

    try:
        program, _ = programs()
        user = unprivileged()
    except BrowserUnavailableError as error:
        pytest.skip(f"no browser to test with: {error}")
    home = Path(tempfile.mkdtemp(prefix="chromium-"))
    if user is not None:
        os.chown(home, user.uid, user.gid)
    try:
        ended = subprocess.run(
            [program, "--headless=new", f"--user-data-dir={home}", "--dump-dom", "about:blank"],
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if ended.returncode != 0:
        reason = (ended.stderr.split("\n\n")[0].strip() or f"status {ended.returncode}").splitlines()[-1]
        pytest.skip(f"no browser to test with: Chromium does not start here: {reason[-200:]}")


@pytest.fixture
def same_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training in this process leaves its priorities alone: niceness cannot be taken back, and other tests run here."""
    monkeypatch.setattr(os, "nice", lambda by: 0)
    monkeypatch.setattr(psutil.Process, "ionice", lambda *_: None)


@pytest.fixture(scope="session")
def tiny_recipe() -> str:
    """A text model that is trained in a moment."""
    return """
[text]
vocabulary = 400
width = 16
filters = 16
windows = [1, 2]
max_tokens = 16
[image]
backbone = "none"
size = 32
[fusion]
hidden = [16]
[training]
epochs = 4
batch_size = 8
learning_rate = 0.02
threads = 1
"""
