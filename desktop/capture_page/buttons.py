"""A button that does one action of the table and is enabled when that means something."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget

from desktop.actions import ActionRegistry


class ActionButton(QPushButton):
    """Called `text`, or what the action is called; its tooltip names the key."""

    def __init__(self, name: str, actions: ActionRegistry, parent: QWidget, text: str = "", role: str = "") -> None:
        super().__init__(text or actions.title(name), parent)
        self._name, self._actions = name, actions
        self.setProperty("role", role)
        self.setAutoDefault(False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.clicked.connect(actions.action(name).trigger)
        actions.action(name).changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.setEnabled(self._actions.action(self._name).isEnabled())
        self.setToolTip(self._actions.tooltip(self._name))
        self.setAccessibleName(self._actions.title(self._name))
