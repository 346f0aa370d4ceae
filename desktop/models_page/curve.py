"""A small chart of a retrain: training and validation loss, and validation macro-F1, by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.children.states import EpochPoint
from desktop.theme import GAP, TYPE, ThemeManager, font

HEIGHT = 128
_AXIS = 40
_FOOT = 20


class Series:
    """One line of the chart: a name, values by epoch (None where there is none) and how it is drawn."""

    def __init__(self, name: str, points: list[tuple[int, float]], tint: str, *, dashed: bool) -> None:
        self.name, self.points, self.tint, self.dashed = name, points, tint, dashed


def loss_series(history: Sequence[EpochPoint]) -> list[Series]:
    """Return the losses by epoch; infinite and missing values are left out."""
    train = [(point.epoch, point.loss) for point in history if math.isfinite(point.loss)]
    val = [(p.epoch, p.val_loss) for p in history if p.val_loss is not None and math.isfinite(p.val_loss)]
    return [Series("training loss", train, "quiet", dashed=False), Series("validation loss", val, "busy", dashed=False)]


def score_series(history: Sequence[EpochPoint]) -> list[Series]:
    """Return the mean validation macro-F1 over the tasks by epoch."""
    scores = [(p.epoch, sum(p.macro_f1.values()) / len(p.macro_f1)) for p in history if p.macro_f1]
    return [Series("validation macro-F1", scores, "good", dashed=False)]


class Curve(QWidget):
    """Draws series over epochs 1 … `epochs`. With `top` the axis ends there, else a little above the highest value."""

    def __init__(self, theme: ThemeManager, *, top: float | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._top = theme, top
        self._series: list[Series] = []
        self._epochs = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_series(self, series: list[Series], epochs: int) -> None:
        """Draw these lines."""
        self._series = series
        last = max((epoch for line in series for epoch, _ in line.points), default=1)
        self._epochs = max(epochs, last, 1)
        self.setAccessibleName(", ".join(f"{s.name} {s.points[-1][1]:.2f}" for s in series if s.points))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = QRectF(_AXIS, _FOOT, max(1, self.width() - _AXIS - GAP), max(1, self.height() - 2 * _FOOT))
        top = self._top or 1.1 * max((v for line in self._series for _, v in line.points), default=1.0) or 1.0
        self._paint_axes(painter, plot, top)
        left = plot.left()
        for line in self._series:
            left = self._paint_line(painter, plot, top, line, left)
        painter.end()

    def _paint_axes(self, painter: QPainter, plot: QRectF, top: float) -> None:
        painter.setFont(font(TYPE.caption))
        for share in (0.0, 0.5, 1.0):
            y = plot.bottom() - share * plot.height()
            painter.setPen(QPen(self._theme.colour("border"), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(self._theme.colour("quiet"))
            box = QRectF(0, y - 8, _AXIS - GAP, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{share * top:.1f}")
        foot = QRectF(plot.left(), plot.bottom() + 2, plot.width(), _FOOT - 2)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "epoch 1")
        if self._epochs > 1:
            painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(self._epochs))

    def _paint_line(self, painter: QPainter, plot: QRectF, top: float, line: Series, left: float) -> float:
        """Draw one series and its name above the plot, beginning at x = `left`; return where the next name begins."""
        tint = self._theme.colour(line.tint)
        painter.setPen(self._theme.colour("quiet"))
        name = f"{line.name} {line.points[-1][1]:.2f}" if line.points else line.name
        painter.setPen(QPen(tint, 2))
        painter.drawLine(QPointF(left, 8), QPointF(left + 12, 8))
        painter.setPen(self._theme.colour("quiet"))
        width = painter.fontMetrics().horizontalAdvance(name)
        painter.drawText(QRectF(left + 16, 0, width + 2, 16), Qt.AlignmentFlag.AlignVCenter, name)
        if line.points:
            self._paint_points(painter, plot, top, line.points, tint)
        return left + 16 + width + 2 * GAP

    def _paint_points(
        self, painter: QPainter, plot: QRectF, top: float, points: list[tuple[int, float]], tint: QColor
    ) -> None:
        span = max(1, self._epochs - 1)
        places = [
            QPointF(
                plot.left() + plot.width() * (epoch - 1) / span,
                plot.bottom() - plot.height() * min(1.0, max(0.0, value / top)),
            )
            for epoch, value in points
        ]
        painter.setPen(QPen(tint, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(places))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        for place in places if len(places) <= 20 else places[-1:]:
            painter.drawEllipse(place, 3, 3)
