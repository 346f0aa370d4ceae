"""Painted buttons of the verdict panel: answers with suggestion marks, and wide buttons that show their key."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import GAP, HALF, RADIUS, TYPE, ThemeManager, font
from desktop.widgets import LabelButton, PaintedButton, paint_bar, paint_key_caps
from desktop.widgets.keycap import width_of

_TITLE_LEFT = 22
_TICK = 16
COMPACT = 32
"""Height of an answer where a task has many labels."""


class AnswerButton(LabelButton):
    """A label's button whose bar runs along its lower edge, which leaves room for long titles.

    It can also be suggested (dashed rim), be the answer so far (tick) and be the one that is explained (small dot).
    """

    def __init__(self, title: str, key: str, label_colour: str, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(title, key, label_colour, theme, parent)
        self._suggested = False
        self._explained = False
        self._answered = False

    def set_suggested(self, suggested: bool) -> None:
        """Mark the label as one that Enter would save, though nobody chose it."""
        if suggested != self._suggested:
            self._suggested = suggested
            self.setAccessibleDescription("suggested by the model" if suggested else "")
            self.update()

    def set_explained(self, explained: bool) -> None:
        """Mark the label as the one that heatmap and highlights explain."""
        if explained != self._explained:
            self._explained = explained
            self.update()

    def set_answered(self, answered: bool) -> None:
        """Mark the label as the item's answer so far."""
        if answered != self._answered:
            self._answered = answered
            self._hint()
            self.update()

    def _hints(self) -> list[str]:
        return [*super()._hints(), *(["The answer so far"] if self._answered else [])]

    def _paint_title(self, painter: QPainter, right: float) -> None:
        """Paint the title, and a tick behind it that a long title leaves room for."""
        super()._paint_title(painter, right - (_TICK + GAP if self._answered else 0))
        if self._answered:
            end = _TITLE_LEFT + QFontMetrics(font(TYPE.body, bold=True)).horizontalAdvance(self.text()) + GAP
            tick = QRectF(min(end, right - _TICK - HALF), self.height() / 2 - _TICK / 2, _TICK, _TICK)
            self._theme.paint_icon(painter, tick, "check", "good")

    def _paint_probability(self, painter: QPainter, right: float) -> float:
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet"))
        share = self._probability or 0.0
        words = f"{share * 100:.0f} %"
        width = painter.fontMetrics().horizontalAdvance(words) + 1
        box = QRectF(right - width, 0, width, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words)
        bar = QRectF(_TITLE_LEFT, self.height() - 7, self.width() - _TITLE_LEFT - GAP - 2, 3)
        paint_bar(painter, bar, share, self._theme.mark(self._colour, "raised"), self._theme)
        return box.left()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not (self._suggested or self._explained):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._suggested:
            painter.setPen(QPen(self._theme.colour("focus"), 1, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5), RADIUS, RADIUS)
        if self._explained:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_text"))
            painter.drawEllipse(QRectF(2.5, self.height() / 2 - 2, 4, 4))
        painter.end()


class KeyButton(PaintedButton):
    """A button with its words on the left and its key cap on the right; the `main` one has a stronger rim."""

    def __init__(
        self, text: str, caps: tuple[str, ...], theme: ThemeManager, parent: QWidget, *, main: bool = False
    ) -> None:
        super().__init__(theme, parent)
        self._caps = caps
        self._rim = "strong_border" if main else "border"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.say(text)

    def say(self, text: str) -> None:
        """Show other words."""
        if text != self.text():
            self.setText(text)
            self.setAccessibleName(f"{text}, key {' '.join(self._caps)}")

    def sizeHint(self) -> QSize:
        return QSize(width_of(self._caps) + 8 * GAP, 36)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_face(painter, rim=self._rim)
        right = self.width() - GAP - 2.0
        right = paint_key_caps(painter, right, self.height() / 2, self._caps, self._theme, enabled=self.isEnabled())
        painter.setFont(font(TYPE.body))
        painter.setPen(self._theme.colour("text" if self.isEnabled() else "disabled"))
        box = QRectF(GAP + 4, 0, right - 2 * GAP - 4, self.height())
        words = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)
        painter.end()
