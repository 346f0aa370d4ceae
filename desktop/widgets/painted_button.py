"""What buttons that paint themselves have in common: a face, a rim, and knowing that the pointer is over them."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from desktop.theme import RADIUS, ThemeManager


class PaintedButton(QAbstractButton):
    """Paints itself anew when the theme changes and when the pointer comes or goes."""

    def __init__(self, theme: ThemeManager, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.changed.connect(self.update)

    @property
    def hovered(self) -> bool:
        """Whether the pointer is over it and a click would do something."""
        return self.isEnabled() and self.underMouse()

    def paint_face(self, painter: QPainter, *, rim: str = "border", radius: float = RADIUS) -> None:
        """Paint the background and the rim, which is thicker and in another colour with the focus."""
        face = "pressed" if self.isDown() else "hover" if self.hovered else "raised"
        width = 2 if self.hasFocus() else 1
        painter.setPen(QPen(self._theme.colour("focus" if self.hasFocus() else rim), width))
        painter.setBrush(self._theme.colour(face))
        inset = width / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), radius, radius)
