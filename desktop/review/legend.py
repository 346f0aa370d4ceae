"""The legend of heatmap and highlights: the scale from "against" to "for" the explained label."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import GAP, HALF, TYPE, ThemeManager, colour, font
from desktop.theme.diverging import legend

_BAR = 112


class Legend(QWidget):
    """A bar in the map's colours with the weights at its ends. Empty while nothing is explained."""

    def __init__(self, theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._scale: float | None = None
        self._font = font(TYPE.caption)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_scale(self, scale: float | None, label: str) -> None:
        """Show which weight has full colour; None hides the legend."""
        self._scale = scale
        ends = f"Colours: from {-scale:.2f}, against {label}, to {scale:+.2f}, for {label}" if scale else ""
        words = f"{ends}. What cannot be told from zero has no colour." if ends else ""
        self.setAccessibleName(words)
        self.setToolTip(words)
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        words = metrics.horizontalAdvance("against") + metrics.horizontalAdvance("for")
        return QSize(words + _BAR + 2 * GAP, 32)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._scale is None:
            return
        painter = QPainter(self)
        painter.setFont(self._font)
        painter.setPen(self._theme.colour("quiet"))
        metrics = painter.fontMetrics()
        left = metrics.horizontalAdvance("against") + GAP
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, 0, left, 16), middle | Qt.AlignmentFlag.AlignLeft, "against")
        painter.drawText(QRectF(left + _BAR + GAP, 0, 40, 16), middle | Qt.AlignmentFlag.AlignLeft, "for")
        painter.fillRect(QRectF(left, HALF, _BAR, GAP), self._gradient(left))
        below = QRectF(left - 20, 15, _BAR + 40, 16)
        painter.drawText(below, middle | Qt.AlignmentFlag.AlignLeft, f"{-self._scale:+.2f}".replace("-", "−"))
        painter.drawText(below, middle | Qt.AlignmentFlag.AlignHCenter, "0")
        painter.drawText(below, middle | Qt.AlignmentFlag.AlignRight, f"{self._scale:+.2f}")
        painter.end()

    def _gradient(self, left: float) -> QLinearGradient:
        gradient = QLinearGradient(left, 0, left + _BAR, 0)
        shades = _shades(self._theme.tokens.surface)
        for number, shade in enumerate(shades):
            gradient.setColorAt(number / (len(shades) - 1), shade)
        return gradient


@cache
def _shades(surface: str) -> tuple[QColor, ...]:
    return tuple(colour(shade) for shade in legend(surface))
