"""Write a workspace's items, labels and decisions to one file in any of the formats: complete or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.intake.formats.base import Writing
from engine.intake.formats.known import answer_of, answers
from engine.intake.formats.registry import by_suffix, named
from engine.intake.report import ExportReport
from engine.workspace import Workspace

__all__ = ["Progress", "answer_of", "answers", "export"]

Progress = Callable[[int, int], None]


def export(
    ws: Workspace,
    path: Path | str,
    *,
    format: str = "",  # noqa: A002 - the option's name everywhere
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write everything to `path`, replacing what is there; `format` is a name of `FORMATS`, else as the name ends.

    Raises:
        InputError: the format is unknown or the folder does not exist.
        StorageError: the disk refused; a file that was there before is untouched.
        CancelledError: `cancelled` said so; a file that was there before is untouched.
    """
    path = Path(path)
    chosen = named(format, writing=True) if format else by_suffix(path)
    assert chosen.write is not None
    return chosen.write(ws, path, Writing(progress=progress, cancelled=cancelled))
