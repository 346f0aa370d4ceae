"""What keeps an open workspace sound: its database is looked over, its queue kept right, backups are made."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.children.jobs import CheckDatabase, MakeBackup, RefreshQueue
from desktop.children.writer import JobFailure, Writer

BACKUP_CHECK_MS = 5 * 60 * 1000


class Upkeep(QObject):
    """`countsChanged()` where the queue was not right; `notice(text, kind)` for what went wrong."""

    countsChanged = Signal()
    notice = Signal(str, str)

    def __init__(self, writer: Writer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._writer = writer
        self._timer = QTimer(self, interval=BACKUP_CHECK_MS)
        self._timer.timeout.connect(self.back_up)

    def start(self, *, check: bool) -> None:
        """Begin; `check`: the database was too large to be checked as it was opened."""
        if check:
            self._writer.submit(CheckDatabase(), lambda _: None, self._on_damaged)
        self._writer.submit(RefreshQueue(), self._on_refreshed, self._on_failed)
        self._timer.start()

    def stop(self) -> None:
        """Begin nothing further."""
        self._timer.stop()

    def back_up(self) -> None:
        """Make a verified backup if one is due."""
        self._writer.submit(MakeBackup(), lambda _made: None, self._on_failed)

    def _on_refreshed(self, changed: bool) -> None:
        if changed:
            self.countsChanged.emit()

    def _on_damaged(self, failure: JobFailure) -> None:
        if not failure.cancelled:
            self.notice.emit(failure.message, "error")

    def _on_failed(self, failure: JobFailure) -> None:
        self.notice.emit(failure.message, failure.kind)
