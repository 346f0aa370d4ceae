"""The first page: recent workspaces, and the three ways to a new one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.new_workspace import NewWorkspace, Working
from desktop.settings import Settings
from desktop.start_rows import ChoiceButton, RecentRow, name_of, short
from desktop.theme import CONTROL, GAP, HALF, PAD, WIDE, ThemeManager
from desktop.widgets import Icon, frame, label, scroll_area

_WIDTH = 112 * GAP


class StartPage(QWidget):
    """Chooses a workspace: `openRequested(Path)` says which."""

    openRequested = Signal(object)

    def __init__(
        self, settings: Settings, theme: ThemeManager, actions: ActionRegistry, log: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._settings, self._theme, self._actions = settings, theme, actions
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Workspaces")
        self.new_workspace = NewWorkspace(theme, self)
        self.working = Working(log, theme, self)
        self.new = ChoiceButton(
            "folder-plus", "New workspace", "An empty one, with its own labels", "Ctrl+N", theme, self
        )
        self.open = ChoiceButton("folder", "Open a workspace", "Choose its folder", "Ctrl+O", theme, self)
        self.demo = ChoiceButton("demo", "Make the demo", "240 captures and a model, two minutes", "", theme, self)
        self._recent = QVBoxLayout()
        self._lay_out()
        self._connect()
        settings.changed.connect(self._on_setting)
        self.refresh()

    def refresh(self) -> None:
        """Read the recent workspaces again, and look which are still there."""
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        recent = self._settings.recent
        for workspace in recent:
            self._recent.addWidget(self._row(workspace))
        if not recent:
            self._recent.addWidget(self._nothing())
        self._recent.addStretch(1)
        self._order_focus()
        self._card.setMaximumHeight(max(26 * GAP, 7 * GAP + len(recent) * 7 * GAP))

    def _order_focus(self) -> None:
        """Let Tab go through the recent workspaces first, as they stand first."""
        before: QWidget = self
        for number in range(self._recent.count()):
            item = self._recent.itemAt(number)
            row = item.widget() if item is not None else None
            for widget in row.findChildren(QAbstractButton) if row is not None else ():
                QWidget.setTabOrder(before, widget)
                before = widget

    def show_choices(self) -> None:
        """Return from the form of a new workspace to the three ways."""
        self.new_workspace.hide()
        self._choices.setVisible(True)

    def show_form(self) -> None:
        """Ask for the name, the place and the labels of a new workspace."""
        if not self.working.running:
            self._choices.hide()
            self.new_workspace.begin()

    def make_demo(self) -> None:
        """Make the demo workspace or go on where that was interrupted; open it where it was made before."""
        folder = demo_folder()
        if any(folder.glob("models/*/card.json")):
            self.openRequested.emit(folder)
        else:
            self.working.run(folder, "Making the demo", "demo", str(folder))

    def _connect(self) -> None:
        self.new.clicked.connect(self.show_form)
        self.open.clicked.connect(self._actions.action("app.open").trigger)
        self.demo.clicked.connect(self.make_demo)
        self.new_workspace.cancelled.connect(self.show_choices)
        self.new_workspace.wanted.connect(self._create)
        self.working.started.connect(lambda: self._set_busy(busy=True))
        self.working.ended.connect(lambda: self._set_busy(busy=False))
        self.working.made.connect(self.openRequested)

    def _create(self, folder: Path, source: list[str]) -> None:
        self.show_choices()
        self.working.run(folder, "Making the workspace", "init", str(folder), *source)

    def _set_busy(self, *, busy: bool) -> None:
        for choice in (self.new, self.demo):
            choice.setEnabled(not busy)

    def _on_setting(self, name: str) -> None:
        if name == "recent":
            self.refresh()

    def _row(self, workspace: Path) -> QWidget:
        holder = QWidget(self)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(HALF)
        entry = RecentRow(workspace, self._theme, holder)
        entry.clicked.connect(lambda: self.openRequested.emit(workspace))
        remove = QToolButton(holder)
        remove.setFixedSize(CONTROL, CONTROL)
        remove.setIcon(self._theme.icon("close", "quiet"))
        remove.setToolTip("Take it off this list; the folder stays")
        remove.setAccessibleName(f"Take {name_of(workspace)} in {short(workspace.parent)} off this list")
        remove.clicked.connect(lambda: self._settings.forget(workspace))
        row.addWidget(entry, 1)
        row.addWidget(remove)
        return holder

    def _nothing(self) -> QWidget:
        words = (
            "Nothing was opened yet. Make the demo to look around, or a new workspace to begin with your own captures."
        )
        made = label(words, "quiet", self, wrap=True)
        made.setContentsMargins(PAD, GAP, PAD, GAP)
        return made

    def _lay_out(self) -> None:
        body = QWidget(self)
        body.setFixedWidth(_WIDTH)
        columns = QHBoxLayout()
        columns.setSpacing(WIDE)
        left = QVBoxLayout()
        left.addWidget(self._recent_card(body), 1000)
        left.addStretch(1)
        columns.addLayout(left, 3)
        columns.addLayout(self._ways(body), 2)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(WIDE)
        column.addLayout(self._head(body))
        column.addLayout(columns, 1)
        column.addWidget(self._foot(body), 0, Qt.AlignmentFlag.AlignHCenter)
        page = QVBoxLayout(self)
        page.setContentsMargins(PAD, 6 * GAP, PAD, PAD)
        page.addWidget(body, 1, Qt.AlignmentFlag.AlignHCenter)

    def _head(self, parent: QWidget) -> QHBoxLayout:
        words = QVBoxLayout()
        words.setSpacing(HALF)
        words.addWidget(label("Second Look", "display", parent))
        words.addWidget(label("Choose a workspace, and the first item is in front of you.", "quiet", parent))
        row = QHBoxLayout()
        row.setSpacing(PAD)
        row.addWidget(Icon("second-look", self._theme, 48, "accent_text", parent))
        row.addLayout(words)
        row.addStretch(1)
        return row

    def _recent_card(self, parent: QWidget) -> QWidget:
        self._card = card = frame("card", parent)
        holder = QWidget()
        self._recent.setContentsMargins(GAP, 0, GAP, GAP)
        self._recent.setSpacing(0)
        holder.setLayout(self._recent)
        title = label("Recent workspaces", "section", card)
        title.setContentsMargins(WIDE, PAD, PAD, GAP)
        column = QVBoxLayout(card)
        column.setContentsMargins(1, 0, 1, 1)
        column.setSpacing(0)
        column.addWidget(title)
        column.addWidget(scroll_area(holder, card), 1)
        return card

    def _ways(self, parent: QWidget) -> QVBoxLayout:
        self._choices = QWidget(parent)
        choices = QVBoxLayout(self._choices)
        choices.setContentsMargins(0, 0, 0, 0)
        choices.setSpacing(GAP)
        for choice in (self.new, self.open, self.demo):
            choices.addWidget(choice)
        column = QVBoxLayout()
        column.setSpacing(PAD)
        column.addWidget(self._choices)
        column.addWidget(self.new_workspace)
        column.addWidget(self.working)
        column.addStretch(1)
        return column

    def _foot(self, parent: QWidget) -> QWidget:
        return label("You can also drop a workspace folder or a review pack here.", "caption", parent)


def demo_folder() -> Path:
    """Return where the demo workspace goes: the person's own data folder of Second Look."""
    import platformdirs

    return platformdirs.user_data_path("secondlook", appauthor=False) / "demo.secondlook"
