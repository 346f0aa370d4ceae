"""Images kept in memory under a limit in bytes, the least recently used going first; and the pool that makes them."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot
from PySide6.QtGui import QImage

from desktop.review.pixels import Job
from engine.errors import EngineError

Key = Hashable

_log = logging.getLogger(__name__)


class PixelCache:
    """Images by key, together at most `limit` bytes. One image larger than the limit is not kept at all."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._images: OrderedDict[Key, QImage] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._images

    def __len__(self) -> int:
        return len(self._images)

    def get(self, key: Key) -> QImage | None:
        """Return the image under `key` and mark it as just used; None where there is none."""
        image = self._images.get(key)
        if image is not None:
            self._images.move_to_end(key)
        return image

    def put(self, key: Key, image: QImage) -> None:
        """Keep `image` under `key`, dropping the least recently used ones beyond the limit."""
        self.drop(key)
        if image.sizeInBytes() > self.limit:
            return
        self._images[key] = image
        self.size += image.sizeInBytes()
        while self.size > self.limit:
            _, dropped = self._images.popitem(last=False)
            self.size -= dropped.sizeInBytes()

    def drop(self, key: Key) -> None:
        """Forget the image under `key`, if there is one."""
        image = self._images.pop(key, None)
        if image is not None:
            self.size -= image.sizeInBytes()


class _Run(QRunnable):
    def __init__(self, pool: PixelPool, key: Key, job: Job) -> None:
        super().__init__()
        self._pool, self._key, self._job = pool, key, job

    def run(self) -> None:
        if not self._pool.wanted(self._key):
            return
        try:
            image = self._job()
        except (EngineError, OSError, ValueError) as error:
            _log.warning("No picture for %s: %s", self._key, error)
            image = None
        self._pool.finished.emit(self._key, image)


class PixelPool(QObject):
    """Runs image jobs on a few threads, each key once at a time; `ready(key, image or None)` on the GUI thread.

    None means that there is no picture to be had (a missing or damaged file); the reason is in the log.
    """

    ready = Signal(object, object)
    finished = Signal(object, object)

    def __init__(self, parent: QObject | None = None, threads: int = 2) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._pending: set[Key] = set()
        self.finished.connect(self._report)

    def request(self, key: Key, job: Job, priority: int = 0) -> None:
        """Run `job` unless one for `key` waits already; a higher `priority` starts earlier."""
        if key in self._pending:
            return
        self._pending.add(key)
        self._pool.start(_Run(self, key, job), priority)

    def wanted(self, key: Key) -> bool:
        """Whether somebody still waits for `key` (asked from the pool's threads)."""
        return key in self._pending

    def forget(self, key: Key) -> None:
        """Do not run this job if it still waits; if it runs already, it finishes unheard."""
        self._pending.discard(key)

    def busy(self) -> bool:
        """Whether a job waits or runs."""
        return bool(self._pending)

    def close(self) -> None:
        """Drop what waits and return when the threads are idle."""
        self._pending.clear()
        self._pool.clear()
        self._pool.waitForDone()

    @Slot(object, object)
    def _report(self, key: Key, image: QImage | None) -> None:
        if key in self._pending:
            self._pending.discard(key)
            self.ready.emit(key, image)
