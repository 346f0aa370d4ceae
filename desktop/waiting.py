"""Waiting for something without holding up the event loop: for pictures, tours and the close of the window."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QEventLoop, QTimer

LOOK_EVERY_MS = 10


def until(what: Callable[[], bool], seconds: float) -> bool:
    """Run the event loop until `what` holds or the seconds are over; return whether it holds."""
    if what():
        return True
    loop = QEventLoop()
    end = time.monotonic() + seconds
    clock = QTimer(interval=LOOK_EVERY_MS)
    clock.timeout.connect(lambda: loop.quit() if what() or time.monotonic() > end else None)
    clock.start()
    loop.exec()
    clock.stop()
    return what()
