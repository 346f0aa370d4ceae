"""A capture under way or over: how far it is, and its pages with what became of them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop.actions import ActionRegistry
from desktop.capture_page.buttons import ActionButton
from desktop.capture_page.pages_delegate import HEIGHT, PagesDelegate
from desktop.capture_page.pages_model import PagesModel
from desktop.capture_page.words import TITLES
from desktop.children.capture_states import CaptureState, Page
from desktop.models_page.confirm_bar import ConfirmBar
from desktop.theme import GAP, PAD, WIDE, ThemeManager
from desktop.widgets import Bar, EmptyState, KeyCap, as_list, button, frame, label, set_role

OPEN, WHY = "open in review", "see why it failed"
HINTS = (("R", "try again"), ("F", "only failures"), ("P", "pause or resume"))


class RunView(QWidget):
    """`chosen()` when other rows are chosen; `failuresWanted(bool)` when the filter is switched by its buttons."""

    chosen = Signal()
    failuresWanted = Signal(bool)

    def __init__(
        self, model: PagesModel, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._model, self._actions = model, actions
        self.title, self.text = label("", "strong", self), label("", "quiet", self, wrap=True)
        self.bar = Bar(theme, parent=self)
        self.bar.setAccessibleName("Progress of the capture")
        self.pause = ActionButton("capture.pause", actions, self, role="primary")
        self.stop = ActionButton("capture.stop", actions, self, "Stop")
        self.new = ActionButton("capture.new", actions, self, "New list")
        self.retry = ActionButton("capture.retry-all", actions, self, role="plain")
        self.enter = label(OPEN, "caption", self)
        self.all, self.failures = self._segment("left"), self._segment("right")
        self.list = _list(model, theme, self)
        self.confirm = ConfirmBar(self)
        self.empty = EmptyState("check", theme, actions, self)
        self.empty.say("Nothing failed", "Every page so far was captured, or is still to come.")
        self._lower = QStackedLayout()
        self._lay_out(theme)
        self.list.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())
        for signal in (model.modelReset, model.rowsInserted, model.rowsRemoved):
            signal.connect(self._show_rows)
        self.setFocusProxy(self.list)
        self._show_rows()

    def selected(self) -> list[Page]:
        """Return the chosen pages, in the list's order."""
        rows = sorted(index.row() for index in self.list.selectionModel().selectedRows())
        return [page for row in rows if (page := self._model.page_at(row)) is not None]

    def current(self) -> Page | None:
        """Return the page that has the keys, or None."""
        return self._model.page_at(self.list.currentIndex().row())

    def show_state(self, state: CaptureState) -> None:
        """Show how far it is."""
        self.title.setText(TITLES.get(state.stage, ""))
        self.text.setText(state.text)
        set_role(self.text, "danger" if state.fault else "quiet")
        self.bar.set_share(state.done / state.total if state.total else 0.0)
        self.bar.setVisible(state.running or state.done < state.total)
        self.pause.setText(self._actions.title("capture.pause").removesuffix(" the capture"))
        self.pause.setVisible(state.running or state.done < state.total)
        self.stop.setVisible(state.running)
        self.new.setVisible(not state.running)
        self.retry.setVisible(bool(state.failed))
        self.all.setText(f"All {state.total:,}")
        self.failures.setText(f"Failed {state.failed:,}")
        for segment in (self.all, self.failures):
            segment.setAccessibleName(segment.text())
        if state.running:
            self.confirm.hide()

    def show_filter(self, *, failures: bool) -> None:
        """Mark which pages are shown."""
        (self.failures if failures else self.all).setChecked(True)
        self._show_rows()

    def begin(self) -> None:
        """Put the keys on the first page."""
        if self._model.rowCount() and not self.list.currentIndex().isValid():
            self.list.setCurrentIndex(self._model.index(0))

    def _show_rows(self, *_: object) -> None:
        nothing = self._model.failures_only and not self._model.rowCount()
        if nothing and self.list.hasFocus():
            self.failures.setFocus()
        self._lower.setCurrentIndex(1 if nothing else 0)
        self.chosen.emit()

    def _segment(self, end: str) -> QPushButton:
        made = button("", "segment", self)
        made.setProperty("end", end)
        made.setCheckable(True)
        made.setMinimumWidth(12 * GAP)
        return made

    def _lay_out(self, theme: ThemeManager) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        top = QVBoxLayout()
        top.setContentsMargins(WIDE, WIDE, WIDE, PAD)
        top.setSpacing(PAD)
        top.addWidget(self._card())
        top.addWidget(self.confirm)
        top.addLayout(self._filter())
        column.addLayout(top)
        line = frame("line", self)
        line.setFixedHeight(1)
        column.addWidget(line)
        column.addLayout(self._lower, 1)
        self._lower.addWidget(self.list)
        self._lower.addWidget(self.empty)
        column.addWidget(self._hints(theme))

    def _card(self) -> QWidget:
        card = frame("card", self)
        column = QVBoxLayout(card)
        column.setContentsMargins(PAD, PAD, PAD, PAD)
        column.setSpacing(GAP)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.title)
        row.addStretch(1)
        for widget in (self.new, self.stop, self.pause):
            row.addWidget(widget)
        column.addLayout(row)
        column.addWidget(self.text)
        column.addWidget(self.bar)
        return card

    def _filter(self) -> QHBoxLayout:
        group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(0)
        for segment in (self.all, self.failures):
            group.addButton(segment)
            row.addWidget(segment)
        self.all.setChecked(True)
        self.all.clicked.connect(lambda: self.failuresWanted.emit(False))
        self.failures.clicked.connect(lambda: self.failuresWanted.emit(True))
        row.addStretch(1)
        row.addWidget(self.retry)
        return row

    def _hints(self, theme: ThemeManager) -> QWidget:
        foot = frame("bottom", self)
        row = QHBoxLayout(foot)
        row.setContentsMargins(WIDE, GAP, WIDE, GAP)
        row.setSpacing(GAP)
        hints = [("↵", self.enter), *((cap, label(words, "caption", foot)) for cap, words in HINTS)]
        for cap, words in hints:
            row.addWidget(KeyCap((cap,), theme, foot))
            row.addWidget(words)
            row.addSpacing(PAD)
        row.addStretch(1)
        return foot


class _Table(QTableView):
    """Return belongs to the page's action, and a letter is never a search."""

    def keyboardSearch(self, search: str) -> None:
        """Do nothing."""


def _list(model: PagesModel, theme: ThemeManager, parent: QWidget) -> QTableView:
    made = _Table(parent)
    as_list(made, model, PagesDelegate(theme, made), HEIGHT, theme)
    made.setTabKeyNavigation(False)
    made.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    made.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    made.setAccessibleName("Pages of the capture")
    return made
