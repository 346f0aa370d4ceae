from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import WorkspaceError
from engine.workspace import exclusive
from engine.workspace.lock import holder_of

HOLD = """
import sys
from pathlib import Path
from engine.workspace.lock import exclusive
with exclusive(Path(sys.argv[1]), "secondlook import"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_command_is_told_who_is_at_it_and_a_killed_holder_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with (
            pytest.raises(WorkspaceError, match=rf"'secondlook import' \(process {child.pid}"),
            exclusive(tmp_path, "secondlook retrain", wait_s=0.01),
        ):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
    with exclusive(tmp_path, "secondlook retrain"):
        holder = holder_of(tmp_path)
        assert holder is not None
        assert (holder.purpose, holder.pid) == ("secondlook retrain", os.getpid())
    assert holder_of(tmp_path) is None


def test_a_note_that_cannot_be_read_still_gives_a_sentence(tmp_path: Path) -> None:
    with exclusive(tmp_path, "first"):
        (tmp_path / "command.json").write_text("{")
        with pytest.raises(WorkspaceError, match="another command"), exclusive(tmp_path, "second"):
            pass
