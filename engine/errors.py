"""Failures that a person can do something about.

An `EngineError` is the environment's or the user's fault: it is shown as one plain sentence with the next step,
and a command that ends with one exits with status 2. Everything else that is raised is a bug of ours: it goes to the
log with its traceback, and a command that ends with one exits with status 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EngineError(Exception):
    """A failure at the user's or the environment's door.

    Args:
        message: one plain sentence that says what is wrong and names the file, row or value.
        way_out: one sentence that says what to do next; empty where the message already says it.
    """

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(message, way_out)
        self.message = message
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.message} {self.way_out}".strip()


class InputError(EngineError):
    """What the user gave (a file, a row, an option, a recipe) cannot be used as it is."""


class NotFoundError(InputError):
    """Something named by the user (an item, a task, a label, a model) does not exist."""


class WorkspaceError(EngineError):
    """The workspace cannot be used: missing, newer, locked, read-only or damaged."""


class StorageError(EngineError):
    """The disk refused: full, read-only or gone. Nothing was half-written."""


class ModelUnavailableError(EngineError):
    """A backbone, a checkpoint or its tokenizer is not there or does not fit."""


class TrainingError(EngineError):
    """A training run cannot start or go on: too few labels, a diverged loss, a broken recipe."""


class CancelledError(EngineError):
    """A long job ended because it was asked to."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return one sentence that helps after a misspelt name: the nearest known one, else up to eight of the known ones.

    Empty where nothing is known.
    """
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    listed = ", ".join(f"'{name}'" for name in names[:8])
    return f"Known: {listed}{', …' if len(names) > 8 else ''}." if names else ""
