"""The left side: which queue, its list, and a filter and a search that come up with their keys."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop.actions import ActionRegistry
from desktop.review.queue_delegate import HEIGHT, QueueDelegate
from desktop.review.queue_filter import QueueFilter
from desktop.review.queue_model import QueueModel
from desktop.review.queue_search import QueueSearch
from desktop.theme import GAP, HALF, ThemeManager
from desktop.widgets import IconButton, as_list
from engine.taxonomy import Taxonomy
from engine.triage import NamedQueue, queues
from engine.workspace import QueueQuery
from engine.workspace.queues import Queues


class QueuePanel(QFrame):
    """`opened(query)` when another queue is to be opened, `picked(place)` when a row is chosen with the mouse."""

    opened = Signal(object)
    picked = Signal(int)

    def __init__(
        self,
        model: QueueModel,
        taxonomy: Taxonomy,
        theme: ThemeManager,
        actions: ActionRegistry,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("surface", "surface")
        self._queues: tuple[NamedQueue, ...] = queues()
        self.chooser = _chooser(self._queues, self)
        self.button = IconButton("filter", "review.filter", theme, actions, self)
        self.filter = QueueFilter(taxonomy, theme, actions, self)
        self.search = QueueSearch(self)
        self.list = _list(model, theme, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, GAP, 0, 0)
        column.setSpacing(GAP)
        top = QVBoxLayout()
        top.setContentsMargins(GAP, 0, GAP, 0)
        top.setSpacing(GAP)
        first = QHBoxLayout()
        first.setSpacing(HALF)
        first.addWidget(self.chooser, 1)
        first.addWidget(self.button)
        top.addLayout(first)
        top.addWidget(self.filter)
        top.addWidget(self.search)
        column.addLayout(top)
        column.addWidget(self.list, 1)
        self.chooser.activated.connect(self._choose_queue)
        self.filter.changed.connect(self._choose)
        self.search.changed.connect(self._choose)
        self.list.clicked.connect(self._pick)

    def sizeHint(self) -> QSize:
        return QSize(280, 640)

    @property
    def query(self) -> QueueQuery:
        """The chosen queue, narrowed by the filter and by what is searched for."""
        return self.filter.narrowed(self._whole)

    @property
    def _whole(self) -> QueueQuery:
        """The chosen queue without the filter."""
        named = self._queues[max(0, self.chooser.currentIndex())]
        return msgspec.structs.replace(named.query, search=self.search.words)

    @property
    def title(self) -> str:
        """The chosen queue's title."""
        return self._queues[max(0, self.chooser.currentIndex())].title

    def choose(self, name: str) -> None:
        """Open the queue of this name, without a filter or a search."""
        self.chooser.setCurrentIndex(next(place for place, one in enumerate(self._queues) if one.name == name))
        self.search.clear()
        self._choose_queue()

    def show_counts(self, queues: Queues) -> None:
        """Write the lengths behind the queues' names, but for queues that would have to be counted item by item."""
        for number, named in enumerate(self._queues):
            ranged = named.query.min_probability is not None or named.query.max_probability is not None
            text = named.title if ranged else f"{named.title}   {queues.count(named.query):,}"
            if self.chooser.itemText(number) != text:
                self.chooser.setItemText(number, text)
        self.filter.show_counts(queues, self._whole)

    def show_place(self, place: int) -> None:
        """Mark the row at this place as the one on screen, and scroll only as far as needed."""
        model = self.list.model()
        if not 0 <= place < model.rowCount():
            self.list.clearSelection()
            return
        index = model.index(place, 0)
        self.list.setCurrentIndex(index)
        if place + 2 < model.rowCount():
            self.list.scrollTo(model.index(place + 2, 0))
        self.list.scrollTo(index)

    def _choose_queue(self) -> None:
        self.filter.reset()
        self.search.settle()
        self._choose()

    def _choose(self) -> None:
        self.opened.emit(self.query)

    def _pick(self, index: QModelIndex) -> None:
        self.picked.emit(index.row())


def _chooser(named: tuple[NamedQueue, ...], parent: QWidget) -> QComboBox:
    made = QComboBox(parent)
    made.setAccessibleName("Queue")
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    for number, queue in enumerate(named):
        made.addItem(queue.title)
        made.setItemData(number, queue.description, Qt.ItemDataRole.ToolTipRole)
    made.setCurrentIndex(next((number for number, queue in enumerate(named) if queue.name == "to-review"), 0))
    return made


def _list(model: QueueModel, theme: ThemeManager, parent: QWidget) -> QTableView:
    made = QTableView(parent)
    as_list(made, model, QueueDelegate(theme, made), HEIGHT, theme)
    made.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setAccessibleName("Items of the queue")
    return made
