"""A small pill that says how something is: the engine, a training run, a model's place."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import GAP, TYPE, ThemeManager, font
from desktop.widgets.bar import paint_bar

KINDS = ("idle", "busy", "good", "warning", "danger")
_HEIGHT, _DOT, _BAR = 24, 8, 64


class StatusChip(QWidget):
    """A dot, a few words, and a bar while something runs. `kind`: idle, busy, good, warning or danger."""

    def __init__(self, theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._text, self._kind = theme, "", "idle"
        self._share: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    @property
    def text(self) -> str:
        """The words it shows."""
        return self._text

    def show_state(self, text: str, kind: str = "idle", share: float | None = None) -> None:
        """Show other words; `share` in [0, 1] draws a bar. Raises ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not one of {', '.join(KINDS)}.")
        if (text, kind, share) == (self._text, self._kind, self._share):
            return
        wider = text != self._text or (share is None) != (self._share is None)
        self._text, self._kind, self._share = text, kind, share
        percent = "" if share is None else f", {share * 100:.0f} percent"
        self.setAccessibleName(text + percent)
        if wider:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        words = self.fontMetrics().horizontalAdvance(self._text) if self._text else 0
        bar = 0 if self._share is None else _BAR + GAP
        return QSize(3 * GAP + _DOT + words + bar, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._text:
            return
        wash, ink = ("track", "quiet") if self._kind == "idle" else (f"{self._kind}_wash", self._kind)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._kind != "idle":
            painter.setBrush(self._theme.colour(wash))
            painter.drawRoundedRect(QRectF(self.rect()), _HEIGHT / 2, _HEIGHT / 2)
        painter.setBrush(self._theme.colour(ink))
        middle = self.height() / 2
        painter.drawEllipse(QRectF(GAP, middle - _DOT / 2, _DOT, _DOT))
        right = self.width() - GAP
        if self._share is not None:
            bar = QRectF(right - _BAR, middle - 2, _BAR, 4)
            paint_bar(painter, bar, self._share, self._theme.colour(ink), self._theme)
            right -= _BAR + GAP
        self._paint_words(painter, right)
        painter.end()

    def _paint_words(self, painter: QPainter, right: float) -> None:
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet" if self._kind == "idle" else "text"))
        left = 2 * GAP + _DOT - 2.0
        box = QRectF(left, 0, right - left, self.height())
        text = painter.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, int(box.width()) + 1)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
