"""The command line's log: library warnings and the tracebacks of our own mistakes."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


def log_path() -> Path:
    """Return where the command line's log is."""
    return platformdirs.user_log_path("secondlook", appauthor=False) / "command-line.log"


@contextlib.contextmanager
def log_quietly() -> Iterator[None]:
    """Send log records and Python warnings to the log file instead of the terminal while the block runs."""
    root = logging.getLogger()
    handler = _handler()
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        handler.close()


def record_bug(error: BaseException) -> tuple[str, str]:
    """Write the traceback to the log and return what went wrong and what to do, a sentence each.

    Without a log the traceback goes to standard error.
    """
    lines = "".join(traceback.format_exception(error))
    what = f"Something went wrong that is our mistake, not yours ({type(error).__name__}: {error})."
    try:
        path = log_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(lines + "\n")
    except OSError:
        sys.stderr.write(lines)
        return what, "Please report it with the lines above."
    return what, f"Please report it with the details in {path}."


def _handler() -> logging.Handler:
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            log_path(), maxBytes=1 << 20, backupCount=2, encoding="utf-8", delay=True
        )
    except OSError:
        return logging.NullHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
