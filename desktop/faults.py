"""Our own mistakes while the window is open: the traceback goes to the log, one quiet notice to the person."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

import platformdirs

from engine.errors import EngineError

Report = Callable[[str, bool], None]
"""Called with one sentence, and whether it is a mistake of ours (else the environment's)."""
_logger = logging.getLogger("desktop")


def log_folder() -> Path:
    """Return the folder of the desktop's log files."""
    return platformdirs.user_log_path("secondlook", appauthor=False)


def start_logging(folder: Path | None = None) -> logging.Handler:
    """Send the desktop's records of warning and above to desktop.log, at most 3 MB of them.

    A disk that refuses does not keep the window from opening: then there is no log.
    """
    folder = folder or log_folder()
    handler: logging.Handler = logging.NullHandler()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / "desktop.log", maxBytes=1 << 20, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    return handler


class FaultCatcher:
    """Takes over what nobody caught, in every thread, while it is in place (a context manager).

    `report` is called in the thread of the fault.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reporting = False

    def __enter__(self) -> FaultCatcher:
        self._before = (sys.excepthook, threading.excepthook)
        sys.excepthook = self.caught
        threading.excepthook = self._caught_in_thread
        return self

    def __exit__(self, *_: object) -> None:
        sys.excepthook, threading.excepthook = self._before

    def caught(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """Log a fault and report it; a fault while reporting is only logged."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
            return
        ours = not isinstance(error, EngineError)
        _logger.error("%s", error, exc_info=(kind, error, traceback))
        if self._reporting:
            return
        self._reporting = True
        try:
            sentence = "Something went wrong that is our mistake. Your decisions are safe." if ours else str(error)
            self._report(sentence, ours)
        finally:
            self._reporting = False

    def _caught_in_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self.caught(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
