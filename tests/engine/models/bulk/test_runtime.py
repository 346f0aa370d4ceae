"""What the runtime does to the process that it is in."""

from __future__ import annotations

import subprocess
import sys

SIGNALLED = """
import faulthandler, gc, signal, threading
import numpy as np
from engine.models.bulk import runtime
made = runtime.operations()
faulthandler.enable()
values = made.parameter([1, 2], np.float32)
kept = [runtime.compiled(made.add(values, runtime.constant(1.0)), [values], 1)]
print(kept[0](np.zeros((1, 2), np.float32)).tolist())
del values
elsewhere = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
elsewhere.start()
elsewhere.join()
heard = []
signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
signal.raise_signal(signal.SIGTERM)
print(len(heard))
"""


def test_a_signal_is_heard_after_the_last_graph_is_gone() -> None:
    ended = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=100, check=False)
    assert (ended.returncode, ended.stdout) == (0, "[[1.0, 1.0]]\n1\n"), ended.stderr
