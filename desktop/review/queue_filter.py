"""What narrows and orders the chosen queue: a few lists that fold away, and a line that says what is filtered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.review.choice import Choice
from desktop.theme import GAP, HALF, ThemeManager
from desktop.widgets import ElidedLabel, IconButton, frame, label
from engine.taxonomy import Label, Taxonomy
from engine.workspace import QueueQuery
from engine.workspace.queues import Queues

ORDERS = (
    ("", "The queue's own order", ""),
    ("uncertain", "Least certain first", "least certain"),
    ("risk", "Highest risk first", "risk"),
    ("exposure", "Most exposure first", "exposure"),
    ("oldest", "Oldest first", "oldest"),
    ("newest", "Newest first", "newest"),
)
"""Value, title, and the short word for the line."""
_SHORT = {order: short for order, _, short in ORDERS}


class QueueFilter(QWidget):
    """Belongs to one visit: another queue begins without it.

    `changed()` when the person filters otherwise; `left()` when the lists fold away and the keys go back to the page.
    """

    changed = Signal()
    left = Signal()

    def __init__(self, taxonomy: Taxonomy, theme: ThemeManager, actions: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        self._taxonomy = taxonomy
        self.form = QWidget(self)
        self.kind = Choice("Kind of item", self.form)
        self.label = Choice("The model's label", self.form)
        self.order = Choice("Order", self.form)
        self.line = frame("card", self)
        self._words, self._count = ElidedLabel("", "", self.line), label("", "caption", self.line)
        self._lay_out(IconButton("close", "review.clear-filter", theme, actions, self.line))
        kinds = [kind for kind in _kinds(taxonomy) if taxonomy.primary(kind) is not None]
        self.kind.offer([("", "Any kind"), *((kind, kind.capitalize()) for kind in kinds)])
        self.kind.setVisible(len(kinds) > 1)
        self.order.offer([(order, title) for order, title, _ in ORDERS])
        for choice in self._choices():
            choice.activated.connect(self._chosen)
            choice.left.connect(self.fold)
            choice.emptied.connect(self.clear)
        self.form.hide()
        self._show()

    @property
    def active(self) -> bool:
        """Whether anything is filtered or ordered otherwise."""
        return any(choice.value for choice in self._choices())

    @property
    def words(self) -> str:
        """What is filtered: "Tweet · Toxic · newest"; "" where nothing is."""
        narrowed = [choice.title for choice in (self.kind, self.label) if choice.value]
        return " · ".join([*narrowed, *filter(None, (_SHORT[self.order.value],))])

    @property
    def count_text(self) -> str:
        """How many of the queue's items pass: "6 of 8"; "" while nothing is filtered."""
        return self._count.text() if self.active else ""

    @property
    def focused(self) -> bool:
        """Whether one of the lists has the keys."""
        return QApplication.focusWidget() in list(self._choices())

    def narrowed(self, query: QueueQuery) -> QueueQuery:
        """Return a queue's query with the filter and the order in place."""
        return msgspec.structs.replace(
            query, kind=self.kind.value or None, label=self.label.value or None, order=self.order.value or query.order
        )

    def toggle(self) -> None:
        """Unfold the lists and give them the keys, or fold them away."""
        if not self.form.isHidden():
            self.fold()
            return
        self.form.show()
        self.show()
        first = next(choice for choice in self._choices() if not choice.isHidden())
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def fold(self) -> None:
        """Fold the lists away; what they filter stays."""
        self.left.emit()
        self.form.hide()
        self.setVisible(self.active)

    def clear(self) -> None:
        """Filter nothing any more."""
        if self.active:
            self.reset()
            self.changed.emit()

    def reset(self) -> None:
        """Forget the filter without telling anybody: another visit begins."""
        for choice in self._choices():
            choice.choose("")
        self._show()

    def show_counts(self, queues: Queues, base: QueueQuery) -> None:
        """Write how many items of the queue `base` pass, and what each choice would give.

        A search would have to look at the items one by one, so nothing is counted then.
        """
        query = self.narrowed(base)
        self._count.setVisible(not query.search)
        if query.search:
            return
        if self.active:
            self._count.setText(f"{queues.count(query):,} of {queues.count(base):,}")
        if not self.form.isHidden():
            self.kind.show_counts(_counting(queues, query, "kind"))
            self.label.show_counts(_counting(queues, query, "label"))

    def _choices(self) -> Iterator[Choice]:
        yield from (self.kind, self.label, self.order)

    def _chosen(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        """Offer the labels that the chosen kind can have, and say what is filtered."""
        kinds = [self.kind.value] if self.kind.value else _kinds(self._taxonomy)
        found = {one.name: one.title for kind in kinds for one in _labels(self._taxonomy, kind)}
        options = (("", "Any label"), *found.items())
        if options != self.label.options:
            self.label.offer(options)
        self._words.setText(self.words)
        self.line.setAccessibleName(f"Filtered: {self.words}" if self.active else "")
        self.line.setVisible(self.active)
        self.setVisible(self.active or not self.form.isHidden())

    def _lay_out(self, close: IconButton) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        rows = QVBoxLayout(self.form)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(HALF)
        for choice in self._choices():
            rows.addWidget(choice)
        row = QHBoxLayout(self.line)
        row.setContentsMargins(GAP, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(self._words, 1)
        row.addWidget(self._count)
        row.addWidget(close)
        column.addWidget(self.form)
        column.addWidget(self.line)


def _kinds(taxonomy: Taxonomy) -> list[str]:
    return list(dict.fromkeys(kind for task in taxonomy.tasks for kind in task.applies_to))


def _labels(taxonomy: Taxonomy, kind: str) -> tuple[Label, ...]:
    task = taxonomy.primary(kind)
    return task.labels if task is not None else ()


def _counting(queues: Queues, query: QueueQuery, field: str) -> Callable[[str], int]:
    """Return what counts the query with another value in this field."""

    def count(value: str) -> int:
        return queues.count(msgspec.structs.replace(query, **{field: value or None}))

    return count
