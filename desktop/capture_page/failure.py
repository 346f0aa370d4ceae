"""Shows why a page failed, with its picture, for as long as that is so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QImage

from desktop.capture_page.failure_panel import FailurePanel
from desktop.children.capture_states import FAILED, WAITING, Page
from desktop.children.capturing import Capturing
from desktop.review.pixel_cache import Key, PixelPool
from desktop.review.pixels import Veil, decode, veiled

EXPLAINED = (FAILED, "again")
"""States of pages of which there is something to say."""
_FIRST = 1


class Failure(QObject):
    """Fills the panel from the capture under way, and asks for another try.

    `veil` softens the picture of each page at first; B lifts its blur, or blurs it, until another page is shown.
    """

    def __init__(self, capturing: Capturing, pool: PixelPool, panel: FailurePanel, parent: QObject | None) -> None:
        super().__init__(parent)
        self._capturing, self._pool, self._panel = capturing, pool, panel
        self._wanted: Key | None = None
        self.veil = self._now = Veil()
        pool.ready.connect(self._show_picture)
        capturing.pageChanged.connect(self._follow)
        capturing.listChanged.connect(panel.put_away)
        panel.retryWanted.connect(lambda key: capturing.retry([key]))
        panel.blurWanted.connect(self._toggle_blur)

    def show(self, page: Page) -> None:
        """Show why this page failed."""
        before = self._panel.page
        if self._panel.isHidden() or before is None or before.key != page.key:
            self._now = self.veil
        self._panel.show_page(page)
        self._ask_for_picture(page)

    def _ask_for_picture(self, page: Page) -> None:
        self._wanted = None
        if page.picture:
            path, veil = self._capturing.folder / page.picture, self._now
            self._wanted = ("failure", path, page.seen, veil)
            self._pool.request(self._wanted, lambda: _picture(path, veil), _FIRST)

    def _toggle_blur(self) -> None:
        if self._panel.page is not None:
            self._now = replace(self._now, blurred=not self._now.blurred)
            self._ask_for_picture(self._panel.page)

    def _follow(self, place: int) -> None:
        """Show what is known by now of the page in the panel, and put it away once there is nothing to say."""
        page = self._capturing.pages.rows[place]
        shown = self._panel.page
        if self._panel.isHidden() or shown is None or shown.key != page.key:
            return
        if page.state in EXPLAINED:
            self.show(page)
        elif page.state in WAITING:
            self._panel.show_another_try(page)
        else:
            self._panel.put_away()

    @Slot(object, object)
    def _show_picture(self, key: Key, image: QImage | None) -> None:
        if key == self._wanted:
            self._panel.show_picture(image, blurred=self._now.blurred)


def _picture(path: Path, veil: Veil) -> QImage:
    return veiled(decode(path), None, veil)
