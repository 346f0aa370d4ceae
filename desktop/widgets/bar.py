"""A flat bar for a share in [0, 1]: a probability, a progress."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import ThemeManager

THICKNESS = 6


def paint_bar(painter: QPainter, rect: QRectF, share: float, fill: QColor, theme: ThemeManager) -> None:
    """Draw a rounded bar with its track. For delegates and painted widgets."""
    radius = rect.height() / 2
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("track"))
    painter.drawRoundedRect(rect, radius, radius)
    width = rect.width() * min(1.0, max(0.0, share))
    if width >= 1:
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(rect.x(), rect.y(), max(width, rect.height()), rect.height()), radius, radius)


class Bar(QWidget):
    """A bar as a widget. `colour` is a label's "#rrggbb"; without it the bar has the accent's colour."""

    def __init__(self, theme: ThemeManager, colour: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._colour, self._share = theme, colour, 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    @property
    def share(self) -> float:
        """What the bar shows, in [0, 1]."""
        return self._share

    def set_share(self, share: float, colour: str | None = None) -> None:
        """Show another share, and another colour if one is given."""
        self._share = share
        if colour is not None:
            self._colour = colour
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(80, THICKNESS)

    def paintEvent(self, event: QPaintEvent) -> None:
        fill = self._theme.mark(self._colour) if self._colour else self._theme.colour("accent")
        painter = QPainter(self)
        y = (self.height() - THICKNESS) / 2
        paint_bar(painter, QRectF(0, y, self.width(), THICKNESS), self._share, fill, self._theme)
        painter.end()
