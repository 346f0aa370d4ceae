from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from desktop.children import orphans


def test_a_trainer_of_this_run_is_ended(tmp_path: Path) -> None:
    code = "import time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        orphans.note(tmp_path, child.pid)
        assert orphans.end(tmp_path)
        child.wait(5)
    assert not orphans.end(tmp_path)


def test_another_process_with_the_same_number_is_left_alone(tmp_path: Path) -> None:
    orphans.note(tmp_path, os.getpid())
    assert not orphans.end(tmp_path)


def test_a_run_without_a_note_has_no_trainer(tmp_path: Path) -> None:
    assert not orphans.end(tmp_path)
    (tmp_path / orphans.PID_NAME).write_text("no number")
    assert not orphans.end(tmp_path)
