"""What a view shows while there is nothing to show: what is missing and what to do about it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.theme import GAP, PAD, WIDE, ThemeManager
from desktop.widgets.text import button, label

_LINE = 44 * GAP
"""Width of the sentences under the heading."""


class Icon(QWidget):
    """A line icon of a fixed size that follows the theme."""

    def __init__(
        self, name: str, theme: ThemeManager, size: int = 24, tint: str = "quiet", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._name, self._theme, self._size, self._tint = name, theme, size, tint
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_icon(self, name: str, tint: str) -> None:
        """Show another icon in the colour of another token."""
        self._name, self._tint = name, tint
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._size, self._size)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._theme.paint_icon(painter, QRectF(0, 0, self._size, self._size), self._name, self._tint)
        painter.end()


class EmptyState(QWidget):
    """An icon, a heading, a sentence or two, and buttons for actions of the table; centred in its space."""

    def __init__(self, icon: str, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self._offered: list[QPushButton] = []
        self._icon = Icon(icon, theme, 40, "quiet", self)
        self._title = label("", "heading", self)
        self._body = label("", "quiet", self, wrap=True)
        self._body.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._body.setFixedWidth(_LINE)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(GAP)
        column = QVBoxLayout(self)
        column.setContentsMargins(PAD, WIDE, PAD, WIDE)
        column.setSpacing(GAP)
        column.addStretch(2)
        for widget in (self._icon, self._title, self._body):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(GAP)
        column.addLayout(self._buttons)
        column.setAlignment(self._buttons, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    @property
    def title(self) -> str:
        """The heading that says what is missing."""
        return self._title.text()

    def say(self, title: str, body: str, *names: str) -> None:
        """Say what is missing and offer these actions; the first one is the main button."""
        self._title.setText(title)
        self._body.setText(body)
        self._body.ensurePolished()
        self._body.setFixedHeight(self._body.heightForWidth(_LINE))
        for old in self._offered:
            self._buttons.removeWidget(old)
            old.deleteLater()
        self._offered.clear()
        for number, name in enumerate(names):
            made = button(self._actions.title(name), "" if number else "primary", self)
            made.setToolTip(self._actions.tooltip(name))
            made.clicked.connect(self._actions.action(name).trigger)
            self._buttons.addWidget(made)
            self._offered.append(made)
