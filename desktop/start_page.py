"""The first page: recent workspaces, and the three ways to a new one. Drop a folder to open it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop.actions import ActionRegistry, caps_of
from desktop.new_workspace import NewWorkspace, Working
from desktop.settings import Settings
from desktop.theme import CONTROL, GAP, HALF, PAD, RADIUS, TYPE, WIDE, ThemeManager, font
from desktop.widgets import Icon, frame, label, paint_key_caps

SUFFIX = ".secondlook"
_WIDTH = 112 * GAP
_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


def name_of(workspace: Path) -> str:
    """Return what a workspace is called: its folder's name without the ending."""
    return workspace.name.removesuffix(SUFFIX) or str(workspace)


def short(folder: Path) -> str:
    """Return a folder's path as people write it, the home folder as "~"."""
    try:
        return str(Path("~") / folder.relative_to(Path.home()))
    except ValueError:
        return str(folder)


class RecentRow(QAbstractButton):
    """One workspace: its name and where it is; greyed where it is not there any more."""

    def __init__(self, workspace: Path, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(parent)
        self.workspace, self.missing = workspace, not workspace.is_dir()
        self._theme, self._over = theme, False
        self.setText(name_of(workspace))
        self.setFixedHeight(7 * GAP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setEnabled(not self.missing)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        state = "missing" if self.missing else "open"
        self.setAccessibleName(f"{self.text()}, {state}")
        self.setToolTip(str(workspace))
        theme.changed.connect(self.update)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._over = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._over = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        if self.isEnabled() and (self._over or self.hasFocus() or self.isDown()):
            painter.setPen(QPen(self._theme.colour("focus"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("pressed" if self.isDown() else "hover"))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        ink = "disabled" if self.missing else "quiet"
        self._theme.paint_icon(painter, QRectF(PAD, box.center().y() - 12, 24, 24), "folder", ink)
        words = box.adjusted(PAD + 24 + PAD, GAP + 1, -GAP, -GAP)
        painter.setFont(font(TYPE.body, bold=True))
        painter.setPen(self._theme.colour("disabled" if self.missing else "text"))
        top = QRectF(words.left(), words.top(), words.width(), words.height() / 2)
        painter.drawText(top, _LEFT, painter.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, int(top.width())))  # fmt: skip
        self._paint_path(painter, top.translated(0, words.height() / 2))
        painter.end()

    def _paint_path(self, painter: QPainter, box: QRectF) -> None:
        where = short(self.workspace.parent)
        text = f"Not there any more · {where}" if self.missing else where
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet"))
        painter.drawText(box, _LEFT, painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideMiddle, int(box.width())))  # fmt: skip


class ChoiceButton(QAbstractButton):
    """A wide button with an icon, a title, a line of explanation, and the key of its action."""

    def __init__(self, icon: str, title: str, words: str, key: str, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(parent)
        self._icon, self._words, self._theme, self._over = icon, words, theme, False
        self._caps = caps_of(key) if key else ()
        self.setText(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(words)
        self.setFixedHeight(8 * GAP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(40 * GAP, 8 * GAP)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._over = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._over = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        thick = 2 if self.hasFocus() else 1
        inset = thick / 2
        painter.setPen(QPen(self._theme.colour("focus" if self.hasFocus() else "border"), thick))
        face = "pressed" if self.isDown() else "hover" if self._over and self.isEnabled() else "raised"
        painter.setBrush(self._theme.colour(face))
        box = QRectF(self.rect())
        painter.drawRoundedRect(box.adjusted(inset, inset, -inset, -inset), GAP, GAP)
        self._theme.paint_icon(painter, QRectF(PAD, box.center().y() - 12, 24, 24), self._icon, "accent_text")
        right = box.right() - PAD
        if self._caps:
            right = paint_key_caps(painter, right, box.center().y(), self._caps, self._theme) - GAP
        left = PAD + 24.0 + PAD
        half = (box.height() - 2 * (GAP + 3)) / 2
        painter.setFont(font(TYPE.body, bold=True))
        painter.setPen(self._theme.colour("text" if self.isEnabled() else "disabled"))
        painter.drawText(QRectF(left, GAP + 3, right - left, half), _LEFT, self.text())
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet"))
        painter.drawText(QRectF(left, GAP + 3 + half, right - left, half), _LEFT, self._words)
        painter.end()


class StartPage(QWidget):
    """Chooses a workspace. `openRequested(Path)` says which; `dropped(list of Path)` brings files that are none."""

    openRequested = Signal(object)
    openDialogRequested = Signal()
    dropped = Signal(object)

    def __init__(
        self, settings: Settings, theme: ThemeManager, actions: ActionRegistry, log: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._settings, self._theme, self._actions = settings, theme, actions
        self.setAcceptDrops(True)
        self.setAccessibleName("Workspaces")
        self.new_workspace = NewWorkspace(theme, self)
        self.working = Working(log, theme, self)
        self.new = ChoiceButton(
            "folder-plus", "New workspace", "An empty one, with its own labels", "Ctrl+N", theme, self
        )
        self.open = ChoiceButton("folder", "Open a workspace", "Choose its folder", "Ctrl+O", theme, self)
        self.demo = ChoiceButton(
            "demo", "Make the demo", "240 invented captures and a model, in two minutes", "", theme, self
        )
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
        """Make the demo workspace, or open it where it was made before."""
        folder = demo_folder()
        if (folder / "workspace.db").is_file():
            self.openRequested.emit(folder)
        else:
            self.working.run(folder, "Making the demo", "demo", str(folder))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        folders = [path for path in paths if (path / "workspace.db").is_file()]
        if folders:
            self.openRequested.emit(folders[0])
        elif paths:
            self.dropped.emit(paths)

    def _connect(self) -> None:
        self.new.clicked.connect(self.show_form)
        self.open.clicked.connect(self.openDialogRequested)
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
        remove.setAccessibleName(f"Take {name_of(workspace)} off this list")
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
        columns.addWidget(self._recent_card(body), 3)
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
        card = frame("card", parent)
        holder = QWidget()
        self._recent.setContentsMargins(GAP, 0, GAP, GAP)
        self._recent.setSpacing(0)
        holder.setLayout(self._recent)
        scroll = QScrollArea(card)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(holder)
        title = label("Recent workspaces", "section", card)
        title.setContentsMargins(WIDE, PAD, PAD, GAP)
        column = QVBoxLayout(card)
        column.setContentsMargins(1, 0, 1, 1)
        column.setSpacing(0)
        column.addWidget(title)
        column.addWidget(scroll, 1)
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
        return label("You can also drop a workspace folder here.", "caption", parent)


def demo_folder() -> Path:
    """Return where the demo workspace goes: the person's own data folder of Second Look."""
    import platformdirs

    return platformdirs.user_data_path("secondlook", appauthor=False) / "demo.secondlook"
