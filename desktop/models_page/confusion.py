"""What a model takes for what: a confusion matrix, painted quietly."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import GAP, HALF, TYPE, ThemeManager, font
from desktop.theme.colour import mix
from desktop.theme.manager import colour

CELL_WIDTH, CELL_HEIGHT = 64, 32
_LINE = 16
_STRONGEST = 0.55
"""How far a full cell goes from the surface to the accent: the figure on it stays readable."""


class ConfusionMatrix(QWidget):
    """Rows are what items truly are, columns what the model says. A cell is as dark as its share of the row."""

    def __init__(self, theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._titles: tuple[str, ...] = ()
        self._counts: tuple[tuple[int, ...], ...] = ()
        self.setFont(font(TYPE.caption))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_counts(self, titles: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        """Show `counts[i][j]`: how many of label i were answered as label j."""
        self._titles = tuple(titles)
        self._counts = tuple(tuple(row) for row in counts)
        words = [
            f"{self._titles[i]} taken for {self._titles[j]}: {count}"
            for i, row in enumerate(self._counts)
            for j, count in enumerate(row)
            if count
        ]
        self.setAccessibleName("Confusion matrix. " + "; ".join(words))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        size = len(self._counts)
        return QSize(self._margin() + size * CELL_WIDTH + 1, self._head() + size * CELL_HEIGHT + 1 if size else 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._counts:
            return
        painter = QPainter(self)
        painter.setFont(font(TYPE.caption))
        self._paint_titles(painter)
        for i, row in enumerate(self._counts):
            total = sum(row) or 1
            for j, count in enumerate(row):
                self._paint_cell(painter, i, j, count, count / total)
        painter.end()

    def _margin(self) -> int:
        metrics = self.fontMetrics()
        return min(168, max((metrics.horizontalAdvance(title) for title in self._titles), default=0) + 2 * GAP)

    def _head(self) -> int:
        """Return the room for the columns' titles: as many lines as the longest of them is broken into."""
        metrics = self.fontMetrics()
        box = QRect(0, 0, CELL_WIDTH - HALF, 1000)
        flags = int(Qt.TextFlag.TextWordWrap)
        return max((metrics.boundingRect(box, flags, title).height() for title in self._titles), default=_LINE) + HALF

    def _paint_titles(self, painter: QPainter) -> None:
        margin, metrics = self._margin(), painter.fontMetrics()
        painter.setPen(self._theme.colour("quiet"))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for number, title in enumerate(self._titles):
            row = QRectF(0, self._head() + number * CELL_HEIGHT, margin - GAP, CELL_HEIGHT)
            painter.drawText(row, right, metrics.elidedText(title, Qt.TextElideMode.ElideRight, int(row.width())))
            column = QRectF(margin + number * CELL_WIDTH, 0, CELL_WIDTH - HALF, self._head() - HALF)
            flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom | Qt.TextFlag.TextWordWrap
            painter.drawText(column, int(flags), title)

    def _paint_cell(self, painter: QPainter, i: int, j: int, count: int, share: float) -> None:
        tokens = self._theme.tokens
        tint = tokens.accent if i == j else tokens.diverging.positive
        box = QRectF(self._margin() + j * CELL_WIDTH, self._head() + i * CELL_HEIGHT, CELL_WIDTH - 2, CELL_HEIGHT - 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(mix(tokens.raised, tint, _STRONGEST * share)) if count else colour(tokens.surface))
        painter.drawRoundedRect(box, HALF, HALF)
        painter.setPen(colour(tokens.text if count else tokens.disabled))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(count) if count else "·")
