"""The queue as a stable list of one visit: items stay where they are, what happens to them changes their row in place.

Rows come from the workspace in keyset pages as the list is scrolled or walked. Decided items stay, marked. New verdicts
change rows without moving them; a queue is ordered anew only when it is opened again.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

import msgspec
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QImage

from desktop.review.thumbnails import Thumbnails
from engine.errors import EngineError
from engine.taxonomy import Label, Taxonomy
from engine.workspace import Cursor, QueueQuery, QueueRow, Workspace

Index = QModelIndex | QPersistentModelIndex

_ROOT = QModelIndex()


class Role(enum.IntEnum):
    """What the delegate asks for beside Qt's own roles. `THUMBNAIL` is a QImage or None while it is made."""

    ROW = Qt.ItemDataRole.UserRole + 1
    LABEL = Qt.ItemDataRole.UserRole + 2
    THUMBNAIL = Qt.ItemDataRole.UserRole + 3


_ROW_ROLES = [Role.ROW, Role.LABEL, Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.DisplayRole]


class QueueModel(QAbstractListModel):
    """Rows of one queue. `load` opens a queue; `refresh` brings given items up to date in place.

    `failed(sentence)` says why reading on was not possible; the rows that were read stay.
    """

    failed = Signal(str)

    def __init__(self, workspace: Workspace, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queues = workspace.queues
        self._labels = _labels_of(workspace.taxonomy)
        self._thumbnails = thumbnails
        self._query = QueueQuery()
        self._rows: list[QueueRow] = []
        self._places: dict[str, int] = {}
        self._more = False
        self._answers: dict[int, Callable[[QueueRow], object]] = {
            Qt.ItemDataRole.DisplayRole: lambda row: row.title,
            Qt.ItemDataRole.AccessibleTextRole: self._spoken,
            Role.ROW: lambda row: row,
            Role.LABEL: self.label_of,
            Role.THUMBNAIL: self._thumbnail,
        }
        thumbnails.changed.connect(self._thumbnail_changed)

    @property
    def query(self) -> QueueQuery:
        """The query whose visit this is; `after` points behind the last row that was read."""
        return self._query

    @property
    def items(self) -> list[str]:
        """The ids of the rows that were read so far, in order."""
        return [row.item for row in self._rows]

    @property
    def of_open(self) -> bool:
        """Whether this is a queue of items that wait, so that deciding one takes it off."""
        return self._query.states == ("open",)

    def load(self, query: QueueQuery) -> None:
        """Start the visit of a queue with its first page."""
        page = self._queues.page(query)
        self.beginResetModel()
        self._query = query
        self._rows = []
        self._places = {}
        self._take(page.rows)
        self._advance(page.after)
        self.endResetModel()

    def reload(self) -> None:
        """Start the visit of the same queue over, with whatever it holds and in whatever order it is now."""
        self.load(msgspec.structs.replace(self._query, after=None))

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Return how many rows have been read so far."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a row's title, its struct (`Role.ROW`), its label, its thumbnail or what a screen reader says."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        answer = self._answers.get(role)
        return answer(self._rows[index.row()]) if answer is not None else None

    def canFetchMore(self, parent: Index = _ROOT) -> bool:
        """Return whether the queue goes on behind the last row."""
        return self._more and not parent.isValid()

    def fetchMore(self, parent: Index = _ROOT) -> None:
        """Read the next page; rows that this visit has already are left out."""
        if not self.canFetchMore(parent):
            return
        try:
            page = self._queues.page(self._query)
        except EngineError as error:
            self._more = False
            self.failed.emit(str(error))
            return
        fresh = [row for row in page.rows if row.item not in self._places]
        if fresh:
            self.beginInsertRows(_ROOT, len(self._rows), len(self._rows) + len(fresh) - 1)
            self._take(fresh)
            self.endInsertRows()
        self._advance(page.after)

    def row_at(self, place: int) -> QueueRow:
        """Return the row at this place."""
        return self._rows[place]

    def place_of(self, item: str) -> int | None:
        """Return where an item stands in this visit; None if it was not met."""
        return self._places.get(item)

    def label_of(self, row: QueueRow) -> Label | None:
        """Return the taxonomy's label of the row's verdict; None without a verdict."""
        return self._labels.get((row.task or "", row.label or ""))

    def insert(self, item: str, place: int) -> int:
        """Bring an item that this visit has not met in at `place`, and return where it stands now."""
        known = self._places.get(item)
        if known is not None:
            return known
        row = self._queues.row(item)
        self.beginInsertRows(_ROOT, place, place)
        self._rows.insert(place, row)
        self._places = {entry.item: number for number, entry in enumerate(self._rows)}
        self.endInsertRows()
        return place

    def refresh(self, items: Iterable[str]) -> None:
        """Bring these items' rows up to date; rows that did not change are not reported."""
        for item in items:
            place = self._places.get(item)
            if place is None:
                continue
            row = self._queues.row(item)
            if row != self._rows[place]:
                self._rows[place] = row
                index = self.index(place)
                self.dataChanged.emit(index, index, _ROW_ROLES)

    def next_open(self, after: int) -> int | None:
        """Return the first place behind `after` whose item still waits, reading on as needed; None at the end.

        In a queue of other states (decided, skipped …) every next row counts.
        """
        place = after + 1
        while True:
            while place >= len(self._rows):
                if not self.canFetchMore():
                    return None
                self.fetchMore()
            if not self.of_open or self._rows[place].state == "open":
                return place
            place += 1

    def _take(self, rows: Iterable[QueueRow]) -> None:
        for row in rows:
            self._places[row.item] = len(self._rows)
            self._rows.append(row)

    def _advance(self, after: Cursor | None) -> None:
        self._more = after is not None
        if self._more:
            self._query = msgspec.structs.replace(self._query, after=after)

    def _thumbnail(self, row: QueueRow) -> QImage | None:
        return self._thumbnails.image(row.item, row.capture) if row.capture else None

    def _spoken(self, row: QueueRow) -> str:
        label = self.label_of(row)
        verdict = f"{label.title} {row.probability:.0%}" if label and row.probability is not None else "no verdict yet"
        return f"{row.title}, {verdict}, {row.state}"

    def _thumbnail_changed(self, items: list[str]) -> None:
        for item in items:
            place = self._places.get(item)
            if place is not None:
                index = self.index(place)
                self.dataChanged.emit(index, index, [Role.THUMBNAIL])


def _labels_of(taxonomy: Taxonomy) -> dict[tuple[str, str], Label]:
    return {(task.name, label.name): label for task in taxonomy.tasks for label in task.labels}
