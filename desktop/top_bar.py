"""The thin bar at the top: what is open, the pages, and the way to everything else."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from desktop.actions import ActionRegistry, caps_of
from desktop.theme import CONTROL, GAP, PAD, TOP_BAR, TYPE, ThemeManager, font
from desktop.widgets import ElidedLabel, Icon, IconButton, PaintedButton, StatusChip, paint_key_caps
from desktop.widgets.keycap import width_of

MENU_GROUPS = ("Workspace", "Model", "Go to", "Window")
TABS = {"review": "app.review", "models": "app.models", "capture": "app.capture"}


class PaletteHint(PaintedButton):
    """Looks like a search field and opens the command palette."""

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget) -> None:
        super().__init__(theme, parent)
        self._caps = caps_of(actions.specs["app.palette"].keys[0])
        self.setText("Find an action")
        self.setAccessibleName("Find an action")
        self.setToolTip(actions.specs["app.palette"].help)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.clicked.connect(actions.action("app.palette").trigger)

    def sizeHint(self) -> QSize:
        return QSize(22 * GAP + width_of(self._caps), CONTROL)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_face(painter)
        middle = self.height() / 2
        self._theme.paint_icon(painter, QRectF(GAP, middle - 8, 16, 16), "search", "quiet")
        paint_key_caps(painter, self.width() - GAP + 2.0, middle, self._caps, self._theme)
        painter.setFont(font(TYPE.body))
        painter.setPen(self._theme.colour("quiet"))
        words = QRectF(4 * GAP, 0, self.width(), self.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())
        painter.end()


class TopBar(QFrame):
    """The name of what is open, a tab per page, the palette's hint, keys, settings, menu."""

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("surface", "top")
        self.setFixedHeight(TOP_BAR)
        self._name = ElidedLabel("Second Look", "strong", self)
        self._name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)
        self.tabs = {page: self._tab(name, actions) for page, name in TABS.items()}
        self._menu_button = self._menu(actions)
        self._activity = StatusChip(theme, self)
        self._stop = IconButton("close", "app.cancel-import", theme, actions, self)
        self.show_activity("")
        self._lay_out(theme, actions)
        theme.changed.connect(self._dress)
        self._dress()

    def show_workspace(self, name: str) -> None:
        """Show what is open, or "" for nothing."""
        self._name.setText(name or "Second Look")
        for tab in self.tabs.values():
            tab.setVisible(bool(name))

    def name_tab(self, page: str, text: str) -> None:
        """Call a page's tab something else, such as how far its work is."""
        if self.tabs[page].text() != text:
            self.tabs[page].setText(text)
            self.tabs[page].setAccessibleName(text)
            self.tabs[page].setMinimumWidth(_tab_width(text))

    def show_page(self, page: str) -> None:
        """Mark the tab of the page in view."""
        for name, tab in self.tabs.items():
            tab.setChecked(name == page)

    def show_activity(self, text: str, share: float | None = None) -> None:
        """Show what runs in the background for everybody to see (an import), with a way to cancel it; "" for none."""
        self._activity.setVisible(bool(text))
        self._stop.setVisible(bool(text))
        if text:
            self._activity.show_state(text, "busy", share)

    def _lay_out(self, theme: ThemeManager, actions: ActionRegistry) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(PAD, 0, GAP, 0)
        row.setSpacing(GAP)
        row.addWidget(Icon("second-look", theme, 24, "accent_text", self))
        row.addWidget(self._name)
        row.addSpacing(PAD)
        for tab in self.tabs.values():
            row.addWidget(tab)
        row.addStretch(1)
        row.addWidget(self._activity)
        row.addWidget(self._stop)
        row.addWidget(PaletteHint(theme, actions, self))
        row.addSpacing(GAP)
        row.addWidget(IconButton("keyboard", "app.cheat-sheet", theme, actions, self))
        row.addWidget(IconButton("settings", "app.settings", theme, actions, self))
        row.addWidget(self._menu_button)

    def _menu(self, actions: ActionRegistry) -> QToolButton:
        made = QToolButton(self)
        made.setFixedSize(CONTROL, CONTROL)
        made.setIconSize(QSize(18, 18))
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.setToolTip("Menu")
        made.setAccessibleName("Menu")
        made.setMenu(actions.menu(made, MENU_GROUPS))
        return made

    def _tab(self, name: str, actions: ActionRegistry) -> QPushButton:
        tab = QPushButton(actions.title(name), self)
        tab.setProperty("role", "tab")
        tab.setCheckable(True)
        tab.setAutoDefault(False)
        tab.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        tab.setFixedHeight(TOP_BAR - 1)
        tab.setMinimumWidth(_tab_width(tab.text()))
        tab.setAccessibleName(actions.title(name))
        tab.setToolTip(actions.tooltip(name))
        tab.clicked.connect(lambda: actions.trigger(name))
        return tab

    def _dress(self) -> None:
        self._menu_button.setIcon(self._theme.icon("menu", "quiet"))


def _tab_width(text: str) -> int:
    """Return the width at which a tab shows its words when it is the chosen one, in bold."""
    return QFontMetrics(font(TYPE.body, bold=True)).horizontalAdvance(text) + 3 * GAP + 4
