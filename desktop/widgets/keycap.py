"""Key caps: the small drawn keys on buttons, in the palette and in the cheat sheet."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import HALF, TYPE, ThemeManager, font

HEIGHT = 20
_PADDING = 6
_BARE = {"…", "or"}
"""What stands between caps without one of its own."""


def width_of(caps: Sequence[str]) -> int:
    """Return the pixels that a row of key caps takes."""
    metrics = QFontMetrics(font(TYPE.caption))
    return sum(_width(cap, metrics) for cap in caps) + HALF * max(0, len(caps) - 1)


def paint_key_caps(
    painter: QPainter, right: float, middle: float, caps: Sequence[str], theme: ThemeManager, *, enabled: bool = True
) -> float:
    """Draw a row of key caps that ends at x = `right`, centred on y = `middle`; return the x where it begins.

    For delegates and painted buttons. The painter's state is kept.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    face = font(TYPE.caption)
    painter.setFont(face)
    metrics = QFontMetrics(face)
    left = right
    for cap in reversed(caps):
        width = _width(cap, metrics)
        _paint_cap(painter, QRectF(left - width, middle - HEIGHT / 2, width, HEIGHT), cap, theme, enabled=enabled)
        left -= width + HALF
    painter.restore()
    return left + HALF if caps else right


def _paint_cap(painter: QPainter, rect: QRectF, cap: str, theme: ThemeManager, *, enabled: bool) -> None:
    if cap not in _BARE:
        face = rect.adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(theme.colour("key_edge"), 1))
        painter.setBrush(theme.colour("key_cap"))
        painter.drawRoundedRect(face, 4, 4)
        painter.drawLine(QPointF(face.left() + 3, face.bottom() - 1), QPointF(face.right() - 3, face.bottom() - 1))
        rect = rect.adjusted(0, 0, 0, -1)
    painter.setPen(theme.colour("quiet" if enabled else "disabled"))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, cap)


def _width(cap: str, metrics: QFontMetrics) -> int:
    if cap in _BARE:
        return metrics.horizontalAdvance(cap)
    return max(HEIGHT, metrics.horizontalAdvance(cap) + 2 * _PADDING)


class KeyCap(QWidget):
    """A row of key caps, such as ("Ctrl", "K")."""

    def __init__(self, caps: Sequence[str], theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._caps: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)
        self.set_caps(caps)

    def set_caps(self, caps: Sequence[str]) -> None:
        """Show other keys."""
        self._caps = tuple(caps)
        self.setAccessibleName(" ".join(caps))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(width_of(self._caps), HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_key_caps(painter, self.width(), self.height() / 2, self._caps, self._theme, enabled=self.isEnabled())
        painter.end()
