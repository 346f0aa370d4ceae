"""The trainer process: `python -m engine train RUN_FOLDER [--models FOLDER]`, one event a line on standard output."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import psutil

from engine.errors import CancelledError, EngineError
from engine.service.protocol import RunFailed, TrainerEvent, encode

NICENESS = 19
"""An explanation beside a trainer took a tenth longer than alone, a third longer beside one at 15."""
DONE, BUG, REFUSED, CANCELLED = 0, 1, 2, 130

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Train a run folder and return the exit status.

    0: there is a candidate. 1: a bug of ours (traceback on standard error). 2: the run cannot start or go on, the
    `RunFailed` event says why. 130: cancelled by a terminate or interrupt signal, or by nobody listening any more; the
    run goes on when it is started again.
    """
    parser = argparse.ArgumentParser(prog="python -m engine train", description="Train what a run folder asks for.")
    parser.add_argument("run_folder", type=Path)
    parser.add_argument("--models", type=Path, default=None, help="the workspace's folder of models")
    parser.add_argument("--nice", type=int, default=NICENESS, help="the process's niceness (default: %(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    be_modest(options.nice)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return _run(options.run_folder, options.models, EventLines(sys.stdout.buffer, stop.set), stop.is_set)


def be_modest(niceness: int = NICENESS) -> None:
    """Take the processor and the disk only when nobody else wants them: at niceness 19 the desk comes first.

    A reviewer's commit would otherwise wait until a checkpoint of many megabytes is on the disk.
    """
    os.nice(max(niceness - os.nice(0), 0))
    if sys.platform == "linux" and niceness > 0:
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


class EventLines:
    """Writes events as lines; when nobody reads them any more it calls `gone` and falls silent."""

    def __init__(self, stream: BinaryIO, gone: Callable[[], None]) -> None:
        self._stream = stream
        self._gone = gone
        self._silent = False

    def __call__(self, event: TrainerEvent) -> None:
        """Write one event and flush it."""
        if self._silent:
            return
        try:
            self._stream.write(encode(event))
            self._stream.flush()
        except OSError:
            self._silent = True
            self._gone()


def _run(folder: Path, models: Path | None, emit: EventLines, cancelled: Callable[[], bool]) -> int:
    try:
        from engine.training.run import train

        train(folder, emit=emit, cancelled=cancelled, models_folder=models)
    except CancelledError:
        return CANCELLED
    except EngineError:
        return REFUSED
    except Exception as error:  # noqa: BLE001 - the process boundary
        _log.critical("the run ended by a mistake of ours", exc_info=True)
        message = f"Training ended by a mistake of ours ({type(error).__name__}: {error}); the log has the details."
        emit(RunFailed(run=folder.absolute().name, message=message, bug=True))
        return BUG
    return DONE
