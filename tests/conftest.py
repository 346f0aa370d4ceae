"""What tests of several parts need."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

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
