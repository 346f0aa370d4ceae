"""The pages of a capture as a list, all of them or those that failed; a page that changes changes its row alone."""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Callable

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QImage

from desktop.capture_page.words import spoken
from desktop.children.capture_states import FAILED, Page
from desktop.children.capturing import Capturing
from desktop.review.thumbnails import Thumbnails

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class Role(enum.IntEnum):
    """What the delegate asks for beside Qt's own roles. `THUMBNAIL` is a QImage or None while it is made."""

    PAGE = Qt.ItemDataRole.UserRole + 1
    THUMBNAIL = Qt.ItemDataRole.UserRole + 2


class PagesModel(QAbstractListModel):
    """Rows in the list's order; follows a `Capturing`."""

    def __init__(self, capturing: Capturing, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._capturing, self._thumbnails = capturing, thumbnails
        self._failures = False
        self._shown: list[int] = []
        self._answers: dict[int, Callable[[Page], object]] = {
            Qt.ItemDataRole.DisplayRole: lambda page: page.title or page.key,
            Qt.ItemDataRole.ToolTipRole: lambda page: "\n".join(filter(None, (page.key, page.reason))),
            Qt.ItemDataRole.AccessibleTextRole: spoken,
            Role.PAGE: lambda page: page,
            Role.THUMBNAIL: self._thumbnail,
        }
        capturing.listChanged.connect(self.reload)
        capturing.pageChanged.connect(self._page_changed)
        thumbnails.changed.connect(self._thumbnails_changed)
        self.reload()

    @property
    def failures_only(self) -> bool:
        """Whether only pages are shown that failed."""
        return self._failures

    def show_failures(self, *, only: bool) -> None:
        """Show the pages that failed alone, or all."""
        if only != self._failures:
            self._failures = only
            self.reload()

    def reload(self) -> None:
        """Show the list as it is now."""
        self.beginResetModel()
        rows = self._capturing.pages.rows
        self._shown = [place for place, page in enumerate(rows) if self._belongs(page)]
        self.endResetModel()

    def page_at(self, row: int) -> Page | None:
        """Return the page of a row, or None."""
        return self._capturing.pages.rows[self._shown[row]] if 0 <= row < len(self._shown) else None

    def row_of(self, key: str) -> int:
        """Return the row of an address, -1 where it is not shown."""
        place = self._capturing.pages.places.get(key, -1)
        row = bisect_left(self._shown, place)
        return row if row < len(self._shown) and self._shown[row] == place else -1

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Return how many pages are shown."""
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a page's title or address, its struct, its thumbnail, or what a screen reader says."""
        page = self.page_at(index.row()) if index.isValid() else None
        answer = self._answers.get(role)
        return answer(page) if page is not None and answer is not None else None

    def _belongs(self, page: Page) -> bool:
        return page.state == FAILED if self._failures else True

    def _page_changed(self, place: int) -> None:
        row = bisect_left(self._shown, place)
        is_shown = row < len(self._shown) and self._shown[row] == place
        belongs = self._belongs(self._capturing.pages.rows[place])
        if is_shown and belongs:
            self.dataChanged.emit(self.index(row), self.index(row))
        elif is_shown:
            self.beginRemoveRows(_ROOT, row, row)
            del self._shown[row]
            self.endRemoveRows()
        elif belongs:
            self.beginInsertRows(_ROOT, row, row)
            self._shown.insert(row, place)
            self.endInsertRows()

    def _thumbnail(self, page: Page) -> QImage | None:
        if page.capture:
            return self._thumbnails.image(page.key, page.capture)
        if page.picture:
            # Each try has a picture of its own, in the same file.
            return self._thumbnails.picture(page.key, self._capturing.folder / page.picture, f"{page.seen}")
        return None

    def _thumbnails_changed(self, keys: list[str]) -> None:
        for key in keys:
            row = self.row_of(key)
            if row >= 0:
                self.dataChanged.emit(self.index(row), self.index(row), [Role.THUMBNAIL])
