"""Imports in the background, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.children.jobs import ImportPaths
from desktop.children.writer import JobFailure, Writer

if TYPE_CHECKING:
    from engine.intake import ImportReport


class Importing(QObject):
    """`progressed(done, total)` while one goes on, `ended(ImportReport or None)` after it; `notice(text, kind)`."""

    progressed = Signal(int, int)
    ended = Signal(object)
    notice = Signal(str, str)

    def __init__(self, writer: Writer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._writer = writer
        self._ticket = 0

    @property
    def running(self) -> bool:
        """Whether an import is under way."""
        return bool(self._ticket)

    def start(self, paths: Sequence[Path | str], *, strict: bool = False) -> None:
        """Import files and folders; with `strict` one bad row keeps everything out."""
        if self.running:
            self.notice.emit("An import is under way already; cancel it or wait for it.", "info")
            return
        job = ImportPaths(tuple(Path(path) for path in paths), strict)
        self._ticket = self._writer.submit(job, self._on_imported, self._on_failed, self.progressed.emit)

    def cancel(self) -> None:
        """Stop it; what is in of a large file stays, and importing it again goes on there."""
        self._writer.cancel(self._ticket)

    def _on_imported(self, report: ImportReport) -> None:
        self._ticket = 0
        self.ended.emit(report)

    def _on_failed(self, failure: JobFailure) -> None:
        self._ticket = 0
        self.ended.emit(None)
        self.notice.emit(failure.message, failure.kind)
